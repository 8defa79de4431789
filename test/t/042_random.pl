# Random queries: batches, workers, cursors, generic plans and the result cache
# change nothing but the time.
#
# Each query is put together by chance from tables, joins, conditions,
# aggregates, orders and limits, with calls of the extension in any of these
# places.  Fifty of them; DBERT_QUERIES for another number, DBERT_SEED repeats a
# run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $number = $ENV{DBERT_QUERIES} // 50;
my $seed = $ENV{DBERT_SEED} // $$ ^ int(time());
my $node = new_node('main', conf => <<'CONF');
distilbert.sentiment_model = 's'
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
CONF

srand($seed);
diag("DBERT_SEED=$seed");
load_model($node, 'distilbert-sentiment', 's');
load_model($node, 'bert-sentiment3', 'm3');
load_model($node, 'bert-sentence', 'e');
load_model($node, 'distilbert-qa', 'q');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, cat int, body text);
INSERT INTO t SELECT i, i % 7, CASE WHEN i % 11 = 0 THEN NULL WHEN i % 13 = 0 THEN '' WHEN i % 5 = 0 THEN 'the same film'
	ELSE 'film ' || i || repeat(' good bad ' || (i * 7) % 19, i % 5) END FROM generate_series(1, 80) AS i;
CREATE TABLE p (id int, cat int, body text) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT * FROM t;
ANALYZE;
SQL

sub one { return $_[ rand @_ ] }

sub body
{
	my ($a) = @_;

	return one("$a.body", "$a.body", "left($a.body, 20)", "$a.body || ' ' || $a.cat", "coalesce($a.body, 'none')", "nullif($a.body, '')");
}

# A number of a row, from the extension; NULL for NULL.
sub number_of
{
	my ($a, $depth) = @_;
	my $b = body($a);

	return one("distil_sentiment($b, 's')", "distil_sentiment($b)", "distil_sentiment($b, 'm3')",
		"(distil_embed($b, 'e'))[" . (1 + int rand 8) . ']', "length(distil_sentiment_label($b, 's'))",
		"distil_similarity($b, 'a good film', 'e')",
		"length(distil_answer_text('film', $b, 'q'))") if ($depth // 0) > 1 || rand() < 0.6;
	my $x = number_of($a, ($depth // 0) + 1);
	my $y = number_of($a, ($depth // 0) + 1);

	return one("coalesce($x, 0)", "CASE WHEN $a.cat < 3 THEN $x ELSE $y END", "abs($x)", "($x + $y)", "greatest($x, $y)", "coalesce($x, $y, 1)");
}

sub condition
{
	my ($a) = @_;
	my $x = number_of($a);

	return one("$x > 0", "$x IS NOT NULL", "$a.cat < 4", "$a.id % 3 = 0 AND $x < 0.5", "($a.cat = 2 OR $x > 0)", "NOT ($x > 0.1)",
		"$a.id IN (SELECT c.id FROM t c WHERE " . number_of('c') . " > 0)", "$a.body LIKE '%film%'");
}

# A query and whether its rows come in an order.
sub query
{
	my $t = one('t', 't', 'p');
	my $x = number_of('a');
	my $where = rand() < 0.7 ? ' WHERE ' . condition('a') : '';
	my $kind = int rand 9;

	return ("SELECT a.id, $x AS x FROM $t a$where", 0) if $kind <= 1;
	return ("SELECT a.id, $x AS x FROM $t a$where ORDER BY 2, 1 LIMIT " . (1 + int rand 30), 1) if $kind == 2;
	return ("SELECT a.cat, count(*), max($x), min(" . number_of('a') . ") FROM $t a$where GROUP BY a.cat HAVING count(*) > 1", 0) if $kind == 3;
	return ("SELECT a.id, b.id, $x FROM $t a JOIN t b ON b.id = a.id + " . int(rand 4) . ' AND ' . condition('b') . $where, 0) if $kind == 4;
	return ("SELECT a.id, l.x FROM $t a LEFT JOIN LATERAL (SELECT " . number_of('b') . " AS x FROM t b WHERE b.cat = a.cat ORDER BY b.id LIMIT 2) l ON true$where", 0) if $kind == 5;
	return ("SELECT a.id, rank() OVER (PARTITION BY a.cat ORDER BY $x, a.id) FROM $t a$where", 0) if $kind == 6;
	return ("SELECT DISTINCT $x FROM $t a$where", 0) if $kind == 7;
	return ("WITH c AS MATERIALIZED (SELECT a.*, $x AS x FROM $t a$where) SELECT c.id, c.x, " . number_of('c') . ' FROM c UNION ALL SELECT b.id, b.cat, ' . number_of('b') . ' FROM t b WHERE b.id < 9', 0);
}

# One transaction of it, as it is, by a cursor, or prepared.
sub sent
{
	my ($way, $query) = @_;

	return "DECLARE c CURSOR FOR $query;\nFETCH 3 FROM c;\nFETCH 1 FROM c;\nFETCH ALL FROM c;" if $way eq 'cursor';
	return "SET LOCAL plan_cache_mode = force_generic_plan;\nPREPARE q AS $query;\nEXECUTE q;\nDEALLOCATE q;" if $way eq 'generic';
	return "$query;";
}

sub run_all
{
	my ($way, $settings, @queries) = @_;
	my @answers = session_answers($node, $settings, map { "BEGIN;\n" . sent($way, $_->[0]) . "\nROLLBACK;" } @queries);

	return map { $queries[$_][1] ? $answers[$_] : join("\n", sort split(/\n/, $answers[$_] // 'no answer')) } 0 .. $#queries;
}

my @queries = map { [ query() ] } 1 .. $number;
my $serial = 'SET max_parallel_workers_per_gather = 0';
my @expected = run_all('plain', "SET distilbert.enable_batching = off; $serial", @queries);
my $errors = grep { /^ERROR/m } @expected;

cmp_ok($errors, '<', $number / 10 + 2, 'most queries have rows') or diag(grep { /^ERROR/m } @expected);
for my $mode (
	[ 'batched', 'plain', $serial ],
	[ 'batched in workers', 'plain', 'SET max_parallel_workers_per_gather = 2' ],
	[ 'batched, by a cursor', 'cursor', $serial ],
	[ 'batched, a generic plan', 'generic', $serial ],
	[ 'a generic plan in workers', 'generic', 'SET max_parallel_workers_per_gather = 2' ],
	[ 'small windows', 'plain', "$serial; SET distilbert.batch_tokens = 40; SET work_mem = '64kB'" ],
	[ 'with a result cache', 'plain', "$serial; SET distilbert.cache_size = '8kB'" ],
	[ 'row by row in workers', 'plain', 'SET distilbert.enable_batching = off; SET max_parallel_workers_per_gather = 2' ])
{
	my ($name, $way, $settings) = @$mode;
	my @got = run_all($way, $settings, @queries);
	my $different = 0;

	for my $i (0 .. $#queries)
	{
		next if $got[$i] eq $expected[$i];
		diag("$name: $queries[$i][0]\nexpected:\n$expected[$i]\ngot:\n$got[$i]") if $different++ < 3;
	}
	is($different, 0, "$name: $number answers are the same");
}
alive($node);
done_testing();

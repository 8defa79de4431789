# Every node of plans: is it read in batches, and are answers, errors and the
# calls of volatile functions the same with and without?
#
# A query has E where a call goes, and V in a condition that is evaluated for
# each row below it.  What is expected of its plan: "above", a batch node stands
# above the node in question; "below", only below it (its own rows may not be
# read early); "none".  src/pg/scan/README.md says why; it has all nodes, and so
# has this list: the headers of the server are read for what there is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
distilbert.sentiment_model = 's'
min_parallel_table_scan_size = 0
min_parallel_index_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
max_parallel_workers_per_gather = 0
CONF

sub pg_config { my $value = `$ENV{PG_CONFIG} $_[0]`; chomp $value; return $value }
my $pg_include = pg_config('--includedir-server');
my $temp = PostgreSQL::Test::Utils::tempdir;

# Another extension's scan.
my $module = "$temp/plainscan.so";
my $has_module = system('cc', '-shared', '-fPIC', '-O1', "-I$pg_include", '-o', $module,
	"$FindBin::RealBin/plainscan.c") == 0;
ok($has_module, 'plainscan.c compiles');

load_model($node, 'distilbert-sentiment', 's');
my $port = $node->port;
my $host = $node->host;
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE t (id int PRIMARY KEY, cat int, body text, parts text[]);
INSERT INTO t SELECT i, i % 7, CASE WHEN i % 11 = 0 THEN NULL ELSE 'film ' || i || repeat(' good', i % 5) END,
	ARRAY['part ' || i % 3, 'film'] FROM generate_series(1, 300) AS i;
UPDATE t SET body = repeat('a film ', 300) WHERE id = 60;
CREATE INDEX ON t (cat);
CREATE INDEX ON t ((id + 0)) INCLUDE (body) WHERE body < 'zzz' AND id <> 60;
CREATE TABLE wide AS SELECT i AS id, 'c' || i AS name, 'c' || i AS body, i % 100 AS a, i % 51 AS b FROM generate_series(1, 20000) AS i;
ALTER TABLE wide ADD PRIMARY KEY (id);
CREATE INDEX ON wide (a);
CREATE INDEX ON wide (b);
CREATE TABLE plain_t AS TABLE t;
CREATE TABLE target (id int, x real);
CREATE SEQUENCE seq;
CREATE TABLE p (id int, cat int, body text) PARTITION BY LIST (cat);
CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0, 1, 2);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (3, 4, 5, 6);
INSERT INTO p SELECT id, cat, body FROM t;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
COPY (SELECT id, cat, body FROM t) TO '$temp/rows.csv' (FORMAT csv);
CREATE FOREIGN TABLE f (id int, cat int, body text) SERVER files OPTIONS (filename '$temp/rows.csv', format 'csv');
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION tsm_system_rows;
CREATE SERVER s1 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', async_capable 'true');
CREATE SERVER s2 FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', async_capable 'true');
CREATE USER MAPPING FOR PUBLIC SERVER s1;
CREATE USER MAPPING FOR PUBLIC SERVER s2;
CREATE TABLE a (id int, cat int, body text) PARTITION BY LIST (cat);
CREATE FOREIGN TABLE a0 PARTITION OF a FOR VALUES IN (0, 1, 2) SERVER s1 OPTIONS (table_name 'p0');
CREATE FOREIGN TABLE a1 (body text, id int, cat int) SERVER s2 OPTIONS (table_name 'p1');
ALTER TABLE a ATTACH PARTITION a1 FOR VALUES IN (3, 4, 5, 6);
CREATE TABLE m (id int, cat int, body text) PARTITION BY LIST (cat);
CREATE FOREIGN TABLE m0 PARTITION OF m FOR VALUES IN (0, 1, 2) SERVER s1 OPTIONS (table_name 'p0');
CREATE TABLE m1 (body text, id int, cat int);
ALTER TABLE m ATTACH PARTITION m1 FOR VALUES IN (3, 4, 5, 6);
INSERT INTO m SELECT id, cat, body FROM t WHERE cat > 2;
ANALYZE t; ANALYZE wide; ANALYZE plain_t; ANALYZE p;
SQL

my $no_index = 'SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;';
my ($xml) = $node->psql('postgres', q{SELECT '<a/>'::xml});
$xml = $xml == 0;		# a server without libxml has no XMLTABLE

# [node, expected, flags, settings, query]; several for one node where it has cases.
# Flags: o, rows come in any order; r, the rows are chosen at random; m, the
# statement cannot stand in FROM or a cursor; t, it is run by a trigger.
my @list = (
	[ 'Result', 'above', '', '', q{SELECT id, E FROM t WHERE now() > '2000-01-01' AND V} ],
	[ 'ProjectSet', 'above', '', '', 'SELECT id, E FROM (SELECT id, unnest(parts) AS body FROM t WHERE V) AS t' ],
	[ 'ProjectSet', 'above', '', '', 'SELECT id, unnest(parts), E FROM t WHERE V' ],
	[ 'ProjectSet', 'above', '', '', 'SELECT id, generate_series(1, id % 3), E, generate_series(1, 2) FROM t WHERE V' ],
	[ 'ProjectSet', 'below', '', '', 'SELECT id, unnest(ARRAY[E, 0]) FROM t WHERE V' ],
	[ 'ModifyTable', 'below', 'm', '', 'INSERT INTO target SELECT id, E FROM t WHERE V' ],
	[ 'ModifyTable', 'none', 'm', '', 'WITH gone AS (DELETE FROM t WHERE V RETURNING *) SELECT id, E FROM gone' ],
	[ 'Append', 'above', '', '', 'SELECT id, E FROM (SELECT id, body FROM t WHERE V UNION ALL SELECT id, name FROM wide WHERE id < 9 OFFSET 0) AS t' ],
	[ 'Append', 'below', '', '', 'SELECT id, E FROM p AS t WHERE V' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, E FROM a AS t WHERE V' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, E FROM a AS t WHERE V AND E > -0.2 AND cat <> 5' ],
	[ 'Append', 'above', '', '', 'SELECT sum(E::numeric) FROM a AS t WHERE V' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, CASE WHEN id > 40 THEN E WHEN cat = 1 THEN -1 ELSE E END FROM a AS t WHERE V' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, cat FROM a AS t WHERE V AND (cat = 3 OR E > 0)' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, E FROM m AS t WHERE V' ],
	[ 'Append', 'above', 'o', '', 'SELECT id, E, CASE cat WHEN 1 THEN E WHEN id % 7 THEN E + 1 END FROM m AS t WHERE V AND E > -0.2 AND cat <> 5' ],
	[ 'Append', 'above', '', '', 'SELECT sum(E::numeric) FROM m AS t WHERE V' ],
	[ 'Append', 'below', '', 'ALTER SERVER s1 OPTIONS (SET async_capable \'false\');', 'SELECT id, E FROM m AS t WHERE V' ],
	[ 'Merge Append', 'below', '', 'CREATE INDEX ON p (id); SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;', 'SELECT id, E FROM p AS t WHERE V ORDER BY id' ],
	[ 'Recursive Union', 'above', '', '', 'WITH RECURSIVE t (id, body) AS (SELECT 1, \'one\' UNION ALL SELECT id + 1, body || \' more\' FROM t WHERE id < 9 AND V) SELECT id, E FROM t' ],
	[ 'BitmapAnd', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;',
		'SELECT id, E FROM wide AS t WHERE a = 1 AND b = 2 AND V' ],
	[ 'BitmapOr', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;', 'SELECT id, E FROM t WHERE (cat = 1 OR id < 40) AND V' ],
	[ 'Seq Scan', 'above', '', '', 'SELECT id, E FROM t WHERE V' ],
	[ 'Sample Scan', 'above', '', '', 'SELECT id, E FROM t TABLESAMPLE bernoulli (40) REPEATABLE (7) WHERE V' ],
	[ 'Sample Scan', 'above', '', '', 'SELECT id, E FROM t TABLESAMPLE system (100) WHERE V' ],
	[ 'Sample Scan', 'above', 'r', '', 'SELECT id, E FROM t TABLESAMPLE system_rows (1000) WHERE V' ],
	[ 'Sample Scan', 'above', '', '', 'SELECT w.id, l.e FROM (VALUES (20), (40)) AS w (id), LATERAL (SELECT E AS e FROM t TABLESAMPLE bernoulli (w.id) REPEATABLE (1) WHERE V) AS l' ],
	[ 'Index Scan', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off;', 'SELECT id, E FROM t WHERE id BETWEEN 20 AND 90 AND V' ],
	[ 'Index Only Scan', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; CREATE INDEX ON p0 (cat, id, body);',
		'SELECT id, E FROM p0 AS t WHERE cat = 1 AND V' ],
	[ 'Bitmap Index Scan', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;', 'SELECT id, E FROM t WHERE cat = 2 AND V' ],
	[ 'Bitmap Heap Scan', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off;', 'SELECT id, E FROM t WHERE cat = 3 AND V' ],
	[ 'Tid Scan', 'above', '', 'SET LOCAL enable_seqscan = off;', q{SELECT id, E FROM t WHERE ctid = ANY (ARRAY['(0,1)', '(0,2)', '(0,7)']::tid[]) AND V} ],
	[ 'Tid Range Scan', 'above', '', '', q{SELECT id, E FROM t WHERE ctid > '(0,3)' AND ctid < '(1,3)' AND V} ],
	[ 'Subquery Scan', 'above', '', '', 'SELECT id, E FROM (SELECT * FROM t WHERE V OFFSET 0) AS t' ],
	[ 'Function Scan', 'above', '', '', q{SELECT id, E FROM (SELECT i AS id, 'x' || i AS body FROM generate_series(1, 90) AS i WHERE V) AS t} ],
	[ 'Values Scan', 'above', '', '', q{SELECT id, E FROM (VALUES (1, 'a'), (2, NULL), (3, 'good'), (4, '')) AS t (id, body) WHERE V} ],
	[ 'Table Function Scan', 'above', '', '', q{SELECT id, E FROM xmltable('/r/x' PASSING ('<r><x id="1">a</x><x id="2">good</x></r>'::xml) COLUMNS id int PATH '@id', body text PATH '.') AS t WHERE V} ],
	[ 'Table Function Scan', 'above', '', '', q{SELECT id, E FROM (SELECT n, x.* FROM (SELECT DISTINCT cat AS n FROM t) AS o, xmltable('/r/x' PASSING (('<r><x id="1">a' || n || '</x><x id="2">good</x></r>')::xml) COLUMNS id int PATH '@id', body text PATH '.') AS x) AS t WHERE V} ],
	[ 'CTE Scan', 'above', '', '', 'WITH c AS MATERIALIZED (SELECT * FROM t) SELECT id, E FROM c AS t WHERE V' ],
	[ 'Named Tuplestore Scan', 'above', 't', '', 'SELECT id, E FROM t WHERE V' ],
	[ 'WorkTable Scan', 'above', '', '', q{WITH RECURSIVE r (id, body) AS (SELECT 1, 'one' UNION ALL SELECT id + 1, round(E::numeric, 2)::text FROM r AS t WHERE id < 9 AND V) SELECT * FROM r} ],
	[ 'Foreign Scan', 'above', '', '', 'SELECT id, E FROM f AS t WHERE V' ],
	[ 'Foreign Scan', 'above', '', '', 'SELECT id, E FROM f AS t WHERE V AND E > 0' ],
	[ 'Foreign Scan', 'above', '', '', 'SELECT id, E FROM a0 AS t WHERE V' ],
	[ 'Foreign Scan', 'above', '', '', 'SELECT t.id, E FROM a0 AS t JOIN a0 AS u ON t.id = u.id WHERE V' ],
	[ 'Custom Scan', 'above', '', '', 'SELECT id, E FROM plain_t AS t WHERE V' ],
	[ 'Custom Scan', 'above', '', '', 'SELECT id, E FROM plain_t AS t WHERE cat <> 3 AND E > 0 AND V' ],
	[ 'Custom Scan', 'above', '', '', 'SELECT sum(E::numeric) FROM plain_t AS t WHERE V' ],
	[ 'Custom Scan', 'above', '', '', 'SELECT t.id, E FROM plain_t AS t JOIN wide AS w ON w.id = t.id WHERE V' ],
	[ 'Nested Loop', 'above', '', 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_memoize = off;', 'SELECT t.id, name, E FROM t JOIN wide AS w ON w.id = t.cat + 1 WHERE V' ],
	[ 'Merge Join', 'above', '', 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off;', 'SELECT t.id, name, distil_sentiment(t.body || name, \'s\'), E FROM t JOIN wide AS w ON w.id = t.id WHERE V' ],
	[ 'Hash Join', 'above', '', 'SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off;', 'SELECT t.id, name, E FROM t JOIN wide AS w ON w.id = t.id WHERE V' ],
	[ 'Materialize', 'above', '', "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; $no_index", 'SELECT t.id, u.id, distil_sentiment(t.body || u.cat, \'s\'), E FROM t JOIN t AS u ON t.id < u.cat AND V' ],
	[ 'Memoize', 'above', '', 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;', 'SELECT t.id, name, E FROM t JOIN wide AS w ON w.id = t.cat + 1 WHERE V' ],
	[ 'Memoize', 'above', '', 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;', q{SELECT t.id, E, distil_sentiment(t.body || name, 's') FROM t JOIN wide AS w ON w.id = t.cat + 1 WHERE V} ],
	[ 'Sort', 'above', '', '', 'SELECT id, E FROM (SELECT * FROM t WHERE V ORDER BY body OFFSET 0) AS t' ],
	[ 'Incremental Sort', 'above', '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off;', 'SELECT id, E FROM (SELECT * FROM t WHERE V ORDER BY id, body LIMIT 50) AS t' ],
	[ 'Group', 'above', '', 'SET LOCAL enable_hashagg = off;', 'SELECT body, E FROM t WHERE V GROUP BY body' ],
	[ 'Aggregate', 'above', '', '', 'SELECT cat, E FROM (SELECT cat, max(body) AS body FROM t WHERE V GROUP BY cat) AS t' ],
	[ 'Aggregate', 'below', '', '', 'SELECT cat, sum(E::numeric) FROM t WHERE V GROUP BY cat' ],
	[ 'WindowAgg', 'above', '', '', 'SELECT id, rank() OVER (ORDER BY cat), E FROM t WHERE V' ],
	[ 'Unique', 'above', '', 'SET LOCAL enable_hashagg = off;', 'SELECT E FROM (SELECT DISTINCT body FROM t WHERE V OFFSET 0) AS t' ],
	[ 'Gather', 'below', 'o', 'SET LOCAL max_parallel_workers_per_gather = 2;', 'SELECT id, E FROM t WHERE V' ],
	[ 'Gather Merge', 'below', 'o', 'SET LOCAL max_parallel_workers_per_gather = 2;', 'SELECT id, E FROM t WHERE V ORDER BY E, id' ],
	[ 'Hash', 'below', '', 'SET LOCAL enable_mergejoin = off; SET LOCAL enable_nestloop = off;', 'SELECT count(*), count(e), sum(e::numeric) FROM wide AS o LEFT JOIN (SELECT id, E AS e FROM t WHERE V OFFSET 0) AS q ON q.id = o.id' ],
	[ 'SetOp', 'above', '', '', 'SELECT E FROM (SELECT body FROM t WHERE V EXCEPT SELECT name FROM wide WHERE id < 9) AS t' ],
	[ 'LockRows', 'below', 'm', '', 'SELECT id, E FROM t WHERE V FOR UPDATE' ],
	[ 'LockRows', 'none', '', '', 'SELECT id, E FROM (SELECT * FROM t WHERE V FOR UPDATE) AS t' ],
	[ 'Limit', 'above', '', '', 'SELECT id, E FROM (SELECT * FROM t WHERE V LIMIT 40) AS t' ],
);
@list = grep { $_->[0] ne 'Table Function Scan' } @list if !$xml;
push @list, [ 'Table Function Scan', 'above', '', '', q{SELECT id, E FROM json_table('[{"id": 1, "body": "a"}, {"id": 2, "body": "good"}]'::jsonb, '$[*]' COLUMNS (id int, body text)) AS t WHERE V} ]
	if pg_config('--version') =~ / (\d+)/ && $1 >= 17;

# ---- all of them ----

# What the tags of plannodes.h are in EXPLAIN, where it is not the same.
my %shown = (NestLoop => 'Nested Loop', Material => 'Materialize', Agg => 'Aggregate', CteScan => 'CTE Scan',
	TableFuncScan => 'Table Function Scan', map { $_ => $_ } qw(BitmapAnd BitmapOr WindowAgg SetOp LockRows WorkTableScan ProjectSet ModifyTable));
$shown{WorkTableScan} = 'WorkTable Scan';
my %listed = map { $_->[0] => 1 } @list;
my $header = slurp_file("$pg_include/nodes/plannodes.h");
my $readme = slurp_file("$FindBin::RealBin/../../src/pg/scan/README.md");
my (@missing, @untold);
my $tags = 0;
while ($header =~ /typedef struct (\w+)\s*\{(.*?)\n\}\s*\w+;/sg)
{
	my ($tag, $fields) = ($1, $2);

	$fields =~ s{/\*.*?\*/}{}sg;
	next if $fields !~ /^\s*(?:pg_node_attr\([^)]*\)\s*)*\s*(?:Plan|Scan|Join|Sort)\s+(?:plan|scan|join|sort);/;
	next if $tag eq 'Scan' || $tag eq 'Join';
	(my $name = $tag) =~ s/(?<=[a-z])(?=[A-Z])/ /g;
	push @missing, $tag if !$listed{ $shown{$tag} // $name };
	push @untold, $tag if $readme !~ /\b$tag\b/;
	$tags++;
}
cmp_ok($tags, '>', 40, "$tags nodes in plannodes.h");
@missing = grep { $xml || $_ ne 'TableFuncScan' } @missing;
is("@missing", '', 'all are tested');
is("@untold", '', 'all are in src/pg/scan/README.md');

# ---- plans ----

# "above", "below" or "none": where batch nodes are, seen from nodes of a type.
sub place
{
	my ($plan, $type, $above, $found) = @_;
	my $ours = $plan->{'Node Type'} eq 'Custom Scan' && $plan->{'Custom Plan Provider'} eq 'DistilBatch';
	my $below = $ours;

	for my $child (@{ $plan->{Plans} // [] })
	{
		$below = 1 if place($child, $type, $above || $ours, $found);
	}
	if ($plan->{'Node Type'} eq $type && !$ours)
	{
		push @$found, $above ? 'above' : $below ? 'below' : 'none';
	}
	return $below;
}

# The statements of an entry's query; "sql" has the query.
sub statements
{
	my ($flags, $settings, $sql) = @_;

	if ($flags =~ /t/)
	{
		$sql =~ s/\bFROM t\b/FROM fresh AS t/;
		$sql = $sql =~ /^EXPLAIN/ ? "EXECUTE \$q\$$sql\$q\$ INTO r; RAISE NOTICE '%', r.*::text;"
			: "FOR r IN $sql LOOP RAISE NOTICE '%', r; END LOOP;";
		$settings .= " CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS \$\$ DECLARE r record; BEGIN $sql RETURN NULL; END \$\$; "
			. 'CREATE TRIGGER look AFTER INSERT ON plain_t REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION look();';
		$sql = 'INSERT INTO plain_t SELECT * FROM t';
	}
	return "SELECT setval('seq', 1);\nBEGIN;\n$settings\n$sql;\nSELECT nextval('seq');\nROLLBACK;\n";
}

sub run_all
{
	my ($begin, @statements) = @_;

	return session_answers($node, "LOAD '$module';\n$begin", @statements);
}

my @conditions = ('true', q{nextval('seq') > 0}, '1 / (id - 77) IS NOT NULL');
my @calls = (q{distil_sentiment(body, 's')}, q{coalesce(length(distil_sentiment_label(body)), 0)});
my @ways = ('%s', 'SELECT * FROM (%s OFFSET 0) AS q LIMIT 7', 'DECLARE c CURSOR FOR %s; FETCH 5 FROM c; FETCH 5 FROM c',
	'SET LOCAL distilbert.long_text = error; %s');
$node->safe_psql('postgres', 'VACUUM p0');

# A query with a call for E and a condition for V.
sub fill
{
	my ($query, $call, $condition) = @_;
	my $one = $query =~ /\bt JOIN\b|AS t JOIN\b|AS i\b/ ? $query =~ /AS i\b/ ? 'i' : 't.id' : 'id';

	$call =~ s/\bbody\b/t.body/g if $query =~ /\bt JOIN\b|AS t JOIN\b/;
	$condition =~ s/\bid\b/$one/;
	$query =~ s/\bE\b/$call/g;
	$query =~ s/\bV\b/$condition/g;
	return $query;
}

# The statements of the comparison: [entry, text]
my @compared;
for my $entry (@list)
{
	my ($type, $expected, $flags, $settings, $text) = @$entry;

	next if $flags =~ /r/;
	for my $condition (@conditions)
	{
		for my $call (@calls)
		{
			for my $way (@ways)
			{
				my $query = fill($text, $call, $condition);

				# calls that name their model do not go by the setting
				$query =~ s/, 's'\)/, 's', long_text => 'error')/g if $way =~ /long_text/;
				# a statement that fails for two rows may report either; of parallel workers, too
				next if $condition =~ m{/} && $way =~ /long_text/;
				next if $flags =~ /o/ && ($way ne '%s' || $condition ne 'true');
				next if $flags =~ /m/ && $way =~ /^SELECT|CURSOR/;
				next if $flags =~ /t/ && $way ne '%s';
				push @compared, [ $entry, statements($flags, $settings, sprintf($way, $query)) ];
			}
		}
	}
}

my @plans = run_all('', map { my ($type, $expected, $flags, $settings, $text) = @$_;
	statements($flags, $settings, 'EXPLAIN (FORMAT JSON) ' . fill($text, $calls[0], 'true')) } @list);
my @on = run_all('SET distilbert.enable_batching = on', map { $_->[1] } @compared);
my @off = run_all('SET distilbert.enable_batching = off', map { $_->[1] } @compared);
my %different;

is(scalar(@on), scalar(@compared), scalar(@compared) . ' statements were answered');
for my $i (0 .. $#compared)
{
	my ($entry, $sql) = @{ $compared[$i] };
	my ($on, $off) = map { $entry->[2] =~ /o/ ? join("\n", sort split(/\n/)) : $_ } $on[$i], $off[$i];

	next if $on eq $off;
	diag("$sql\nexpected:\n$off\ngot:\n$on") if $different{"@$entry"}++ < 1;
}
for my $i (0 .. $#list)
{
	my ($type, $expected, $flags, $settings, $text) = @{ $list[$i] };
	my ($json) = $plans[$i] =~ /(\[\s*\{.*\])/s;
	my @found;

	($json //= '') =~ s/""/"/g if $flags =~ /t/;
	place(eval { decode_json($json)->[0]{Plan} } // { 'Node Type' => 'no plan' }, $type, 0, \@found);
	is(@found == 0 ? "no such node in $plans[$i]" : (grep { $_ eq $expected } @found) ? $expected : $found[0], $expected,
		"$type: $text");
	is($different{"@{ $list[$i] }"} // 0, 0, "$type: the same with and without batches");
}
alive($node);
done_testing();

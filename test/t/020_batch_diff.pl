# Batching and the result cache change nothing but the time: some hundred queries
# with and without them, serial and parallel, give the same rows, bit for bit,
# and the same errors.
#
# Queries are made of shapes and of expressions that go where a shape says E
# (over table t or an alias: E(a)).  Where a query has no ORDER BY its rows are
# compared sorted.  Each runs in a transaction of its own that is rolled back.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
distilbert.sentiment_model = 's'
min_parallel_table_scan_size = 0
min_parallel_index_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
enable_partitionwise_aggregate = on
CONF

load_model($node, 'distilbert-sentiment', 's');
load_model($node, 'bert-sentiment3', 'm3');
load_model($node, 'bert-sentence', 'e');
load_model($node, 'bert-rerank', 'r');
load_model($node, 'distilbert-qa', 'q');

# NULLs, empty and equal texts, some that are too long for the models.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, cat int, model text, body text);
INSERT INTO t SELECT i, i % 7, CASE WHEN i % 2 = 0 THEN 's' ELSE 'm3' END,
	CASE WHEN i % 11 = 0 THEN NULL WHEN i % 13 = 0 THEN '' WHEN i % 5 = 0 THEN 'the same film'
	ELSE 'film ' || i || repeat(' good bad ' || (i * 7) % 19, CASE WHEN i % 10 = 3 THEN 30 ELSE i % 5 END) END
FROM generate_series(1, 120) AS i;
CREATE TABLE p (id int, cat int, body text) PARTITION BY LIST (cat);
CREATE TABLE p0 PARTITION OF p FOR VALUES IN (0, 1, 2);
CREATE TABLE p1 PARTITION OF p FOR VALUES IN (3, 4, 5, 6);
INSERT INTO p SELECT id, cat, body FROM t;
CREATE TABLE target (id int PRIMARY KEY, x real, y text);
INSERT INTO target SELECT i, i, 'y' FROM generate_series(1, 20) AS i;
CREATE FUNCTION loud(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'loud %', $1; RETURN $1; END $$;
CREATE FUNCTION follow(text) RETURNS text LANGUAGE plpgsql AS
	$$ BEGIN PERFORM set_config('distilbert.sentiment_model', $1, true); RETURN $1; END $$;
CREATE SEQUENCE seq;
CREATE TABLE log (id int, x real);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	INSERT INTO log SELECT id, distil_sentiment(y, 's') FROM new_rows;
	RETURN NULL;
END $$;
CREATE TRIGGER note AFTER INSERT ON target REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE VIEW guarded WITH (security_barrier) AS SELECT * FROM t WHERE cat < 4;
CREATE ROLE reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON t TO reader USING (cat <> 2 AND id < 110);
ANALYZE;
SQL

my @expressions = (
	q{distil_sentiment(T.body, 's')},
	q{distil_sentiment(T.body)},
	q{coalesce(length(distil_sentiment_label(coalesce(T.body, 'none'), 'm3')), 0)},
	q{((distil_embed(left(T.body, 40), 'e'))[2])},
	q{(distil_sentiment(T.body || ' ' || T.id, 's') + abs(distil_sentiment(T.body, 'm3')))},
	q{((distil_embed(left(T.body, 30), 'e', normalized => true, dimensions => 5) || distil_embed(left(T.body, 30), 'e', normalized => NULL))[3])},
	q{distil_rerank_distance('which film?', T.body, 'r')},
	q{(distil_rerank_distance('which film?', T.body, 'e') + distil_rerank_distance(left(T.body, 12), T.body, 'e'))},
	q{coalesce(length(distil_answer_text(left(T.body, 12), T.body, 'q')), 0)},
	q{(CASE WHEN distil_sentiment(T.body, 's') > 0 AND T.cat <> 5 THEN distil_sentiment(T.body, 'm3') WHEN T.id % 3 = 0 THEN distil_sentiment(left(T.body, 30)) ELSE 0.5 END)},
	q{(CASE T.cat WHEN 1 THEN distil_sentiment(T.body, 's') WHEN length(T.body) % 5 THEN distil_sentiment(left(T.body, 30)) ELSE CASE distil_sentiment_label(T.body, 'm3') WHEN 'positive' THEN distil_sentiment(T.body, 'm3') END END)},
	q{coalesce(CASE WHEN T.cat < 4 THEN distil_sentiment(T.body, 's') END, distil_sentiment(left(T.body, 20), 'm3'), 0)},
);

my $file = PostgreSQL::Test::Utils::tempdir . '/rows.csv';
$node->safe_psql('postgres', <<"SQL");
COPY (SELECT * FROM p) TO '$file' (FORMAT csv);
CREATE FOREIGN TABLE f (id int, cat int, body text) SERVER files OPTIONS (filename '$file', format 'csv');
SQL

# o: as it comes; s: serial only (what comes first is chance, or it is about errors)
my @shapes = (
	[ '', 'SELECT id, E FROM t' ],
	[ '', 'SELECT id, E, E, md5(body) FROM t WHERE cat = 2' ],
	[ '', 'SELECT id FROM t WHERE E > 0.1' ],
	[ '', 'SELECT id, E FROM t WHERE cat < 5 AND E > 0.1 AND body LIKE \'%g%\'' ],
	[ '', 'SELECT id FROM t WHERE E > 0.1 OR cat = 3' ],
	[ '', 'SELECT id, CASE WHEN cat = 3 THEN E ELSE -1 END FROM t' ],
	[ '', 'SELECT id, CASE WHEN E > 0 THEN E ELSE -1 END FROM t' ],
	[ '', 'SELECT id, coalesce(E, 0) > 0.05, greatest(E, 0.1), E IS NULL FROM t' ],
	[ '', q{SELECT id, E, distil_sentiment_label(body, 's'), distil_sentiment(body) FROM t WHERE distil_sentiment(body, 's') > -0.5 AND distil_sentiment_label(body) <> 'x'} ],
	[ '', q{SELECT cat, count(distil_sentiment_label(body)), sum(E::numeric), sum(distil_sentiment(body)::numeric) FROM t WHERE distil_sentiment_label(body) <> 'NEGATIVE' GROUP BY cat} ],
	[ 'o', q{SELECT id, sum(distil_sentiment(body)::numeric) OVER (ORDER BY id), E FROM t WHERE distil_sentiment_label(body) <> 'NEGATIVE' ORDER BY id} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; SELECT id, distil_sentiment(body), E FROM t WHERE id > 3 AND distil_sentiment_label(body) <> 'x' LIMIT 18} ],
	[ 'os', q{SELECT id, distil_sentiment(body, 'e') FROM t WHERE distil_sentiment_label(body, 'e') = 'x' AND E > -2} ],
	[ 'o', 'SELECT id, E FROM t ORDER BY E, id' ],
	[ 'o', 'SELECT id, E FROM t ORDER BY id LIMIT 10' ],
	[ 'o', 'SELECT id, E FROM t ORDER BY cat, id OFFSET 3 LIMIT 7' ],
	[ 'o', 'SELECT id FROM t WHERE E > 0 ORDER BY id LIMIT 10' ],
	[ 'o', 'SELECT id, E FROM t ORDER BY cat FETCH FIRST 3 ROWS WITH TIES' ],
	[ 's', 'SELECT id, E FROM t LIMIT 0' ],
	[ '', 'SELECT cat, count(*), sum(E::numeric), min(E) FROM t GROUP BY cat' ],
	[ '', 'SELECT cat, sum(E::numeric) FILTER (WHERE id > 50), max(E) FROM t GROUP BY cat HAVING max(E) > 0' ],
	[ '', 'SELECT count(DISTINCT E), sum(E::numeric) FROM t WHERE E > 0' ],
	[ '', 'SELECT round(E::numeric, 1), count(*) FROM t GROUP BY 1' ],
	[ '', 'SELECT DISTINCT E FROM t' ],
	[ '', 'SELECT cat, grouping(cat), sum(E::numeric) FROM t GROUP BY ROLLUP (cat)' ],
	[ '', q{SELECT cat, string_agg(E::text, ',' ORDER BY id) FROM t GROUP BY cat} ],
	[ 'o', 'SELECT id, sum(E::numeric) OVER (PARTITION BY cat ORDER BY id) FROM t ORDER BY id' ],
	[ 'o', 'SELECT id, lag(E) OVER (ORDER BY id), rank() OVER (ORDER BY E, id) FROM t ORDER BY id' ],
	[ '', 'SELECT a.id, b.id, E(b) FROM t a JOIN t b ON b.id = a.id + 1' ],
	[ '', 'SELECT a.id, E(b) FROM t a LEFT JOIN t b ON b.id = a.id + 100 WHERE coalesce(E(b), 1) > 0.1' ],
	[ '', 'SELECT a.id, b.id FROM t a JOIN t b ON E(a) > E(b) + 0.3 WHERE a.id < 12 AND b.id < 12' ],
	[ '', 'SELECT id FROM t a WHERE EXISTS (SELECT FROM t b WHERE b.cat = a.cat AND b.id < a.id AND E(b) > 0.2)' ],
	[ '', 'SELECT id, (SELECT max(E(b)) FROM t b WHERE b.id BETWEEN a.id AND a.id + 2) FROM t a WHERE id < 30' ],
	[ '', 'SELECT a.id, l.x FROM t a, LATERAL (SELECT E(b) AS x FROM t b WHERE b.cat = a.cat ORDER BY b.id LIMIT 2) l WHERE a.id < 30' ],
	[ '', 'WITH c AS MATERIALIZED (SELECT id, E AS x FROM t) SELECT a.id, b.x FROM c a JOIN c b ON a.id = b.id + 1' ],
	[ '', 'SELECT id, E FROM t WHERE id % 3 = 0 UNION ALL SELECT cat, E FROM t WHERE id % 3 = 1' ],
	[ '', 'SELECT E FROM t EXCEPT SELECT E FROM t WHERE cat < 5' ],
	[ '', 'SELECT id, E(p) FROM p WHERE E(p) > 0' ],
	[ '', 'SELECT cat, sum(E(p)::numeric) FROM p GROUP BY cat' ],
	[ 'o', 'SELECT id, E(p) FROM p ORDER BY id LIMIT 9' ],
	[ '', 'SELECT id, E(f) FROM f WHERE cat < 3 AND E(f) > 0' ],
	[ 's', 'INSERT INTO target SELECT id + 1000, E, body FROM t; SELECT * FROM log' ],
	[ '', 'SELECT id, t::text, ctid, tableoid::regclass, E FROM t WHERE id < 50' ],
	[ '', 'SELECT g, id, E FROM t, generate_series(1, 2) g WHERE id < 20' ],
	[ '', 'SELECT id, generate_series(1, 2), E FROM t WHERE id < 20' ],
	[ '', 'SELECT id, E FROM t TABLESAMPLE system (100) WHERE cat = 1' ],
	[ 's', 'INSERT INTO target SELECT id + 1000, E FROM t; SELECT * FROM target' ],
	[ 's', 'INSERT INTO target SELECT id, E FROM t WHERE id < 40 ON CONFLICT (id) DO UPDATE SET x = excluded.x + 1; SELECT * FROM target' ],
	[ 's', 'UPDATE target SET x = E(t) FROM t WHERE t.id = target.id AND E(t) > 0 RETURNING target.*' ],
	[ 's', 'UPDATE t SET cat = 100 * E WHERE id < 100; SELECT id, cat FROM t' ],
	[ 's', q{UPDATE target SET (x, y) = (SELECT E, 'z' FROM t WHERE t.id = target.id); SELECT * FROM target} ],
	[ 's', 'DELETE FROM target USING t WHERE t.id = target.id AND E(t) > 0 RETURNING target.id' ],
	[ 's', 'MERGE INTO target USING (SELECT id, E AS x FROM t) s ON s.id = target.id WHEN MATCHED AND s.x > 0 THEN UPDATE SET x = s.x WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.x); SELECT * FROM target' ],
	[ '', 'CREATE TABLE made AS SELECT id, E AS x FROM t; SELECT * FROM made' ],
	[ '', 'CREATE MATERIALIZED VIEW made AS SELECT id, E AS x FROM t WHERE E > 0; SELECT * FROM made' ],
	[ '', 'COPY (SELECT id, E FROM t) TO STDOUT' ],
	[ 'os', 'SELECT id, loud(id), E, nextval(\'seq\') > 0 FROM t WHERE cat = 1 LIMIT 5' ],
	[ 'os', 'SELECT id, E FROM t WHERE loud(id) > 0 AND E > 0 LIMIT 5' ],
	[ 'os', 'SELECT id, follow(model), E FROM t LIMIT 20' ],
	[ 's', 'SELECT setseed(0.5); SELECT id, E, random() FROM t WHERE random() < 0.5' ],
	[ 'os', 'DECLARE c CURSOR FOR SELECT id, E FROM t; FETCH 4 FROM c; FETCH BACKWARD 2 FROM c; FETCH 9 FROM c; FETCH PRIOR FROM c; FETCH ALL FROM c; FETCH BACKWARD 4 FROM c; FETCH 2 FROM c' ],
	[ 'os', 'DECLARE c SCROLL CURSOR FOR SELECT id, E FROM t WHERE E > 0; FETCH 5 FROM c; FETCH BACKWARD 2 FROM c; FETCH LAST FROM c; FETCH FIRST FROM c; FETCH ABSOLUTE 7 FROM c; FETCH PRIOR FROM c' ],
	[ 'os', 'DECLARE c SCROLL CURSOR FOR SELECT id, E FROM t WHERE E > 0 ORDER BY cat, id LIMIT 20; FETCH 5 FROM c; FETCH BACKWARD 2 FROM c; FETCH ALL FROM c; FETCH BACKWARD ALL FROM c' ],
	[ 'os', 'DECLARE c CURSOR FOR SELECT id, E FROM t WHERE E > -1; FETCH 7 FROM c; UPDATE t SET cat = 77 WHERE CURRENT OF c; MOVE 2 IN c; DELETE FROM t WHERE CURRENT OF c; SELECT id FROM t WHERE cat = 77; SELECT count(*) FROM t' ],
	[ 'os', 'DECLARE c CURSOR WITH HOLD FOR SELECT id, E FROM p WHERE E(p) > 0; FETCH 7 FROM c; UPDATE p SET id = -1 WHERE CURRENT OF c; SELECT cat FROM p WHERE id = -1; CLOSE c' ],
	[ 'os', 'DECLARE c CURSOR FOR SELECT id, E FROM t ORDER BY id FOR UPDATE; FETCH 4 FROM c; UPDATE t SET cat = 78 WHERE CURRENT OF c; SELECT id FROM t WHERE cat = 78' ],
	[ 'os', 'DO $$ DECLARE r record; n int := 0; BEGIN FOR r IN SELECT id, E AS x FROM t LOOP n := n + 1; RAISE NOTICE \'% %\', r.id, r.x; EXIT WHEN n = 15; END LOOP; END $$' ],
	[ 'os', 'SELECT id, E FROM t WHERE 1 / (id - 14) IS NOT NULL LIMIT 9' ],
	[ 'os', 'SELECT id, E FROM t WHERE 1 / (id - 14) IS NOT NULL AND E > -2 LIMIT 9' ],
	[ 'os', 'SELECT id FROM (SELECT *, 1 / (id - 20) AS z FROM t OFFSET 0) t WHERE z IS NOT NULL AND E > -2 LIMIT 9' ],
	[ 'os', 'DECLARE c CURSOR FOR SELECT id, E FROM t WHERE 1 / (id - 14) IS NOT NULL; FETCH 9 FROM c; FETCH 9 FROM c' ],
	[ 'os', q{SELECT id, distil_sentiment(body || (1 / (id - 14)), 's'), E FROM t LIMIT 9} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; SELECT id, E FROM t WHERE body IS NOT NULL LIMIT 2} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; SELECT id, E FROM t WHERE E > -2 LIMIT 2} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; SELECT id FROM t WHERE id <> 3 AND E > -2 AND distil_sentiment_label(body, 's') <> 'x' AND coalesce(distil_sentiment(body, 'm3'), 1) > -2 LIMIT 18} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; SELECT id, distil_sentiment(body, 'm3') FROM t WHERE id NOT IN (3) AND E > -2} ],
	[ 'os', q{SET LOCAL distilbert.long_text = error; DECLARE c CURSOR FOR SELECT id, E FROM t WHERE id > 3; FETCH 8 FROM c; FETCH 8 FROM c} ],
	[ 'os', q{SELECT id, distil_sentiment(body, 'none') FROM t WHERE body IS NULL OR cat > 100} ],
	[ 'os', q{SELECT id, distil_sentiment(body, 'none'), E FROM t WHERE id >= 11 LIMIT 1} ],
	[ 'os', q{SELECT id, distil_sentiment(body, NULL), E FROM t LIMIT 3} ],
	[ 'os', q{SELECT id, distil_sentiment(body, 'e'), E FROM t LIMIT 3} ],
	[ '', 'SELECT id, distil_sentiment(body, model), E FROM t' ],
	[ '', 'SELECT id, E FROM guarded t WHERE E > 0 AND id > 3' ],
	[ '', 'SET LOCAL ROLE reader; SELECT id, E FROM t WHERE E > 0' ],
	[ '', 'PREPARE q(int, text) AS SELECT id, E, distil_sentiment(body, $2) FROM t WHERE id > $1; SET LOCAL plan_cache_mode = force_generic_plan; EXECUTE q(100, \'m3\'); EXECUTE q(110, \'s\'); DEALLOCATE q' ],
	[ '', 'WITH RECURSIVE r(n, x) AS (SELECT 1, 0::float8 UNION ALL SELECT n + 1, E::float8 FROM r JOIN t ON t.id = r.n WHERE n < 15) SELECT * FROM r' ],
	[ '', q{SELECT id, distil_embed(distil_sentiment_label(body, 's'), 'e'), E FROM t WHERE id < 40} ],
	[ '', q{SELECT v, distil_sentiment(v, 's') FROM (VALUES ('a'), ('bb'), (NULL), ('good')) AS x (v), t WHERE t.id = 1 AND coalesce(E, 0) > -2} ],
	[ '', 'SET LOCAL enable_hashjoin = off; SET LOCAL enable_nestloop = off; SELECT a.id, E(a), E(b) FROM (SELECT * FROM t WHERE E > 0) a JOIN (SELECT *, E AS z FROM t) b ON a.cat = b.cat WHERE a.id < 40 AND b.id < 40' ],
	[ '', 'SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SELECT id, E FROM t WHERE id IN (1, 5, 7, 100) AND E > -1' ],
	[ '', 'SET LOCAL distilbert.batch_tokens = 1; SELECT id, E FROM t' ],
	[ '', q{SET LOCAL work_mem = '64kB'; SELECT id, E FROM t} ],
);

# The queries: [flags, text]
sub queries
{
	my @queries;

	for my $shape (@shapes)
	{
		my ($flags, $text) = @$shape;

		for my $expression (@expressions)
		{
			my $query = $text;
			my $put = sub { my $e = $expression; my $t = $_[0]; $e =~ s/T\./$t/g; return $e };

			$query =~ s/\bE\((\w+)\)/$put->("$1.")/ge;
			$query =~ s/\bE\b/$put->('')/ge;
			# calls that name their model do not go by the setting
			$query =~ s/(distil_\w+\((?:[^()]|\([^()]*\))*?, '\w+')(?=[,)])/$1, long_text => 'error'/g
			  if $query =~ s/SET LOCAL distilbert.long_text = error;/$& /;
			push @queries, [ $flags, $query ];
		}
	}
	return @queries;
}

# ---- expressions at random: calls in arms of CASE, AND, OR, COALESCE ----

sub one_of { return $_[int(rand(@_))] }

# What may fail in a query: one kind of it, else it depends on the plan which
# error comes first.
my $fails = '';

sub random_text
{
	my @texts = ('body', 'body', 'left(body, 20)', q{body || ' ' || id}, q{coalesce(body, 'none')});

	push @texts, 'body || (1 / (id - 34))' if $fails eq 'division';
	return one_of(@texts);
}

sub random_call
{
	my $model = one_of(q{, 's'}, q{, 's'}, q{, 'm3'}, '');

	$model = q{, 'none'} if $fails eq 'model' && rand() < 0.2;
	$model .= q{, long_text => 'error'} if $fails eq 'long' && $model ne '';
	return 'distil_sentiment(' . random_text() . "$model)";
}

sub random_bool
{
	my ($depth) = @_;
	my @simple = ('cat = 3', 'id % 3 = 0', q{body LIKE '%g%'}, 'body IS NULL', 'cat < 4', 'true', 'NULL::bool', 'id > 60');

	push @simple, 'cat > 100', 'cat > 100' if $fails eq 'model';
	push @simple, '1 / (id - 34) >= 0' if $fails eq 'division';
	push @simple, 'loud(cat) > 2' if $fails eq 'volatile';
	return one_of(@simple) if $depth <= 0 || rand() < 0.3;
	my $how = one_of('and', 'or', 'not', 'more', 'more', 'null', 'case');

	return '(' . join(' AND ', map { random_bool($depth - 1) } 0 .. 1 + int(rand(2))) . ')' if $how eq 'and';
	return '(' . join(' OR ', map { random_bool($depth - 1) } 0 .. 1 + int(rand(2))) . ')' if $how eq 'or';
	return '(NOT ' . random_bool($depth - 1) . ')' if $how eq 'not';
	return '(' . random_real($depth - 1) . ' IS NULL)' if $how eq 'null';
	return '(CASE WHEN ' . random_bool($depth - 1) . ' THEN ' . random_bool($depth - 1) . ' ELSE ' . random_bool($depth - 1) . ' END)' if $how eq 'case';
	return '(' . random_real($depth - 1) . one_of(' > 0', ' < 0.3', ' > -0.5') . ')';
}

sub random_real
{
	my ($depth) = @_;

	return rand() < 0.85 ? random_call() : one_of('0.25::float8', 'id::float8', 'NULL::float8') if $depth <= 0 || rand() < 0.2;
	my $how = one_of('case', 'case', 'case2', 'simple', 'simple2', 'coalesce', 'coalesce', 'greatest', 'sum', 'nullif');

	return '(CASE WHEN ' . random_bool($depth - 1) . ' THEN ' . random_real($depth - 1) . ' ELSE ' . random_real($depth - 1) . ' END)' if $how eq 'case';
	return '(CASE WHEN ' . random_bool($depth - 1) . ' THEN ' . random_real($depth - 1) . ' WHEN ' . random_bool($depth - 1) . ' THEN ' . random_real($depth - 1) . ' END)' if $how eq 'case2';
	return '(CASE ' . random_real($depth - 1) . ' WHEN 0.25 THEN ' . random_real($depth - 1) . ' WHEN ' . random_real($depth - 1) . ' THEN ' . random_real($depth - 1) . ' ELSE ' . random_real($depth - 1) . ' END)' if $how eq 'simple2';
	return '(CASE cat WHEN 2 THEN ' . random_real($depth - 1) . ' WHEN 3 THEN ' . random_real($depth - 1) . ' ELSE ' . random_real($depth - 1) . ' END)' if $how eq 'simple';
	return 'coalesce(' . join(', ', map { random_real($depth - 1) } 0 .. 1 + int(rand(2))) . ')' if $how eq 'coalesce';
	return 'greatest(' . random_real($depth - 1) . ', ' . random_real($depth - 1) . ')' if $how eq 'greatest';
	return '(' . random_real($depth - 1) . ' + ' . random_real($depth - 1) . ')' if $how eq 'sum';
	return 'nullif(' . random_real($depth - 1) . ', 0.5)';
}

sub random_queries
{
	my ($n) = @_;
	my @queries;

	srand(15);
	for (1 .. $n)
	{
		$fails = one_of('', '', '', 'long', 'division', 'model', 'volatile');
		my ($x, $y, $b) = (random_real(3), random_real(2), random_bool(3));
		my $sql = one_of("SELECT id, $x, $y FROM t",
			"SELECT id, $x FROM t WHERE $b",
			"SELECT id, $x FROM t WHERE cat <> 1 AND $b LIMIT 9",
			"SELECT id, $x, $y FROM t LIMIT 12",
			"SELECT id FROM t WHERE $b ORDER BY $y, id",
			"SELECT cat, sum(($x)::numeric), count($y) FROM t WHERE $b GROUP BY cat",
			"SELECT a.id, $x FROM t AS a LEFT JOIN (SELECT id AS bid, cat AS bcat FROM t) AS b ON bid = a.id + 3 WHERE $b",
			"DECLARE c CURSOR FOR SELECT id, $x, $y FROM t WHERE $b; FETCH 6 FROM c; FETCH 6 FROM c");

		$sql = "SET LOCAL distilbert.long_text = error; $sql" if $fails eq 'long';
		push @queries, [ ($sql =~ /GROUP|JOIN/ ? 's' : 'os') . ($fails eq '' ? 'n' : ''), $sql ];
	}
	return @queries;
}

# The answers to all queries, rows and messages, of one session.
sub run_all
{
	my ($settings, @queries) = @_;

	return session_answers($node, $settings, map { "BEGIN;\n$_->[1];\nROLLBACK;" } @queries);
}

sub comparable
{
	my ($flags, $answer) = @_;

	# of two calls that fail for one row either may be reported
	$answer =~ s/text has \d+ tokens/text has too many tokens/g;
	return $flags =~ /o/ ? $answer : join("\n", sort split(/\n/, $answer));
}

my @queries = (queries(), random_queries($ENV{RANDOM_QUERIES} // 200));
my @expected = run_all('SET distilbert.enable_batching = off; SET max_parallel_workers_per_gather = 0', @queries);

my @never = grep { $queries[$_][0] =~ /n/ && $expected[$_] =~ /ERROR/ } 0 .. $#queries;
is(scalar(@never), 0, 'none fails that should not') || diag("$queries[$never[0]][1]\n$expected[$never[0]]");
my @selects = grep { $_->[1] =~ /^SELECT/ && $_->[0] =~ /n/ } @queries;
my @plans = run_all('SET max_parallel_workers_per_gather = 0', map { [ '', "EXPLAIN (COSTS OFF) $_->[1]" ] } @selects);
my $guarded = grep { /Calls: .*CASE WHEN/ } @plans;
cmp_ok($guarded, '>', @selects / 3, "guards in $guarded of " . scalar(@selects) . ' plans of expressions at random');
is(scalar(@expected), scalar(@queries), 'all ' . scalar(@queries) . ' queries were answered');
for my $mode (
	[ 'batched', 0, 'SET max_parallel_workers_per_gather = 0' ],
	[ 'batched in workers', 1, 'SET max_parallel_workers_per_gather = 2' ],
	[ 'with a small result cache', 0, q{SET max_parallel_workers_per_gather = 0; SET distilbert.cache_size = '8kB'} ],
	[ 'row by row with a result cache', 0, q{SET max_parallel_workers_per_gather = 0; SET distilbert.enable_batching = off; SET distilbert.cache_size = '1MB'} ])
{
	my ($name, $parallel, $settings) = @$mode;
	my @got = run_all($settings, @queries);
	my $different = 0;

	for my $i (0 .. $#queries)
	{
		my ($flags, $query) = @{ $queries[$i] };

		next if $parallel && $flags =~ /s/;
		next if comparable($flags, $got[$i] // 'no answer') eq comparable($flags, $expected[$i]);
		diag("$name: $query\nexpected:\n$expected[$i]\ngot:\n" . ($got[$i] // 'no answer')) if $different++ < 5;
	}
	is($different, 0, "$name: all answers are the same");
}
alive($node);
done_testing();

# The batch node and the server around it: fresh connections, concurrent
# updates, cancel, memory, workers' counts.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.sentiment_model = 's'\n");

load_model($node, 'distilbert-sentiment', 's');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, cat int, body text);
INSERT INTO t SELECT i, i % 3, 'film ' || i FROM generate_series(1, 3000) AS i;
ANALYZE t;
SQL

# The library comes in while the first statement is being planned.
sub first_statement
{
	my ($name, $sql) = @_;

	like($node->safe_psql('postgres', $sql), qr/DistilBatch/, "first statement of a connection: $name");
	return;
}

first_statement('EXPLAIN', 'EXPLAIN SELECT distil_sentiment(body) FROM t');
first_statement('EXPLAIN ANALYZE', 'EXPLAIN ANALYZE SELECT distil_sentiment(body) FROM t WHERE id < 10');
first_statement('aggregate', 'EXPLAIN ANALYZE SELECT avg(distil_sentiment(body)) FROM t WHERE id < 10');
first_statement('prepared', 'PREPARE p AS SELECT distil_sentiment(body) FROM t WHERE id < 10; EXECUTE p; EXPLAIN EXECUTE p');
first_statement('INSERT', 'EXPLAIN INSERT INTO t SELECT -id, 0, distil_sentiment_label(body) FROM t');
is($node->safe_psql('postgres', 'BEGIN; DECLARE c CURSOR FOR SELECT id, distil_sentiment(body) IS NOT NULL FROM t ORDER BY id; FETCH 3 FROM c; FETCH BACKWARD 1 FROM c'),
	"1|t\n2|t\n3|t\n2|t", 'first statement of a connection: cursor');

# A concurrent update: the row is judged by its new text.
my $judge = 'SELECT distil_sentiment(%s) > distil_sentiment(%s)';
my ($low, $high) = ('film 1', 'a good film');
($low, $high) = ($high, $low) if $node->safe_psql('postgres', sprintf($judge, "'$low'", "'$high'")) eq 't';
$node->safe_psql('postgres', "UPDATE t SET body = '$low' WHERE id <= 4");

my ($out, $err) = ('', '');
my $other = IPC::Run::start(
	[ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', <<"SQL" ], '>', \$out, '2>', \$err);
BEGIN;
UPDATE t SET body = '$high' WHERE id = 2;
SELECT pg_advisory_lock(1);
DO \$\$ BEGIN
	WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted) LOOP
		PERFORM pg_sleep(0.02);
	END LOOP;
END \$\$;
COMMIT;
SQL
wait_until($node, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory'");
is($node->safe_psql('postgres', "UPDATE t SET cat = 100 WHERE distil_sentiment(body) <= distil_sentiment('$low') AND id <= 4 RETURNING id"),
	"1\n3\n4", 'a row that was changed meanwhile is judged by its new text');
$other->finish;
is($err, '', 'the other session');
is($node->safe_psql('postgres', 'SELECT string_agg(id::text, \' \' ORDER BY id) FROM t WHERE cat = 100'), '1 3 4', 'and is not updated');

# Cancel, in the middle of a window; the session goes on.
(undef, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET distilbert.batch_tokens = 1000000;
SET statement_timeout = '200ms';
SELECT count(distil_sentiment(repeat(body || ' ', 100) || g)) FROM t, generate_series(1, 100) g;
SET statement_timeout = 0;
SELECT distil_sentiment('good') IS NOT NULL, count(distil_sentiment(body)) FROM t WHERE id < 10;
SQL
like($err, qr/canceling statement due to statement timeout/, 'cancelled');
is($out, 't|9', 'the session goes on');

# Windows take what work_mem allows.
is($node->safe_psql('postgres', <<'SQL'), 't', 'memory of windows is bounded');
SET max_parallel_workers_per_gather = 0;
SET work_mem = '1MB';
SET distilbert.batch_tokens = 1000000;
CREATE FUNCTION window_memory() RETURNS bigint LANGUAGE sql AS
	$$ SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name = 'distilbert window' $$;
BEGIN;
DECLARE c CURSOR FOR SELECT id, distil_sentiment('film'), distil_sentiment(left(body, 6) || '') FROM t, generate_series(1, 30) g, repeat('x', 200) AS filler WHERE filler IS NOT NULL;
MOVE 60000 IN c;
SELECT window_memory() < 4 * 1024 * 1024;
SQL

# Counts are those of all processes.
my $plan = $node->safe_psql('postgres', <<'SQL');
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
EXPLAIN (ANALYZE, COSTS OFF) SELECT avg(distil_sentiment(body)) FROM t;
SQL
like($plan, qr/Parallel Custom Scan \(DistilBatch\)/, 'below a Gather');
like($plan, qr/Rows: 3000 /, 'the counts of the workers are added');

# Nothing of the library is needed in the server's configuration, or harmful there.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'distilbert'");
$node->restart;
first_statement('preloaded', 'EXPLAIN SELECT distil_sentiment(body) FROM t');
alive($node);
done_testing();

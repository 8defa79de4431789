# Pipelines: many rows and large ones.  The worker's memory stays as it is; the
# backfill goes on where it stopped; an old transaction does not make claims
# slow; prepared transactions; a share of the time.
#
# 6000 rows; DBERT_ROWS for another number.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Pipelines;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = $ENV{DBERT_ROWS} || 6000;
my $node = pipe_node('main', conf => <<'CONF');
shared_preload_libraries = 'distilbert'
max_prepared_transactions = 2
autovacuum = off
track_counts = on
CONF

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Memory of a process of its own, MB; -1 where the system does not tell.
sub memory
{
	my ($pid) = @_;
	my $status = -r "/proc/$pid/status" ? slurp_file("/proc/$pid/status") : '';

	return $status =~ /^RssAnon:\s+(\d+)/m ? $1 / 1024 : -1;
}

# The most that a process has had of address space, MB.
sub peak
{
	my ($pid) = @_;
	my $status = -r "/proc/$pid/status" ? slurp_file("/proc/$pid/status") : '';

	return $status =~ /^VmPeak:\s+(\d+)/m ? $1 / 1024 : -1;
}

# ---- the backfill: flat, and resumed where it was

sql("CREATE TABLE t (a int, b text, body text, vec real[], PRIMARY KEY (a, b)); INSERT INTO t SELECT i / 10, 'k' || i % 10, 'some words of row ' || i FROM generate_series(1, $rows) i");
sql("SELECT distil_create_pipeline('t', 'body', 'embed', 'e', into_column => 'vec')");
my $part = $rows / 5;
ok(wait_until($node, "SELECT count(vec) >= $part FROM t"), 'a part of the rows');
my $pid = worker_pid($node);
my $before = memory($pid);
sql("SELECT pg_terminate_backend($pid)") if $rows <= 6000;
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'the worker is terminated') if $rows <= 6000;
my $position = sql('SELECT position FROM distilbert.pipeline_generation');
like($position, qr/^\{\d+,k\d\}$/, 'the backfill knows its place');
sql("INSERT INTO t VALUES (-1, 'new', 'a new row')");
ok(wait_until($node, 'SELECT count(*) = count(vec) FROM t'), 'another worker does the rest');
$pid = worker_pid($node);
my $after = memory($pid);
cmp_ok($after, '<', $before + 24, "memory is flat: $before MB, $after MB");
settled($node, 't_vec');
is(sql("SELECT bool_and(vec = distil_embed_passage(body, 'e')) FROM t WHERE a % 10 = 0"), 't', 'values are right');
is(sql('SELECT state FROM distil_pipelines'), 'idle', 'the backfill is over');

# ---- a text of 100 MB leaves no trace

sql("CREATE TABLE big (id int PRIMARY KEY, body text); SELECT distil_create_pipeline('big', 'body', 'embed', 'e', into_table => 'bigs', options => '{\"long_text\": \"truncate\"}')");
sql("INSERT INTO big VALUES (1, repeat('words and words ', 6553600)), (2, 'short')");
settled($node, 'bigs');
is(sql("SELECT count(*), sum(length(body)) FROM big JOIN bigs USING (id)"), '2|104857605', 'a text of 100 MB');
$pid = worker_pid($node);
my $mb = memory($pid);
cmp_ok($mb, '<', $after + 64, "its memory is given back: $mb MB");

# ---- what a batch took is given back before the next one, not at the end of a visit, which has many: texts that are known already are only read

sql("CREATE TABLE wide (id int PRIMARY KEY, body text); INSERT INTO wide SELECT i, repeat('words and words ', 125000) || i FROM generate_series(1, 100) i");
sql("SELECT distil_create_pipeline('wide', 'body', 'embed', 'e', into_table => 'wides', backfill => false)");
sql('INSERT INTO wides SELECT id, NULL, distilbert.pipeline_hash(body) FROM wide');
settled($node, 'wides');
$pid = worker_pid($node);
my $peak = peak($pid);
sql("UPDATE wide SET body = body || ''");
settled($node, 'wides');
my $higher = peak($pid) - $peak;
cmp_ok($higher, '<', 40, "100 texts of 2 MB, a few at a time: $higher MB");
is(sql('SELECT count(*), count(embedding) FROM wides'), '100|0', 'they were known');

# ---- an old transaction: rows of the queue that are deleted cannot be removed

sql('CREATE TABLE many (id int PRIMARY KEY, body text)');
sql("SELECT distil_create_pipeline('many', 'body', 'sentiment', 's', into_column => 'mood')");
settled($node, 'many_mood');
my $holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM many');
sql(q{ALTER SYSTEM SET distilbert.pipeline_naptime = '1h'});
sql(q{INSERT INTO distilbert.pipeline_queue SELECT 'many_mood', nextval('distilbert.pipeline_queue_seq'), ARRAY[[i::text]], now() FROM generate_series(1, 20000) i});
sql(q{INSERT INTO many VALUES (0, 'wakes the worker')});
settled($node, 'many_mood');
$node->reload;
sql('SELECT pg_sleep(0.2)');
my $read = q{SELECT idx_tup_read FROM pg_stat_all_indexes WHERE indexrelname = 'pipeline_queue_pkey'};
sql('SELECT pg_stat_force_next_flush()');
my $from = sql($read);
for my $i (1 .. 20)
{
	sql("INSERT INTO many VALUES ($i, 'one by one')");
	ok(wait_until($node, "SELECT mood IS NOT NULL FROM many WHERE id = $i"), "row $i behind 20000 dead ones") if $i % 5 == 0;
}
ok(wait_until($node, 'SELECT count(*) = count(mood) FROM many'), 'all are done');
sql("SELECT pg_terminate_backend(" . worker_pid($node) . ")");
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines'"), 'the worker has told its numbers');
my $entries = sql($read) - $from;
cmp_ok($entries, '<', 250000, "a claim looks at what is new: $entries entries");
$holder->query_safe('COMMIT');
$holder->quit;

# ---- a prepared transaction wakes nobody when it is committed

sql(q{ALTER SYSTEM SET distilbert.pipeline_naptime = '20ms'; ALTER SYSTEM SET distilbert.pipeline_idle_exit = 0});
$node->reload;
sql("BEGIN; INSERT INTO many VALUES (-1, 'prepared'); PREPARE TRANSACTION 'p'");
sql('SELECT pg_sleep(0.3)');
is(sql('SELECT count(*) FROM distilbert.pipeline_queue'), '0', 'it is not there yet');
sql("COMMIT PREPARED 'p'");
ok(wait_until($node, "SELECT mood IS NOT NULL OR NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines') FROM many WHERE id = -1"), 'a worker has stayed');
is(sql('SELECT mood IS NOT NULL FROM many WHERE id = -1'), 't', 'its rows are done');

# ---- a share of the time

sql(q{ALTER SYSTEM SET distilbert.pipeline_load = 20});
$node->reload;
sql("INSERT INTO many SELECT i, 'with some rest ' || i FROM generate_series(1000, 3000) i");
settled($node, 'many_mood');
alive($node);
done_testing();

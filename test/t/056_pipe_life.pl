# Pipelines: the lives of workers.  Databases that are dropped, renamed and
# copied; slots that are few or none; restarts, standbys, promotion; preloaded
# and not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Pipelines;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $setup = <<'SQL';
CREATE TABLE t (id int PRIMARY KEY, body text);
SELECT distil_create_pipeline('t', 'body', 'embed', 'e', into_table => 'vecs');
INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 50) i;
SQL
my $done = 'SELECT count(*) = (SELECT count(*) FROM t) FROM vecs';

sub set_up
{
	my ($node, $db) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION distilbert');
	load_model($node, 'bert-sentence', 'e', $db);
	$node->safe_psql($db, $setup);
	return;
}

sub workers { return $_[0]->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' AND datname = '$_[1]'") }

# ---- nothing is preloaded

my $node = pipe_node('main');
set_up($node, 'one');
is(workers($node, 'postgres') . $node->safe_psql('one', "SELECT distil_wait_pipeline('vecs', '1min')"), '0t', 'a worker where there is work');
is(workers($node, 'one'), '1', 'it stays a while');
is($node->psql('postgres', 'CREATE DATABASE copy TEMPLATE one'), 0, 'a database with an idle worker is copied');
is($node->safe_psql('copy', $done), 't', 'with what was done');
$node->safe_psql('one', "INSERT INTO t VALUES (100, 'again')");
$node->safe_psql('one', "SELECT distil_wait_pipeline('vecs', '1min')");
is($node->psql('postgres', 'ALTER DATABASE one RENAME TO two'), 0, 'renamed');
$node->safe_psql('two', "INSERT INTO t VALUES (101, 'once more')");
is($node->safe_psql('two', "SELECT distil_wait_pipeline('vecs', '1min')"), 't', 'the next write starts another worker');
is($node->psql('postgres', 'DROP DATABASE two'), 0, 'dropped');
$node->safe_psql('copy', "INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1000, 9000) i");
ok(wait_until($node, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' AND state = 'active')"), 'a worker works');
is($node->psql('postgres', 'DROP DATABASE copy'), 0, 'dropped while it works');
is(workers($node, 'copy'), '0', 'no worker is left');

# Idle for long enough, it ends; what comes then is not lost.
$node->append_conf('postgresql.conf', 'distilbert.pipeline_idle_exit = 0');
$node->reload;
$node->safe_psql('postgres', $setup);
for my $i (1 .. 30)
{
	$node->safe_psql('postgres', "INSERT INTO t VALUES (1000 + $i, 'one by one')");
}
ok(wait_until($node, $done), 'keys that come while the worker ends are done');
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines'"), 'it ends');

# It comes when the worker has ended and the postmaster, which is stopped here, does not know yet; the session that started the worker asks it.
my $holder = $node->background_psql('postgres');
my $writer = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE vecs IN ACCESS EXCLUSIVE MODE');
$writer->query_safe("INSERT INTO t VALUES (1400, 'starts a worker')");
my $ended = worker_pid($node);
my $postmaster = $node->{_pid};
kill 'STOP', $postmaster;
$holder->query_safe('COMMIT');
my $polls = 0;
usleep(10_000) until slurp_file("/proc/$ended/stat") =~ /\) Z / || ++$polls > 6000;
$writer->query_safe("INSERT INTO t VALUES (1401, 'nobody is there')");
kill 'CONT', $postmaster;
cmp_ok($polls, '<', 6000, 'the worker ended');
ok(wait_until($node, $done), 'and what came behind its end is done');
$_->quit for $holder, $writer;

# It comes between a worker's last look at its pipeline and its end: the worker finds nothing in "first" and waits for the table of the second one.
$node->safe_psql('postgres', "CREATE TABLE $_ (id int PRIMARY KEY, body text, mood real)") for qw(first second);
$node->safe_psql('postgres', "SELECT distil_create_pipeline('$_', 'body', 'sentiment', 's', into_column => 'mood', name => '$_')") for qw(first second);
settled($node, $_) for qw(first second);
my $no_worker = "NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines')";
ok(wait_until($node, "SELECT $no_worker"), 'there is no worker');
$holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE second IN ACCESS EXCLUSIVE MODE');
$node->safe_psql('postgres', "SELECT distil_wait_pipeline('first')");
ok(wait_until($node, "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'second'::regclass AND NOT granted)"), 'one comes and finds nothing');
$node->safe_psql('postgres', "INSERT INTO first VALUES (1, 'between')");
$holder->query_safe('COMMIT');
$holder->quit;
ok(wait_until($node, "SELECT mood IS NOT NULL OR $no_worker FROM first"), 'it looks once more');
is($node->safe_psql('postgres', 'SELECT mood IS NOT NULL FROM first'), 't', 'what came between its looks is done');

# Somebody copies the database while the worker waits for the table of "first": the backfill of "third", which has not begun and queued no key, is handed on.
$node->safe_psql('postgres', "CREATE TABLE third AS SELECT i AS id, 'row ' || i AS body, NULL::real AS mood FROM generate_series(1, 500) i; ALTER TABLE third ADD PRIMARY KEY (id)");
$node->safe_psql('postgres', "SET distilbert.pipelines = off; SELECT distil_create_pipeline('third', 'body', 'sentiment', 's', into_column => 'mood', name => 'third')");
ok(wait_until($node, "SELECT $no_worker"), 'there is no worker again');
my $copier = $node->background_psql('template1');
$holder = $node->background_psql('postgres');
$holder->query_safe('BEGIN; LOCK TABLE first IN ACCESS EXCLUSIVE MODE');
$node->safe_psql('postgres', "SELECT distil_wait_pipeline('vecs')");
ok($node->poll_query_until('template1', "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'relation' AND NOT granted)"), 'the worker waits');
$copier->query_until(qr/begun/, "\\echo begun\nCREATE DATABASE copy2 TEMPLATE postgres;\n");
ok($node->poll_query_until('template1', "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND mode = 'ShareLock')"), 'its database is wanted');
$holder->query_safe('COMMIT');
$holder->quit;
$copier->quit;
is($node->safe_psql('template1', "SELECT count(*) FROM pg_database WHERE datname = 'copy2'"), '1', 'and copied');
ok(wait_until($node, 'SELECT bool_and(mood IS NOT NULL) FROM third'), 'a backfill that was not visited goes on');
$node->safe_psql('postgres', 'DROP DATABASE copy2');

# What was left when the server stopped waits for a write, or, where session_preload_libraries has the library, for a login.
$node->append_conf('postgresql.conf', 'distilbert.pipelines = off');
$node->reload;
$node->safe_psql('postgres', "INSERT INTO t VALUES (1500, 'left')");
$node->append_conf('postgresql.conf', 'distilbert.pipelines = on');
$node->restart;
is($node->safe_psql('postgres', 'SELECT pg_sleep(0.5)') . workers($node, 'postgres') . $node->safe_psql('postgres', $done), '0f', 'a login alone starts no worker');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET session_preload_libraries = 'distilbert'");
ok(wait_until($node, $done), 'with session_preload_libraries it does');
$node->safe_psql('postgres', 'ALTER DATABASE postgres RESET session_preload_libraries');

# DROP EXTENSION with a live worker.
$node->append_conf('postgresql.conf', 'distilbert.pipeline_idle_exit = 60');
$node->reload;
$node->safe_psql('postgres', "INSERT INTO t VALUES (2000, 'x')");
my $pid = worker_pid($node);
$node->safe_psql('postgres', 'DROP EXTENSION distilbert CASCADE');
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'without the extension the worker ends');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass"), '0', 'no trigger is left');
alive($node);
$node->stop;

# ---- no slot

my $full = pipe_node('full', conf => "max_worker_processes = 0\nmax_parallel_workers = 0\n");
$full->safe_psql('postgres', "CREATE TABLE t (id int PRIMARY KEY, body text); SELECT distil_create_pipeline('t', 'body', 'embed', 'e', into_table => 'vecs')");
my ($out, $err) = ('', '');
is($full->psql('postgres', "INSERT INTO t VALUES (1, 'a'); INSERT INTO t VALUES (2, 'b');", stderr => \$err), 0, 'without a slot the write succeeds');
is(scalar(() = $err =~ /WARNING/g), 1, 'with one warning');
like($err, qr/no background worker could be started/, 'that says what is the matter');
$full->safe_psql('postgres', 'CALL distil_run_pipeline()');
is($full->safe_psql('postgres', $done), 't', 'by hand it is done');
$full->stop;

# ---- preloaded, and no slot but the launcher's

sub ticks { return eval { my @stat = split / /, slurp_file("/proc/$_[0]/stat"); $stat[13] + $stat[14] } // 0 }

my $none = pipe_node('none', conf => "shared_preload_libraries = 'distilbert'\nmax_worker_processes = 1\nmax_logical_replication_workers = 0\nmax_parallel_workers = 0\n");
set_up($none, 'db1');
my $launcher = $none->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines launcher'");
my $ticks = ticks($launcher);
sleep 2;
cmp_ok(ticks($launcher) - $ticks, '<', 50, 'the launcher naps until a slot is free');
$none->safe_psql('db1', 'CALL distil_run_pipeline()');
is($none->safe_psql('db1', $done), 't', 'by hand it is done there, too');
$none->stop;

# ---- preloaded: few slots (one for the launcher, one for that of replication, one for a worker) for many databases, woken at once, after restarts

my $pre = pipe_node('pre', allows_streaming => 1,
	conf => "shared_preload_libraries = 'distilbert'\nmax_worker_processes = 3\ndistilbert.pipeline_naptime = '1h'\ndistilbert.pipeline_idle_exit = '1h'\nrestart_after_crash = on\n");
set_up($pre, "db$_") for 1 .. 4;
ok($pre->poll_query_until("db$_", $done), "db$_ has its turn") for 1 .. 4;
$pre->safe_psql('db2', "INSERT INTO t VALUES (100, 'at once')");
ok($pre->poll_query_until('db2', $done), 'a worker is woken, however long it naps');

# It comes between a worker's look at its pipeline and its end, which makes room for another database.
$pre->safe_psql('db3', "CREATE TABLE $_ (id int PRIMARY KEY, body text, v real[])") for qw(first second);
$pre->safe_psql('db3', "SELECT distil_create_pipeline('$_', 'body', 'embed', 'e', into_column => 'v', name => '$_')") for qw(first second);
settled($pre, $_, 'db3') for qw(first second);
my $locker = $pre->background_psql('db3');
$locker->query_safe('BEGIN; LOCK TABLE second IN ACCESS EXCLUSIVE MODE');
$pre->safe_psql('db3', "SELECT distil_wait_pipeline('first')");
ok($pre->poll_query_until('db3', "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'second'::regclass AND NOT granted)"), 'a round waits at its end');
$pre->safe_psql('db3', "INSERT INTO first VALUES (1, 'between')");
$pre->safe_psql('db2', "INSERT INTO t VALUES (101, 'waits for a worker')");
$locker->query_safe('COMMIT');
$locker->quit;
ok($pre->poll_query_until('db2', $done), 'the other database has its worker');
ok($pre->poll_query_until('db3', 'SELECT v IS NOT NULL FROM first'), 'what came meanwhile is not left lying');

$pre->append_conf('postgresql.conf', 'distilbert.pipelines = off');
$pre->restart;
$pre->safe_psql("db$_", "INSERT INTO t VALUES (200, 'before the restart')") for 1 .. 4;
$pre->append_conf('postgresql.conf', 'distilbert.pipelines = on');
$pre->restart;
ok($pre->poll_query_until("db$_", $done), "db$_ goes on after a restart") for 1 .. 4;

# ---- a standby, and its promotion

my $name = 'backup';
$pre->backup($name);
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($pre, $name, has_streaming => 1);
$standby->start;
$pre->append_conf('postgresql.conf', 'distilbert.pipelines = off');
$pre->reload;
ok($pre->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines'"), 'the primary does nothing more');
$pre->safe_psql('db1', "INSERT INTO t VALUES (300, 'for the standby')");
$pre->wait_for_catchup($standby, 'replay', $pre->lsn('insert'));
is($standby->safe_psql('db1', "SELECT pending, worker_pid FROM distil_pipelines"), '1|', 'the view can be read on a standby');
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'distilbert%'"), '0', 'nothing runs there');
$pre->stop;
$standby->promote;
ok($standby->poll_query_until('db1', $done), 'promoted, it goes on');
alive($standby);
done_testing();

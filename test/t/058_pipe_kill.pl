# Pipelines: kill -9, cancels and terminations of workers and writers, crashes
# and immediate restarts of the whole server, at random moments.  Afterwards no
# key is lost, none is there twice, none is stuck.
#
# 20 rounds; DBERT_ROUNDS for another number.  DBERT_SEED repeats a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Pipelines;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = $ENV{DBERT_ROUNDS} || 20;
my $seed = $ENV{DBERT_SEED} || ($$ ^ int(time()));
my $node = pipe_node('main', conf => "restart_after_crash = on\ndistilbert.pipeline_workers = 2\nmax_worker_processes = 16\nfsync = off\n");

srand($seed);
diag("DBERT_SEED=$seed");

sub sql { return $node->safe_psql('postgres', $_[0]) }

sql(<<'SQL');
CREATE TABLE t (id int PRIMARY KEY, body text, mood real);
CREATE SEQUENCE ids;
SELECT distil_create_pipeline('t', 'body', 'sentiment', 's', into_column => 'mood');
SELECT distil_create_pipeline('t', 'body', 'chunks', 'e', into_table => 'chunks', options => '{"max_tokens": 8}');
CREATE TABLE log (id int, hash bytea);
SQL

# Writers change rows of all kinds, over and over; each change is a transaction.
my $writes = PostgreSQL::Test::Utils::tempdir . '/writes.sql';
append_to_file($writes, <<'SQL');
\set id random(1, 400)
\set kind random(1, 6)
\set n random(1, 40)
\if :kind = 1
INSERT INTO t SELECT nextval('ids'), 'a new film ' || repeat('of many words ', i % 7) || i FROM generate_series(1, :n) i;
\elif :kind = 2
UPDATE t SET body = 'changed ' || :n || repeat(' words', :n % 9) WHERE id BETWEEN :id AND :id + 20;
\elif :kind = 3
DELETE FROM t WHERE id = :id;
\elif :kind = 4
UPDATE t SET body = NULL WHERE id = :id;
\elif :kind = 5
BEGIN;
UPDATE t SET body = body || '.' WHERE id BETWEEN :id AND :id + 3;
SAVEPOINT s;
UPDATE t SET body = 'never' WHERE id BETWEEN :id AND :id + 30;
ROLLBACK TO s;
COMMIT;
\else
UPDATE t SET id = nextval('ids') WHERE id = :id;
\endif
SQL

sub start_writers
{
	return IPC::Run::start([ 'pgbench', '-n', '-c', '3', '-T', '3600', '-f', $writes, $node->connstr('postgres') ],
		'<', '/dev/null', '>', \my $out, '2>', \my $err);
}

# The processes of a kind; none while the server is away.
sub pids
{
	my ($where) = @_;
	my ($out, $err) = ('', '');

	$node->psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $where", stdout => \$out, stderr => \$err, on_error_die => 0);
	return split /\n/, $out;
}

my $workers = "backend_type = 'distilbert pipelines'";
my $writers = "application_name = 'pgbench'";

sub one_of { return @_ ? $_[ int(rand(@_)) ] : undef }

sub crash
{
	my ($pid) = @_;
	my $from = -s $node->logfile;

	return 'nobody was there' unless $pid && kill('KILL', $pid);
	for (1 .. 50)
	{
		last if substr(slurp_file($node->logfile), $from) =~ /was terminated by signal 9/;
		sleep(0.1);
	}
	ready_again($node, $from) if substr(slurp_file($node->logfile), $from) =~ /was terminated by signal 9/;
	return 'killed';
}

my @harms = (
	[ 'cancel a worker', sub { my $p = one_of(pids($workers)); $node->psql('postgres', "SELECT pg_cancel_backend($p)") if $p } ],
	[ 'terminate a worker', sub { my $p = one_of(pids($workers)); $node->psql('postgres', "SELECT pg_terminate_backend($p)") if $p } ],
	[ 'cancel a writer', sub { my $p = one_of(pids($writers)); $node->psql('postgres', "SELECT pg_cancel_backend($p)") if $p } ],
	[ 'kill a worker', sub { crash(one_of(pids($workers))) } ],
	[ 'kill a writer', sub { crash(one_of(pids($writers))) } ],
	[ 'run by hand', sub { $node->psql('postgres', "SET statement_timeout = '50ms'; CALL distil_run_pipeline()", on_error_die => 0, stderr => \my $err) } ],
	[ 'restart at once', sub { $node->stop('immediate'); $node->start } ]);

for my $round (1 .. $rounds)
{
	# what was checked before goes, so that a round takes the same however many there were
	sql("DELETE FROM t WHERE id <= (SELECT max(id) - 400 FROM t)");
	my $writing = start_writers();
	my @done;

	for (1 .. 3)
	{
		sleep(rand(0.25));
		my $harm = one_of(@harms);
		push @done, $harm->[0];
		$harm->[1]->();
	}
	$writing->kill_kill;
	ok($node->poll_query_until('postgres', 'SELECT true'), "round $round: " . join(', ', @done));

	# one write wakes a worker, should there be none
	sql("INSERT INTO t VALUES (nextval('ids'), 'the last one of round $round')");
	is(sql("SELECT distil_wait_pipeline('t_mood', '2min') AND distil_wait_pipeline('chunks', '2min')"), 't', "round $round: no key is stuck");
	is(sql(<<'SQL'), '0|0|0|0|0', "round $round: no value is missing, old or there twice");
SELECT (SELECT count(*) FROM t WHERE mood IS DISTINCT FROM distil_sentiment(body, 's')),
	(SELECT count(*) FROM (SELECT id, c.seq, c.chunk, distil_embed_passage(c.chunk, 'e') FROM t, distil_chunk(body, 'e', 8, 0) c
		EXCEPT SELECT id, seq, chunk, embedding FROM chunks) d),
	(SELECT count(*) FROM chunks) - (SELECT count(*) FROM t, distil_chunk(body, 'e', 8, 0) c),
	(SELECT count(*) FROM distilbert.pipeline_queue), (SELECT count(*) FROM distil_pipeline_errors)
SQL
}
# ---- the postmaster alone: its workers end with work left, or no other one could start
sql("INSERT INTO t SELECT nextval('ids'), 'once more ' || repeat('with many words ', 30) || i FROM generate_series(1, 60000) AS i");
ok(scalar(pids($workers)), 'a worker is at work');
$node->kill9;
my $started = 0;
for (1 .. 60)
{
	last if $started = $node->start(fail_ok => 1);	# not while one of them has the shared memory
	sleep(0.5);
	$node->stop('fast', fail_ok => 1);	# forgets what it knew of the one that was killed
}
ok($started, 'they end with it');
is(sql('SELECT bool_or(mood IS NULL) AND bool_or(NOT EXISTS (SELECT FROM chunks AS c WHERE c.id = t.id)) FROM t'), 't', 'in the middle of their work');
sql('TRUNCATE t');

unlike(slurp_file($node->logfile), qr/PANIC:|signal 11|signal 6/, 'nothing crashed by itself');
done_testing();

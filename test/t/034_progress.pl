# distil_progress: trainings seen from other sessions, roles and databases; gone
# when they end, however they end.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "restart_after_crash = on\n");
my $query = q{'SELECT body, label FROM rows ORDER BY id'};
my $long = qq{SELECT count(*) FROM distil_train('tickets', $query, 'distilbert-base', epochs => 10000)};
my $shown = q{SELECT count(*) FROM distil_progress};

$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION distilbert');
load_model($node, 'distilbert-base', undef, 'other');
$node->safe_psql('postgres', 'CREATE ROLE trainer LOGIN; CREATE ROLE stranger LOGIN; CREATE ROLE monitor LOGIN IN ROLE pg_read_all_stats');
$node->safe_psql('other', <<'SQL');
GRANT EXECUTE ON FUNCTION distil_train TO trainer;
CREATE TABLE rows AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body,
	CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 400) i;
ALTER TABLE rows OWNER TO trainer;
SQL

sub ask
{
	my ($sql, $role) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, extra_params => $role ? [ '-U', $role ] : []);

	is($rc, 0, $sql) or diag $err;
	return $out;
}

# Begin a statement in a session of its own.
sub begin
{
	my ($sql) = @_;
	my $session = $node->background_psql('other', on_error_stop => 0, extra_params => [ '-U', 'trainer' ]);
	my $pid = $session->query('SET client_min_messages = error; SELECT pg_backend_pid()');

	$session->query_until(qr/begun/, "\\echo begun\n$sql;\n\\echo ended\n");
	return ($session, $pid);
}

sub ends
{
	my ($session) = @_;

	$session->query_until(qr/ended/, '');
	$session->quit;
	return;
}

is(ask($shown), '0', 'nothing is shown');

# in the middle of its steps
my ($session, $pid) = begin($long);
ok(wait_until($node, q{SELECT step > 25 AND phase = 'training' FROM distil_progress}), 'it trains');
is(ask(<<'SQL'), "$pid|other|trainer|train|tickets|t|t|t|t|t|400|t|t|t|t", 'its row in another database');
SELECT pid, datname, usename, command, model, phase IN ('training', 'evaluating'), epoch BETWEEN 1 AND epochs, epochs = 10000,
	step < steps, loss > 0, "rows", memory_bytes > 100000, started_at < now(), seconds > 0, seconds_left > seconds FROM distil_progress
SQL
is(ask(q{SELECT checkpoint_at IS NULL AND datid = (SELECT oid FROM pg_database WHERE datname = 'other') FROM distil_progress}), 't', 'no checkpoint yet');
my $hidden = q{SELECT pid, datname, num_nonnulls(usesysid, usename, command, model, phase, epoch, epochs, step, steps, loss, "rows", memory_bytes, started_at, seconds, seconds_left, checkpoint_at) FROM distil_progress};
is(ask($hidden, 'stranger'), "$pid|other|0", 'another role sees process and database');
is(ask($hidden, 'trainer'), "$pid|other|15", 'its own role all');
is(ask($hidden, 'monitor'), "$pid|other|15", 'as does one that may read all statistics');
my $step = ask('SELECT step FROM distil_progress');
ok(wait_until($node, "SELECT step > $step FROM distil_progress"), 'it goes on');
ask("SELECT pg_cancel_backend($pid)");
ends($session);
is(ask($shown), '0', 'cancelled, it is gone');
is_deeply([ training_files($node) ], [], 'with its file');

# while it reads rows
my $lock = $node->background_psql('other');
$lock->query('SELECT pg_advisory_lock(1)');
($session, $pid) = begin(q{SELECT count(*) FROM distil_train('short', 'SELECT body, label FROM rows WHERE id < 300 OR pg_advisory_lock_shared(1) IS NULL ORDER BY id < 300 DESC', 'distilbert-base', epochs => 1)});
ok(wait_until($node, q{SELECT phase = 'reading rows' FROM distil_progress}), 'it reads rows');
is(ask('SELECT num_nulls(epoch, epochs, step, steps, loss, memory_bytes, seconds_left) FROM distil_progress'), '7', 'what is not known is NULL');
$lock->query('SELECT pg_advisory_unlock(1)');
ends($session);
is(ask($shown), '0', 'at its end it is gone');

# two at a time, and one within another
($session, $pid) = begin($long);
my ($second, $second_pid) = begin(qq{SELECT count(*) FROM distil_train('outer', \$q\$SELECT 'x', pg_sleep(0)::text FROM distil_train('inner', $query, 'distilbert-base', epochs => 10000)\$q\$, 'distilbert-base')});
ok(wait_until($node, q{SELECT count(*) = 2 FROM distil_progress WHERE phase IN ('reading rows', 'training')}), 'two are shown');
is(ask("SELECT model, phase FROM distil_progress WHERE pid = $second_pid"), 'outer|reading rows', 'the outer one of two within a process');

# terminated; killed
ask("SELECT pg_terminate_backend($second_pid)");
ok(wait_until($node, 'SELECT count(*) = 1 FROM distil_progress'), 'a terminated one is gone');
is_deeply([ training_files($node) ], ["$pid.progress"], 'with its file');
my $log = -s $node->logfile;
is(kill('KILL', $pid), 1, 'killed');
ok(ready_again($node, $log), 'the server is up again');
eval { $_->quit } for $session, $second, $lock;
is(ask($shown), '0', 'a killed one is not shown');
is_deeply([ training_files($node) ], ["$pid.progress"], 'its file is left');
append_to_file($node->data_dir . "/distilbert/pgsql_tmp_training/$_.progress", 'x' x 300) for 1, 'x', '999999999999999';
is(ask($shown), '0', 'nor is what is in other files');
($session, $pid) = begin($long);
ok(wait_until($node, "SELECT count(*) = 1 FROM distil_progress WHERE pid = $pid"), 'the next one is shown');
is_deeply([ grep { $_ ne "$pid.progress" } training_files($node) ], [], 'and leftovers are gone');

# something else in the place of a training's file
my $odd = $node->background_psql('other');
my $odd_pid = $odd->query_safe('SELECT pg_backend_pid()');
my $odd_file = $node->data_dir . "/distilbert/pgsql_tmp_training/$odd_pid.progress";
append_to_file($node->data_dir . '/aside', 'precious');
symlink($node->data_dir . '/aside', $odd_file) or die $!;
is(ask("SELECT count(*) FROM distil_progress WHERE pid = $odd_pid"), '0', 'a link is not followed');
$odd->query_safe("SET client_min_messages = warning; SELECT count(*) FROM distil_train('odd', 'SELECT body, label FROM rows WHERE id < 100', 'distilbert-base', epochs => 1)");
is(slurp_file($node->data_dir . '/aside'), 'precious', 'nor by a training');
$odd->quit;

# a file of a living process that does not train
my $idle = $node->background_psql('postgres');
my $idle_pid = $idle->query('SELECT pg_backend_pid()');
append_to_file($node->data_dir . "/distilbert/pgsql_tmp_training/$idle_pid.progress", slurp_file($node->data_dir . "/distilbert/pgsql_tmp_training/$pid.progress"));
is(ask('SELECT pid FROM distil_progress'), $pid, 'a file that nobody holds is a leftover');
$idle->quit;

ask("SELECT pg_cancel_backend($pid)");
ends($session);
done_testing();

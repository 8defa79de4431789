# distilbert.threads: as many threads as are set while they are set, one
# otherwise; cancelling and ending a backend whose threads are at work.
use strict;
use warnings;
no warnings 'portable';	# masks of 64 bits
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no /proc' unless -r '/proc/self/status';

my $node = new_node('main');
load_model($node, 'distilbert-sentiment', 'm');
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');

sub threads
{
	return slurp_file("/proc/$pid/status") =~ /^Threads:\s+(\d+)/m ? $1 : die 'no Threads';
}

# Signals that a thread may take; all are blocked in those that are not the first.
sub masks
{
	my @others = grep { !m{/$pid$} } glob("/proc/$pid/task/*");

	return map { slurp_file("$_/status") =~ /^SigBlk:\s+(\w+)/m ? $1 : die 'no SigBlk' } @others;
}

my $texts = q{(SELECT array_agg('The film was a delight ' || i) FROM generate_series(1, 300) i)};
my $ask = qq{SELECT md5(distil_sentiment($texts, 'm')::text)};
my $said = $session->query($ask);
is(threads(), 1, 'one thread unless more are set');

$session->query('SET distilbert.threads = 3');
is(threads(), 1, 'none is started before there is work');
is($session->query($ask), $said, 'three threads say the same');
is(threads(), 3, 'and are there');
# but for SIGKILL and SIGSTOP, and the two that libc keeps
is_deeply([ map { hex($_) & hex('3ffbfeff') } masks() ], [ (hex('3ffbfeff')) x 2 ], 'signals are blocked in two of them');
is($session->query("SET distilbert.threads = 2; $ask"), $said, 'two say the same');
is(threads(), 2, 'and one has gone');

my $long = q{SELECT cardinality(distil_sentiment(array_agg('The film was a delight ' || i), 'm')) FROM generate_series(1, 1000000) i};
for my $ms (50, 100, 200, 400)
{
	$session->query("SET statement_timeout = '${ms}ms'; $long");
	$session->query('RESET statement_timeout');
	is($session->query($ask), $said, "timeout after $ms ms: the session goes on");
	is(threads(), 2, 'with its threads');
}
my ($rc, $out, $err) = $node->psql('postgres', "SET distilbert.threads = 2; SET statement_timeout = '300ms'; $long");
like($err, qr/canceling statement due to statement timeout/, 'and it was the timeout');

is($session->query("SET distilbert.threads = 1; $ask"), $said, 'one says the same');
is(threads(), 1, 'alone');

# Parallel workers stay single, and answer the same.
my $parallel = q{SELECT sum(distil_sentiment('a delight ' || i, 'm')::numeric) FROM t};
$session->query('CREATE TABLE t AS SELECT i FROM generate_series(1, 2000) i; ANALYZE t');
$said = $session->query($parallel);
$session->query('SET distilbert.threads = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0');
like($session->query("EXPLAIN (COSTS OFF) $parallel"), qr/Workers Planned/, 'workers are planned');
is($session->query($parallel), $said, 'workers say the same');

# Ended while the threads work: nobody else notices.
for my $try (1 .. 5)
{
	my $other = $node->background_psql('postgres', on_error_stop => 0);

	$pid = $other->query('SELECT pg_backend_pid()');
	$other->query("SET distilbert.threads = 3; $ask");
	$other->query_until(qr/started/, "\\echo started\n$long;\n");
	$node->safe_psql('postgres', "SELECT pg_sleep(0.05 * $try), pg_terminate_backend($pid)");
	ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'terminated');
	eval { $other->quit };
}
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'no crash');
$session->quit;
alive($node);
done_testing();

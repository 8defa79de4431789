# Cancelling: in a load, in the building of a pack, in long texts and over many
# rows; the session goes on and nothing half-done is left.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Path qw(rmtree);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = new_node('main', conf => "max_wal_size = 4GB\n");
my $count = 'SELECT (SELECT count(*) FROM distilbert.model), (SELECT count(*) FROM distilbert.model_chunk)';

big_model("$dir/big", 120);
load_model($node, 'distilbert-sentiment', 'm');
my $ask = q{SELECT distil_sentiment('warm', 'm')};
my $said = $node->safe_psql('postgres', $ask);
my $rows = $node->safe_psql('postgres', $count);
my @packs = packs($node);

# Each statement takes long enough to be interrupted; the timeout falls into the work.
my %statement = (
	'many rows' => q{SELECT sum(distil_sentiment('The film was a delight ' || i, 'm')) FROM generate_series(1, 100000000) i},
	'one array' => q{SELECT cardinality(distil_sentiment(array_agg('The film was a delight ' || i), 'm')) FROM generate_series(1, 1000000) i},
	'a set function' => q{SELECT count(*) FROM generate_series(1, 100000000) i, distil_scores('warm ' || i, 'm')},
	'counting tokens of a long text' => q{SELECT distil_token_count(repeat('unbelievably strange ', 20000000), 'm')},
	'splitting a long text' => q{SELECT cardinality(distil_tokenize(repeat('unbelievably strange ', 20000000), 'm'))});

for my $name (sort keys %statement)
{
	my ($rc, $out, $err) = $node->psql('postgres',
		"SET statement_timeout = '300ms'; $statement{$name};", on_error_stop => 0);

	like($err, qr/canceling statement due to statement timeout/, "$name: timeout");
}

# In one session, again and again: usable every time.
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
for my $name (sort keys %statement)
{
	$session->query("SET statement_timeout = '100ms'");
	$session->query($statement{$name});
	$session->query('RESET statement_timeout');
	is($session->query($ask), $said, "$name: the session goes on");
}
is($session->query('SELECT pg_backend_pid()'), $pid, 'in the same backend');

# Cancelled from another session while it loads.
sub cancel_in
{
	my ($name, $sql) = @_;

	$session->query_until(qr/started/, "\\echo started\n$sql;\n\\echo ended\n");
	ok(wait_until($node, "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $pid AND state = 'active'"), "$name: runs");
	$node->safe_psql('postgres', 'SELECT pg_sleep(0.05)');
	is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"), 't', "$name: cancelled");
	$session->query_until(qr/ended/, '');
	is($session->query($ask), $said, "$name: the session goes on");
	return;
}

my ($rc, $out, $err) = $node->psql('postgres',
	"SET statement_timeout = '30ms'; SELECT distil_load_model('big', '$dir/big');");
like($err, qr/canceling statement due to statement timeout/, 'load: timeout');
cancel_in('load', "SELECT count(distil_load_model('big', '$dir/big'))");
is($node->safe_psql('postgres', $count), $rows, 'a cancelled load leaves no rows');
is_deeply([ packs($node) ], \@packs, 'and no packs');

# The pack of a big model, built by the first query.
is($node->safe_psql('postgres', "SELECT name FROM distil_load_model('big', '$dir/big')"), 'big', 'a big model loads');
my $embed = q{SELECT md5(distil_embed('warm', 'big')::text)};
my $vector = $node->safe_psql('postgres', $embed);
my @both = packs($node);
is(scalar(@both), 2, 'it has a pack');
for my $ms (10, 40, 80)
{
	rmtree($node->data_dir . '/distilbert');
	($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '${ms}ms'; $embed");
	like($err, qr/canceling statement due to statement timeout/, "pack: timeout after $ms ms");
	is_deeply([ packs($node) ], [], 'it was in the middle, and no unfinished file is left');
}
cancel_in('pack', $embed);
is($session->query($embed), $vector, 'then it is built, in the same session');
is($session->query($ask), $said, 'next to the other');
is_deeply([ packs($node) ], \@both, 'both packs are there');

# Another session waits for a builder, and is cancelled while it waits.
rmtree($node->data_dir . '/distilbert');
($rc, $out, $err) = $node->psql('postgres', "SET lock_timeout = '1ms'; SET statement_timeout = '20ms'; $embed");
like($err, qr/canceling statement/, 'cancelled, whatever it waited for');
is($node->safe_psql('postgres', $embed), $vector, 'and built by the next');

# Terminated backends leave nothing either.
rmtree($node->data_dir . '/distilbert');
$session->query_until(qr/started/, "\\echo started\n$embed;\n");
$node->safe_psql('postgres', "SELECT pg_sleep(0.05), pg_terminate_backend($pid)");
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'terminated');
is($node->safe_psql('postgres', $embed), $vector, 'others go on');
is_deeply([ grep { /tmp/ } packs($node) ], [], 'no unfinished file is left');
alive($node);
done_testing();

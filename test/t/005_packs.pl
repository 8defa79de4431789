# Pack files are a cache: removed, cut, overwritten or half-written ones are built
# again with the same answers, and sessions that have them open go on.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use File::Path qw(rmtree);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $folder = $node->data_dir . '/distilbert';

load_model($node, 'distilbert-sentiment', 'm');
my $wanted = answers($node, 'm');
my ($pack) = packs($node);
my $whole = slurp_file("$folder/$pack");

sub put
{
	my ($bytes) = @_;

	# a new file, as after a crash or a restore: those who have the old one keep it
	unlink "$folder/$pack";
	append_to_file("$folder/$pack", $bytes);
	return;
}

sub rebuilt
{
	my ($name) = @_;

	is(answers($node, 'm'), $wanted, "$name: the same answers");
	is_deeply([ packs($node) ], [$pack], "$name: one pack of the same name");
	ok(slurp_file("$folder/$pack") eq $whole, "$name: with the same bytes");
	return;
}

# A session with the model open sees nothing of all this.
my $session = $node->background_psql('postgres');
my $ask = q{SELECT string_agg(label || '=' || score, ' ' ORDER BY label) FROM distil_scores('Berlin', 'm')};
my $said = $session->query_safe($ask);

put('');
rebuilt('empty file');
put(substr($whole, 0, 100));
rebuilt('cut in the header');
put(substr($whole, 0, length($whole) / 2));
rebuilt('cut in the middle');
put(substr($whole, 0, length($whole) - 1));
rebuilt('one byte short');
put($whole . 'x');
rebuilt('one byte more');
put("\0" x length($whole));
rebuilt('zeroes');
put(join('', map { chr(($_ * 7919) % 256) } 1 .. length($whole)));
rebuilt('garbage');
for my $at (0, 9, 20, 40, 64, 100, 200, 300)
{
	my $bytes = $whole;

	substr($bytes, $at, 1) = chr(ord(substr($bytes, $at, 1)) ^ 0x55);
	put($bytes);
	is(answers($node, 'm'), $wanted, "byte $at of the header changed: the same answers");
}
is($session->query_safe($ask), $said, 'the open session answers the same');

unlink "$folder/$pack";
is($session->query_safe($ask), $said, 'its pack removed, the open session answers the same');
rebuilt('removed');
rmtree($folder);
is($session->query_safe($ask), $said, 'the folder removed, the open session answers the same');
rebuilt('folder removed');

# What a builder that died left behind goes with the next build.
append_to_file("$folder/$pack.999999.tmp", 'half');
append_to_file("$folder/other.pack.1.tmp", 'half');
unlink "$folder/$pack";
rebuilt('left-overs');

# What else may stand there is 016's.
unlink "$folder/$pack";
mkdir "$folder/$pack";
rebuilt('a folder in its place');

# Many sessions want a pack that is not there.
for my $round (1 .. 3)
{
	my @runs;

	rmtree($folder);
	for (1 .. 6)
	{
		my $run = { out => '' };

		$run->{h} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $ask ],
			'<', '/dev/null', '>', \$run->{out}, '2>&1');
		push @runs, $run;
	}
	$_->{h}->finish for @runs;
	is_deeply([ grep { $_->{out} ne "$said\n" } @runs ], [], "six sessions at once, round $round");
	is_deeply([ packs($node) ], [$pack], 'make one pack');
}

# Parallel workers of a fresh session, without a pack.
rmtree($folder);
is($node->safe_psql('postgres', <<'SQL'), '1', 'parallel workers build it, too');
CREATE TABLE t AS SELECT 'Berlin'::text AS body FROM generate_series(1, 1000);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
SELECT count(DISTINCT distil_embed(body, 'm')) FROM t;
SQL
is_deeply([ packs($node) ], [$pack], 'one pack');

# The dropped model's pack goes; a restart changes nothing.
$node->restart;
rebuilt('restart');
$node->safe_psql('postgres', q{SELECT distil_drop_model('m')});
is_deeply([ packs($node) ], [], 'a drop removes the pack');
alive($node);
done_testing();

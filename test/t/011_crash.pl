# Backends that are killed in the middle of a load or of building a pack, and a
# server that is stopped at once: after recovery nothing is half there.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Path qw(rmtree);
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = new_node('main', conf => "restart_after_crash = on\nmax_wal_size = 4GB\n");

big_model("$dir/big", 120);
load_model($node, 'distilbert-sentiment', 'm');
my $wanted = answers($node, 'm');
my $count = q{SELECT (SELECT count(*) FROM distilbert.model WHERE name = 'big'), (SELECT count(*) FROM distilbert.model_chunk WHERE name = 'big')};
my $embed = q{SELECT md5(distil_embed('warm', 'big')::text)};

# Run $sql in a session of its own and kill its backend when $ready says so;
# should it have been too quick, $again prepares another attempt.
sub kill_in
{
	my ($name, $sql, $ready, $again) = @_;
	my ($killed, $err) = (0, '');
	my $log = -s $node->logfile;

	for my $attempt (1 .. 5)
	{
		my ($out, $pid) = ('', 0);

		$err = '';
		my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()', '-c', $sql ],
			'<', '/dev/null', '>', \$out, '2>', \$err);
		# pump raises when the process has ended
		eval
		{
			$run->pump until $out =~ /^(\d+)\n/;
			$pid = $1;
			until ($killed)
			{
				$killed = kill('KILL', $pid) if $ready->();
				select(undef, undef, undef, 0.001);
				$run->pump_nb;
			}
		};
		eval { $run->finish };
		last if $killed;
		$again->();
	}
	ok($killed, "$name: killed");
	like($err, qr/closed the connection|terminat/, "$name: the client hears of it");
	ok(ready_again($node, $log), "$name: the server comes back");
	return;
}

my $chunks_file = $node->safe_psql('postgres', q{SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'distilbert.model_chunk'::regclass});
my $toast = $node->data_dir . "/$chunks_file";
my $size = (-s $toast) // 0;

# some megabytes are written: the load is under way
kill_in('load', "SELECT distil_load_model('big', '$dir/big')", sub { return ((-s $toast) // 0) > $size + 4_000_000 },
	sub { $node->safe_psql('postgres', q{SELECT distil_drop_model('big')}); $size = -s $toast; });
is($node->safe_psql('postgres', $count), '0|0', 'nothing of the load is there');
is(answers($node, 'm'), $wanted, 'the other model answers');

is($node->safe_psql('postgres', "SELECT name FROM distil_load_model('big', '$dir/big')"), 'big', 'the same load works now');
my $vector = $node->safe_psql('postgres', $embed);
my @packs = packs($node);

my $forget = sub { rmtree($node->data_dir . '/distilbert') };
$forget->();
kill_in('pack', $embed, sub { return scalar(grep { /tmp$/ } packs($node)) }, $forget);
is(scalar(grep { /tmp$/ } packs($node)), 1, 'its unfinished file is there');
is($node->safe_psql('postgres', $embed), $vector, 'the next session builds the pack');
is(answers($node, 'm'), $wanted, 'the other model answers');
is_deeply([ packs($node) ], \@packs, 'and the unfinished file is gone');

# Committed and crashed at once: WAL brings it back.
$node->safe_psql('postgres', q{SELECT distil_drop_model('big')});
load_model($node, 'bert-sentiment3', 'late');
my $late = answers($node, 'late');
$node->stop('immediate');
$node->start;
is(answers($node, 'late'), $late, 'a committed load survives a crash');
is($node->safe_psql('postgres', $count), '0|0', 'a committed drop, too');
is(answers($node, 'm'), $wanted, 'the other model answers');
done_testing();

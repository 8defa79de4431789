# kill -9 of backends at random moments of loading, packing, training, writing
# checkpoints and dropping, and of the whole server: afterwards all is as if the
# work had not been begun or had been finished, and every answer has the same
# bits.
#
# Three rounds; DBERT_ROUNDS for another number.  DBERT_SEED repeats a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Path qw(rmtree);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $rounds = $ENV{DBERT_ROUNDS} // 3;
my $seed = $ENV{DBERT_SEED} // $$ ^ int(time());
my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = new_node('main', conf => "restart_after_crash = on\nmax_wal_size = 4GB\nclient_min_messages = warning\ndistilbert.checkpoint_interval = '1ms'\n");
my $packs = $node->data_dir . '/distilbert';

srand($seed);
diag("DBERT_SEED=$seed");
big_model("$dir/big", 40);
load_model($node, 'distilbert-sentiment', 'm');
load_model($node, 'distilbert-base');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body,
	CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 40) i;
SQL

my $load = "SELECT distil_load_model('big', '$dir/big', replace => true)";
my $embed = q{SELECT md5(distil_embed('warm', 'big')::text)};
my $train = q{SELECT count(*) FROM distil_train('trained', 'SELECT body, label FROM rows ORDER BY id', 'distilbert-base', epochs => 6, batch_size => 4, replace => true, resume => true)};
my $score = q{SELECT string_agg(label || score, ',' ORDER BY label) FROM distil_scores('warm soup and a film', 'trained')};

# What undisturbed work gives.
$node->safe_psql('postgres', $load);
my $vector = $node->safe_psql('postgres', $embed);
$node->safe_psql('postgres', $train);
my $scores = $node->safe_psql('postgres', $score);
my $wanted = answers($node, 'm');

# [name, what is to be killed, what goes before it]
my @works = (
	[ 'load', $load, sub { } ],
	[ 'pack', $embed, sub { rmtree($packs) } ],
	[ 'drop', q{SELECT distil_drop_model('big')}, sub { } ],
	[ 'train and checkpoints', $train, sub { $node->safe_psql('postgres', q{SELECT distil_drop_model('trained') FROM distil_models WHERE name = 'trained'}) } ]);

# How long each takes, so that the moment falls into it.
my %seconds;

sub took { my $from = time(); $_[0]->(); return time() - $from }

# Run in a session of its own; kill its backend, or the postmaster, after a while.
sub kill_within
{
	my ($sql, $after, $all) = @_;
	my ($out, $err, $pid) = ('', '');
	my $log = -s $node->logfile;
	my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_backend_pid()', '-c', $sql ],
		'<', '/dev/null', '>', \$out, '2>', \$err);

	eval { $run->pump until $out =~ /^(\d+)\n/; };
	($pid) = $out =~ /^(\d+)\n/;
	sleep($after);
	if ($all)
	{
		my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
		my @children = split ' ', `ps -o pid= --ppid $postmaster`;

		# what outlives its postmaster keeps the next one away
		$node->kill9;
		kill('KILL', $_) for @children;
		eval { $run->finish };
		sleep(0.1) while grep { kill(0, $_) } @children;
		$node->start;
		return 1;
	}
	my $killed = $pid && kill('KILL', $pid);

	eval { $run->finish };
	ready_again($node, $log) if $killed && was_killed($node, $log);
	return $killed;
}

# A backend whose work was done may have ended by itself just before; the
# postmaster hears of a killed one at once, its client at some time.
sub was_killed
{
	my ($node, $from) = @_;

	for (1 .. 20)
	{
		return 1 if substr(slurp_file($node->logfile), $from) =~ /was terminated by signal 9/;
		sleep(0.1);
	}
	return 0;
}

for my $work (@works)
{
	my ($name, $sql, $before) = @$work;

	$before->();
	$seconds{$name} = took(sub { $node->safe_psql('postgres', $sql) });
	$node->safe_psql('postgres', $load) if $name eq 'drop';
}

for my $round (1 .. $rounds)
{
	for my $work (@works)
	{
		my ($name, $sql, $before) = @$work;

		$before->();
		my $all = rand() < 0.25;
		my $killed = kill_within($sql, rand($seconds{$name}), $all);
		my $state = "round $round, $name " . ($killed ? $all ? 'with the server' : 'killed' : 'was too quick');

		is(answers($node, 'm'), $wanted, "$state: the other model answers");
		$node->safe_psql('postgres', $load)
			if $node->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'big'}) eq '0';
		is($node->safe_psql('postgres', $embed), $vector, "$state: the large model's vector");
		is(scalar(grep { /tmp$/ } packs($node)), 0, "$state: no unfinished pack is left");
		if ($name =~ /train/)
		{
			$node->safe_psql('postgres', $train);
			is($node->safe_psql('postgres', $score), $scores, "$state: the training resumes to the same scores");
		}
	}
}
is_deeply([ grep { /tmp$/ } training_files($node) ], [], 'no unfinished checkpoint is left');
unlike(slurp_file($node->logfile), qr/PANIC:/, 'no panic');
done_testing();

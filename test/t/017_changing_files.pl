# Files of a model that somebody exchanges, or writes to, while it is loaded:
# either the load says so, or what is stored is what was checked.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use IO::Handle;
use PostgreSQL::Test::Utils;
use POSIX qw(_exit);
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_node('main');
my $root = PostgreSQL::Test::Utils::tempdir;
my $changed = qr/ERROR:  file "[^"]+" of the model changed while it was read/;

# A copy of a fixture, large enough that loading it takes a while.
sub copy_of
{
	my ($fixture, $dir) = @_;

	mkdir $dir or die $!;
	copy(fixtures() . "/$fixture/$_", "$dir/$_") or die $!
	  for qw(config.json model.safetensors tokenizer.json tokenizer_config.json vocab.txt);
	return $dir;
}

sub put
{
	my ($path, $bytes) = @_;

	open(my $f, '>:raw', $path) or die $!;
	print $f $bytes;
	close($f) or die $!;
	return;
}

# In place and without making it shorter, or a new file of the name.
sub overwrite
{
	my ($path, $bytes) = @_;

	open(my $f, '+<:raw', $path) or die $!;
	syswrite($f, $bytes) == length($bytes) or die $!;
	close($f) or die $!;
	return;
}

sub replace
{
	my ($path, $bytes) = @_;

	put("$path.new", $bytes);
	rename("$path.new", $path) or die $!;
	return;
}

# Writes until it is killed; in turn the first and the second of each file's contents.
sub writer
{
	my ($write, $dir, %contents) = @_;
	my $pid = fork() // die $!;

	return $pid if $pid;
	$SIG{TERM} = sub { _exit(0) };
	for (my $turn = 0;; $turn++)
	{
		for my $file (sort keys %contents)
		{
			$write->("$dir/$file", $contents{$file}[ $turn % 2 ]);
			usleep(int(rand(2500)));
		}
	}
}

# Labels as the files say that are stored, as the row says, and as answers say.
my $consistent = q{
	WITH config AS (SELECT convert_from(data, 'UTF8')::jsonb AS c FROM distil_export_model('%1$s') WHERE file = 'config.json')
	SELECT (SELECT string_agg(value, ',' ORDER BY key::int) FROM config, jsonb_each_text(c -> 'id2label')),
		(SELECT array_to_string(labels, ',') FROM distil_models WHERE name = '%1$s'),
		(SELECT string_agg(label, ',' ORDER BY array_position((SELECT labels FROM distil_models WHERE name = '%1$s'), label))
			FROM distil_scores('Berlin', '%1$s'))};

my $models = 0;

sub rounds
{
	my ($name, $n, $allowed, $write, $dir, %contents) = @_;
	my $pid = writer($write, $dir, %contents);
	my ($loaded, $refused, @other, @differ, @unlike) = (0, 0);

	for (1 .. $n)
	{
		my $model = 'r' . ++$models;
		my ($rc, $out, $err) = $node->psql('postgres', "SELECT name FROM distil_load_model('$model', '$dir')");

		if ($rc == 0)
		{
			my ($rc2, $labels, $err2) = $node->psql('postgres', sprintf($consistent, $model));
			my @labels = split(/\|/, $labels);

			$loaded++;
			push @unlike, $labels . $err2 if $rc2 != 0 || @labels != 3 || grep { $_ ne $labels[0] } @labels;
			next;
		}
		$refused++;
		push @other, $err unless $err =~ $allowed;
	}
	kill 'TERM', $pid;
	waitpid($pid, 0);
	note "$name: $loaded loaded, $refused refused";
	is_deeply(\@other, [], "$name: what is refused is so because files changed");
	is_deeply(\@unlike, [], "$name: what is loaded has its files' labels and answers");
	return $refused;
}

# One file, two contents that both fit the others.
my $dir = copy_of('distilbert-sentiment', "$root/labels");
my $upper = slurp_file("$dir/config.json");
my $lower = $upper =~ s/(NEGATIVE|POSITIVE)/lc $1/ger;
my %labels = ('config.json' => [ $upper, $lower ]);
my $caught = rounds('exchanged labels', 15, $changed, \&replace, $dir, %labels);
$caught += rounds('overwritten labels', 15, $changed, \&overwrite, $dir, %labels);

# A file that is sometimes not there, or cut: either it was so, or it changed.
my $gone = sub {
	my ($path, $bytes) = @_;

	unlink $path;
	usleep(500);
	put($path, substr($bytes, 0, 200));
	usleep(500);
	put($path, $bytes);
	return;
};
$caught += rounds('cut labels', 10, qr/$changed|ERROR:  could not load model/, $gone, $dir, %labels);

# Two models whose files do not fit each other; between two exchanges they are mixed indeed.
my ($nli, $stars) = (copy_of('distilbert-nli', "$root/nli"), copy_of('distilbert-stars', "$root/stars"));
my $mixed = copy_of('distilbert-nli', "$root/mixed");
my %both = map { $_ => [ slurp_file("$nli/$_"), slurp_file("$stars/$_") ] } qw(config.json model.safetensors);
my $unfit = qr/$changed|DETAIL:  .*(shape|labels|classifier)/;
$caught += rounds('exchanged models', 20, $unfit, \&replace, $mixed, %both);
cmp_ok($caught, '>', 5, 'the writer met loads');

# A large file, of which the last byte of the last chunk changes and changes back.
big_model("$root/big", 32);
my $weights = "$root/big/model.safetensors";
my $pid = fork() // die $!;
if (!$pid)
{
	open(my $f, '+<:raw', $weights) or _exit(1);
	$f->autoflush(1);
	for (my $turn = 0; $turn < 100000; $turn++)
	{
		sysseek($f, -3, 2);
		syswrite($f, $turn % 2 ? "\x00" : "\x01");
		usleep(300);
	}
	_exit(0);
}
my ($rc, $out, $err) = $node->psql('postgres', "SELECT name FROM distil_load_model('big', '$root/big')");
kill 'KILL', $pid;
waitpid($pid, 0);
like($err, $changed, 'weights that are written to all the time are refused');
like($err, qr/HINT:  Try again when nothing else writes to the model's directory\./, 'with a hint');
is($node->safe_psql('postgres', q{SELECT count(*) FROM distilbert.model WHERE name = 'big'}), '0', 'and nothing is stored');
is($node->safe_psql('postgres', "SELECT name FROM distil_load_model('big', '$root/big')"), 'big', 'and loaded when nobody writes');

alive($node);
done_testing();

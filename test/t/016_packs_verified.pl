# Packs are not believed: flipped bits, another model's pack, and whatever else
# may stand in a pack's place.  They are verified once by a server.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use File::Path qw(rmtree);
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use POSIX qw(mkfifo);
use Test::More;

my $node = new_node('main', allows_streaming => 1);
my $folder = $node->data_dir . '/distilbert';
my $memory = "$folder/pgsql_tmp_verified";

load_model($node, 'distilbert-sentiment', 'a');
my $wanted = answers($node, 'a');
my ($pack) = packs($node);
my $path = "$folder/$pack";
my $whole = slurp_file($path);

sub put
{
	my ($bytes, $to) = @_;

	$to //= $path;
	unlink $to;
	append_to_file($to, $bytes);
	return;
}

# How often a new backend verified a pack to answer this, with what it said.
my $ask = q{SELECT string_agg(label || '=' || score, ' ' ORDER BY label) FROM distil_scores('Berlin', '%s')};

sub verified
{
	my ($model, $on) = @_;
	my ($rc, $out, $err) = ($on // $node)->psql('postgres', "SET client_min_messages = debug1;\n" . sprintf($ask, $model));

	is($rc, 0, "an answer of $model") or diag $err;
	return scalar(() = $err =~ /verifying model pack/g);
}

sub rebuilt
{
	my ($name) = @_;

	is(answers($node, 'a'), $wanted, "$name: the same answers");
	ok(-f $path && !-l $path && slurp_file($path) eq $whole, "$name: a fresh pack");
	return;
}

# ---- bits

# Forty places, from the first to the last byte.  A new file, and the file written to.
my ($wrong, $left) = (0, 0);
for my $i (0 .. 39)
{
	my $at = int($i * (length($whole) - 1) / 39);
	my $bytes = $whole;

	substr($bytes, $at, 1) ^= chr(1 << $i % 8);
	if ($i % 2)
	{
		open(my $f, '+<:raw', $path) or die $!;
		syswrite($f, $bytes);
		close($f);
	}
	else
	{
		put($bytes);
	}
	$wrong++ if answers($node, 'a') ne $wanted;
	$left++ if slurp_file($path) ne $whole;
}
is($wrong, 0, 'forty flipped bits change no answer');
is($left, 0, 'and are replaced by fresh packs');
like(slurp_file($node->logfile), qr/is damaged and will be built again: weights of the model pack have a wrong checksum/, 'the log says so');

# ---- other models' packs

load_model($node, 'distilbert-stars', 'b');
answers($node, 'b');
my ($other) = grep { $_ ne $pack } packs($node);
my $others = slurp_file("$folder/$other");
put($others);
rebuilt("another model's pack");
copy($path, "$folder/moved") or die $!;
rename("$folder/$other", $path) or die $!;
rename("$folder/moved", "$folder/$other") or die $!;
rebuilt('packs that were exchanged');
like(slurp_file($node->logfile), qr/is damaged and will be built again: model pack is of another model/, 'the log says so');

# ---- once for a server

verified('a');
is(verified('a'), 0, 'a pack that was verified is not verified again');
put($whole);
is(verified('a'), 1, 'another file is');
utime(1, 1, $path);
is(verified('a'), 1, 'so is one that was written to');
is(verified('a'), 0, 'once');
$node->restart;
is(verified('a'), 1, 'after a restart it is verified again');
is(verified('a'), 0, 'once');
is($node->safe_psql('postgres', 'CREATE DATABASE other') . verified('a'), '0', 'for all databases');
$node->safe_psql('other', 'CREATE EXTENSION distilbert');
load_model($node, 'distilbert-sentiment', 'a', 'other');
my ($rc, $out, $err) = $node->psql('other', "SET client_min_messages = debug1;\n" . sprintf($ask, 'a'));
unlike($err, qr/verifying/, 'another database uses the same');

# What remembers it may be anything.
my $records = slurp_file($memory);
for my $i (0 .. 7)
{
	my $bytes = $records;

	substr($bytes, $i * 6, 1) ^= "\x10";
	put($bytes, $memory);
	is(verified('a'), 1, "a damaged record says nothing ($i)");
}
put(substr($records, 0, 47), $memory);
is(verified('a'), 1, 'half a record says nothing');
is(verified('a'), 0, 'and is replaced');
put('x' x 100000, $memory);
is(verified('a') + verified('a'), 1, 'nor does garbage');
put('', $memory);
is(verified('a') + verified('a'), 1, 'nor an empty file');
unlink $memory;
symlink('/dev/zero', $memory);
is(verified('a') + verified('a'), 1, 'nor a link');
ok(!-l $memory, 'which is replaced');
unlink $memory;
mkfifo($memory, 0600) or die $!;
is(verified('a') + verified('a'), 1, 'nor a FIFO');
unlink $memory;
mkdir $memory;
is(verified('a') + verified('a'), 2, 'where nothing can be remembered, each backend verifies');
is($node->safe_psql('postgres', "SET client_min_messages = warning;" . sprintf($ask, 'a') . ';' . sprintf($ask, 'a')) =~ s/\n.*//r,
	$node->safe_psql('postgres', sprintf($ask, 'a')), 'and answers');
rmdir $memory;
put($records, $memory);
chmod 0, $memory;
is(verified('a') + verified('a'), 1, 'one that cannot be read is replaced');

# ---- odd files

my @odd = (
	[ 'a FIFO', sub { mkfifo($path, 0600) or die $! } ],
	[ 'an empty folder', sub { mkdir $path or die $! } ],
	[ 'a file that cannot be read', sub { put($whole); chmod 0, $path } ],
	[ 'a dangling link', sub { symlink('nowhere', $path) or die $! } ],
	[ 'a link to itself', sub { symlink($pack, $path) or die $! } ],
	[ 'a link to a device', sub { symlink('/dev/zero', $path) or die $! } ],
	[ 'a link to a good pack', sub { put($whole, "$folder/elsewhere"); symlink('elsewhere', $path) or die $! } ],
	[ 'a socket', sub { chdir $folder; IO::Socket::UNIX->new(Local => 'sock', Listen => 1) or die $!; rename('sock', $path) or die $!; chdir '/' } ],
	[ 'a huge sparse file', sub { put(''); truncate($path, 1 << 43) or die $! } ],
	[ 'a pack with a huge hole', sub { put($whole); truncate($path, 1 << 43) or die $! } ],
	[ 'a pack with a hole inside', sub { put(substr($whole, 0, 65536) . "\0" x (length($whole) - 65536)) } ],
	[ 'an empty file', sub { put('') } ]);
for my $odd (@odd)
{
	my ($name, $make) = @$odd;

	unlink $path;
	rmdir $path;
	$make->();
	rebuilt($name);
}
unlink "$folder/elsewhere";

sub fails
{
	my ($name, $wanted) = @_;
	my $start = time;
	my ($rc, $out, $err) = $node->psql('postgres', sprintf($ask, 'a'), timeout => 60);

	like($err, $wanted, "$name: an error");
	cmp_ok(time - $start, '<', 30, "$name: at once");
	return;
}

unlink $path;
mkdir $path;
append_to_file("$path/file", 'x');
fails('a full folder', qr/ERROR:  could not remove directory "distilbert\/.*HINT:  Move it away/s);
rmtree($path);
chmod 0555, $folder;
fails('an unwritable folder', qr/ERROR:  could not create file/);
chmod 0755, $folder;
rebuilt('a folder that is writable again');
chmod 0555, $folder;
is(answers($node, 'a'), $wanted, 'an unwritable folder with a good pack: the same answers');
put_in_place(substr($whole, 0, length($whole) - 1) . chr(ord(substr($whole, -1)) ^ 1));
fails('an unwritable folder with a damaged pack', qr/ERROR:  could not create file/);
chmod 0755, $folder;
rebuilt('the same, writable');

sub put_in_place
{
	my ($bytes) = @_;

	open(my $f, '+<:raw', $path) or die $!;
	syswrite($f, $bytes);
	close($f);
	return;
}

# In the place of the folder itself.
rmtree($folder);
mkfifo($folder, 0600) or die $!;
fails('a FIFO for a folder', qr/ERROR:  could not open directory "distilbert": Not a directory\nHINT/);
unlink $folder;
append_to_file($folder, 'x');
fails('a file for a folder', qr/ERROR:  could not open directory "distilbert": Not a directory\nHINT/);
unlink $folder;
symlink('nowhere', $folder);
fails('a dangling link for a folder', qr/ERROR:  could not open directory "distilbert": No such file or directory\nHINT/);
unlink $folder;
mkdir "$folder.real";
symlink('distilbert.real', $folder);
rebuilt('a link to a folder');
is(verified('a'), 0, 'where packs are remembered, too');
unlink $folder;
rename("$folder.real", $folder) or die $!;

# ---- a large pack: verifying it can be cancelled, and is done by several at once

my $root = PostgreSQL::Test::Utils::tempdir;
big_model("$root/big", 128);
$node->safe_psql('postgres', "SELECT distil_load_model('big', '$root/big')");
my $embed = q{SELECT sum(v) FROM unnest(distil_embed('Berlin', 'big')) AS v};
my $sum = $node->safe_psql('postgres', $embed);
my $big = (sort { -s "$folder/$b" <=> -s "$folder/$a" } packs($node))[0];
utime(2, 2, "$folder/$big");
my @runs = map {
	my $run = { out => '' };
	$run->{h} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $embed ],
		'<', '/dev/null', '>', \$run->{out}, '2>&1');
	$run
} 1 .. 4;
$_->{h}->finish for @runs;
is_deeply([ grep { $_->{out} ne "$sum\n" } @runs ], [], 'four sessions verify a pack');
open(my $f, '+<:raw', "$folder/$big") or die $!;
sysseek($f, -100, 2);
syswrite($f, "\x01");
close($f);
$_->{h} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $embed ],
	'<', '/dev/null', '>', \($_->{out} = ''), '2>&1')
  for @runs;
$_->{h}->finish for @runs;
is_deeply([ grep { $_->{out} ne "$sum\n" } @runs ], [], 'four sessions find it damaged, and one builds it again');
utime(3, 3, "$folder/$big");
($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = 10;\n$embed");
like($err, qr/canceling statement due to statement timeout/, 'a cancel ends verifying');
is(verified('a'), 0, 'other packs are as they were');

alive($node);

# ---- preloaded: shared memory remembers

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'distilbert'\nrestart_after_crash = on");
unlink $memory;
$node->restart;
is(verified('a'), 1, 'preloaded: verified');
is(verified('a'), 0, 'preloaded: once');
ok(!-e $memory, 'without a file');
put($whole);
is(verified('a'), 1, 'preloaded: another file is verified');
put(substr($whole, 0, -1) . chr(ord(substr($whole, -1)) ^ 1));
rebuilt('preloaded: a flipped bit');
$node->restart;
is(verified('a'), 1, 'preloaded: again after a restart');
my $session = $node->background_psql("postgres");
my $victim = $session->query_safe('SELECT pg_backend_pid()');
my $from = -s $node->logfile;
kill 'KILL', $victim;
ready_again($node, $from) or die 'no recovery';
is(verified('a'), 1, 'preloaded: again after a crash, which takes shared memory');

# ---- base backups do not take the memory with them

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
verified('a');
ok(-f $memory, 'there is a file');
$node->backup('copy');
ok(!-e $node->backup_dir . '/copy/distilbert/pgsql_tmp_verified', 'which is not in a base backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
copy($memory, $standby->data_dir . '/distilbert/pgsql_tmp_verified') or die $!;
$standby->start;
is(verified('a', $standby), 1, 'a standby verifies its copy');
is(verified('a', $standby), 0, 'once');
done_testing();

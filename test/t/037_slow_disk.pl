# A disk that does not answer: a cancel is served all the same, while a training
# writes its checkpoint and while a pack is built.  A library put before the
# server's makes fsync wait for the test.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;

# While "$dir/hold" is there, fsync of our files waits, a minute at most; "waiting" tells of it, "gave_up" of the minute.
open(my $source, '>', "$dir/slow.c") or die $!;
print $source <<'C';
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void
touch(const char *path)
{
	FILE	   *f = fopen(path, "w");

	if (f != NULL)
		fclose(f);
}

int
fsync(int fd)
{
	char		link[64],
				path[4096] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof(path) - 1) > 0 && strstr(path, "/distilbert/") != NULL && access(DIR "/hold", F_OK) == 0)
	{
		int			tries = 0;

		touch(DIR "/waiting");
		for (; access(DIR "/hold", F_OK) == 0 && tries < 6000; tries++)
			usleep(10000);
		if (tries == 6000)
			touch(DIR "/gave_up");
	}
	return syscall(SYS_fsync, fd);
}
C
close($source);
system_or_bail($ENV{CC} // 'cc', '-shared', '-fPIC', "-DDIR=\"$dir\"", '-o', "$dir/slow.so", "$dir/slow.c");

my $node = do
{
	local $ENV{LD_PRELOAD} = "$dir/slow.so";
	new_node('main', conf => "fsync = on\n");
};
my $folder = $node->data_dir . '/distilbert';

load_model($node, 'distilbert-base');
$node->safe_psql('postgres', q{CREATE TABLE rows AS SELECT 'warm soup ' || i AS body, i % 2 AS label FROM generate_series(1, 40) i});

sub hold { append_to_file("$dir/hold", '') }

sub let_go
{
	unlink("$dir/$_") for qw(hold waiting gave_up);
}

# Cancelled while the disk is waited for.
sub cancelled
{
	my ($name, $sql) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query('SELECT pg_backend_pid()');

	hold();
	$session->query_until(qr/begun/, "SET client_min_messages = error; SET distilbert.checkpoint_interval = '1ms';\n\\echo begun\n$sql;\n\\echo ended\n");
	for (1 .. 6000)
	{
		last if -e "$dir/waiting";
		select(undef, undef, undef, 0.01);
	}
	ok(-e "$dir/waiting", "$name: waits for the disk");
	kill('INT', $pid);
	$session->query_until(qr/ended/, '');
	ok(-e "$dir/hold" && !-e "$dir/gave_up", "$name: was cancelled meanwhile");
	like($session->{stderr}, qr/canceling statement due to user request/, "$name: with the usual error") if ref $session->{stderr} eq '';
	is($session->query('SELECT pg_backend_pid()'), $pid, "$name: the session goes on");
	is_deeply([ grep { /tmp$/ } packs($node), training_files($node) ], [], "$name: no half of a file is left");
	let_go();
	is($session->query('SELECT 1'), '1', "$name: also when the disk has answered");
	$session->quit;
	return;
}

cancelled('checkpoint', q{SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows', 'distilbert-base', epochs => 1000)});
is($node->safe_psql('postgres', 'SELECT count(*) FROM distil_checkpoints'), '0', 'the checkpoint did not come to be');
unlink("$folder/$_") for packs($node);
cancelled('pack', q{SELECT distil_classify('warm soup', 'distilbert-base')});
is_deeply([ packs($node) ], [], 'nor did the pack');

# The same, and the disk answers.
is($node->safe_psql('postgres', q{SET client_min_messages = error; SET distilbert.checkpoint_interval = '1ms';
	SELECT max(epoch) FROM distil_train('m', 'SELECT body, label FROM rows', 'distilbert-base', epochs => 2);
	SELECT distil_classify('warm soup', 'm') IS NOT NULL}), "2\nt", 'trained and asked');
alive($node);
$node->stop;

done_testing();

# Trainings that are interrupted (cancelled, terminated, killed, by a stop of the
# server) and resumed give the bits of one that was not; whose checkpoint is
# whose, and what is refused.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use POSIX qw(mkfifo);
use Test::More;

my $node = new_node('main', conf => "restart_after_crash = on\nclient_min_messages = warning\n");
my $rows = 'SELECT body, label FROM rows ORDER BY id';
my $folder = $node->data_dir . '/distilbert/pgsql_tmp_training';

load_model($node, $_) for qw(distilbert-base bert-base-cased distilbert-mlm distilbert-sentiment);
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE trainer LOGIN;
CREATE ROLE stranger LOGIN;
GRANT EXECUTE ON FUNCTION distil_train, distil_pretrain, distil_distill, distil_export_model TO trainer, stranger;
CREATE TABLE rows AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body,
	CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 40) i;
GRANT ALL ON rows TO PUBLIC;
SQL

sub ask
{
	my ($sql, $role) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $role // 'trainer' ]);

	is($rc, 0, substr($sql, 0, 100)) or diag $err;
	return $out;
}

sub refused
{
	my ($sql, $error, $name, $role) = @_;

	like(($node->psql('postgres', $sql, extra_params => [ '-U', $role // 'trainer' ]))[2], $error, $name);
	return;
}

# A call that takes a while.
sub call
{
	my ($name, $options, %o) = @_;
	my $query = $o{query} // $rows;
	my $function = $o{function} // 'distil_train';
	my $base = $o{base} // 'distilbert-base';

	return "$function('$name', '$base', \$q\$$query\$q\$, epochs => 40, batch_size => 4 $options)" if $function eq 'distil_distill';
	return "$function('$name', \$q\$$query\$q\$, '$base', epochs => 40, batch_size => 4 $options)";
}

# What a training returns, but for times, and all bytes of the model.
sub result
{
	my ($call, $name) = @_;

	return (ask("SET distilbert.checkpoint_interval = '1ms'; SELECT md5(string_agg(concat_ws(' ', epoch, step, train_loss, eval_loss, metric, value), ',' ORDER BY epoch)) FROM $call"),
		ask("SELECT md5(string_agg(file || md5(data), ' ' ORDER BY file)) FROM distil_export_model('$name')"));
}

# What the newest checkpoint is told by.
sub stamp { return join(' ', map { (stat "$folder/$_")[1, 9] } grep { /checkpoint$/ } training_files($node)) }

# Begin it, with a checkpoint after every step, and end its session, or more, when it has written one; again, should
# it have come to its end before.
sub interrupt
{
	my ($call, $name, $how) = @_;

	for my $attempt (1 .. 5)
	{
		my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'trainer' ]);
		my $pid = $session->query("SET client_min_messages = error; SET distilbert.checkpoint_interval = '1ms'; SELECT pg_backend_pid()");
		my $before = stamp();

		$session->query_until(qr/begun/, "\\echo begun\nSELECT count(*) FROM $call;\n\\echo ended\n");
		for (1 .. 100000)
		{
			last if stamp() ne $before;
			select(undef, undef, undef, 0.001);
		}
		$how->($pid);
		eval { $session->quit };
		ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'the session has ended');
		return 1 if $node->safe_psql('postgres', "SELECT count(*) FROM distil_models WHERE name = '$name'") eq '0';
		$node->safe_psql('postgres', "SELECT distil_drop_model('$name')");
	}
	return 0;
}

my %how = (
	cancel => sub { kill('INT', $_[0]) },
	terminate => sub { kill('TERM', $_[0]) },
	kill => sub {
		my $log = -s $node->logfile;

		kill('KILL', $_[0]);
		ok(ready_again($node, $log), 'the server is up again');
	},
	stop => sub { $node->stop('fast'); $node->start; });

my %training = (
	plain => [ '' ],
	stopping => [ ', early_stopping => 200, learning_rate => 0.01', query => "SELECT body, CASE WHEN id % 7 = 0 THEN 'film' ELSE label END FROM rows ORDER BY id" ],
	frozen => [ ', freeze_embeddings => true, early_stopping => 200, validation_query => $v$SELECT body, label FROM rows ORDER BY id LIMIT 10$v$' ],
	student => [ ', layers => 1, alpha_cosine => 1, alpha_hidden => 1, early_stopping => 200', function => 'distil_distill',
		base => 'distilbert-sentiment', query => 'SELECT body FROM rows ORDER BY id' ],
	'masked-student' => [ ', early_stopping => 200', function => 'distil_distill', base => 'distilbert-mlm', query => 'SELECT body FROM rows ORDER BY id' ],
	pairs => [ q{, task => 'embed', early_stopping => 200}, query => q{SELECT body, 'some ' || body FROM rows ORDER BY id} ],
	masked => [ '', function => 'distil_pretrain', base => 'distilbert-mlm', query => 'SELECT body FROM rows ORDER BY id' ]);

for my $name (sort keys %training)
{
	my ($options, %o) = @{ $training{$name} };
	my @wanted = result(call("$name-whole", $options, %o), "$name-whole");
	my $call = call($name, "$options, resume => true", %o);
	for my $way ($name eq 'plain' ? sort keys %how : qw(cancel terminate))
	{
		ok(interrupt($call, $name, $how{$way}), "$name, $way: interrupted");
		is(ask('SELECT count(*) FROM distil_progress'), '0', "$name, $way: it has ended");
		is(ask('SELECT model, step > 0 FROM distil_checkpoints'), "$name|t", "$name, $way: there is a checkpoint");
	}
	is_deeply([ result($call, $name) ], \@wanted, "$name: resumed to its end it is the same model, with the same rows");
	is_deeply([ training_files($node) ], [], "$name: and its files are gone");
}

# Its own transaction decides when the checkpoint goes.
ok(interrupt(call('m', ''), 'm', $how{cancel}), 'cancelled');
my ($file) = training_files($node);
like($file, qr/^\d+-\d+-[0-9a-f]{32}\.checkpoint$/, 'one file');
ask('BEGIN; SELECT count(*) FROM ' . call('m', ', resume => true') . '; ROLLBACK');
is_deeply([ training_files($node) ], [$file], 'rolled back, the checkpoint stays');
is(ask("SELECT model, rolname, command, epoch BETWEEN 1 AND epochs, epochs, step < steps, bytes > 10000, saved_at < now(), seconds > 0 FROM distil_checkpoints"),
	'm|trainer|train|t|40|t|t|t|t', 'the view');

# Other trainings of the same name are refused, and say why.
my $resume = ', resume => true';
refused('SELECT * FROM ' . call('m', $resume, query => 'SELECT body, label FROM rows ORDER BY id DESC'), qr/one of another training.*other rows then, or the same in another order/s, 'another order');
refused('SELECT * FROM ' . call('m', $resume, query => 'SELECT body, label FROM rows WHERE id < 40 ORDER BY id'), qr/other rows then/, 'other rows');
refused('SELECT * FROM ' . call('m', $resume, query => "SELECT CASE id WHEN 7 THEN 'soup' ELSE body END, label FROM rows ORDER BY id"), qr/other rows then/, 'another text');
refused('SELECT * FROM ' . call('m', $resume, query => "SELECT body, CASE id WHEN 7 THEN 'food' ELSE label END FROM rows ORDER BY id"), qr/other rows then/, 'another label');
refused('SELECT * FROM ' . call('m', $resume, base => 'bert-base-cased'), qr/began with another model/, 'another base');
refused('SELECT * FROM ' . call('m', "$resume, $_"), qr/Other arguments differ/, "other arguments: $_")
  for 'seed => 7', 'dropout => 0', 'learning_rate => 0.001', 'warmup => 0', 'weight_decay => 0', 'head_only => true', q{class_weights => 'balanced'};
refused('SELECT * FROM ' . call('m', $resume, function => 'distil_pretrain', base => 'distilbert-mlm', query => 'SELECT body FROM rows ORDER BY id'), qr/made by distil_train/, 'another function');
is_deeply([ training_files($node) ], [$file], 'the checkpoint stays');

# Another role, another database, another name have none.
is(ask('SELECT count(*) FROM distil_checkpoints', 'stranger'), '0', 'another role sees none');
is(ask(q{SELECT distil_drop_checkpoint('m')}, 'stranger'), 'f', 'nor can it remove it');
my ($rc, $out, $err) = $node->psql('postgres', q{SET client_min_messages = notice; SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows ORDER BY id', 'distilbert-base', epochs => 1, resume => true, replace => true)}, extra_params => [ '-U', 'stranger' ]);
like($err, qr/there is no checkpoint, training from the beginning/, 'nor resume it');
is_deeply([ training_files($node) ], [$file], 'it is still there');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION distilbert');
is($node->safe_psql('other', 'SELECT count(*) FROM distil_checkpoints'), '0', 'sees none');
is($node->safe_psql('postgres', 'SELECT rolname FROM distil_checkpoints'), 'trainer', 'a superuser sees it');

# Files with wrong contents, or in another's place.
my $good = slurp_file("$folder/$file");
sub put
{
	my ($data, $as) = @_;

	open(my $f, '>:raw', "$folder/" . ($as // $file)) or die $!;
	print $f $data;
	close($f) or die $!;
	return;
}
my %wrong = (empty => '', short => substr($good, 0, 100), cut => substr($good, 0, -1), longer => $good . 'x', random => 'x' x length($good));
for my $at (0, 8, 40, 60, 200, 300, 1000, int(length($good) / 2), length($good) - 1)
{
	my $changed = $good;

	substr($changed, $at, 1) ^= "\x40";
	$wrong{"byte $at"} = $changed;
}
for my $name (sort keys %wrong)
{
	put($wrong{$name});
	refused('SELECT * FROM ' . call('m', ', resume => true, replace => true'), qr/checkpoint of the training of "m" is damaged.*Call without resume/s, "damaged: $name");
	is(ask('SELECT count(*) <= 1 FROM distil_checkpoints'), 't', 'the view bears it');
}
# What is no file is neither waited for nor followed.
my %odd = (
	FIFO => sub { mkfifo($_[0], 0600) },
	folder => sub { mkdir $_[0] },
	'dangling link' => sub { symlink('nowhere', $_[0]) },
	'link to a checkpoint' => sub { put($good, 'elsewhere'); symlink('elsewhere', $_[0]) });
for my $name (sort keys %odd)
{
	unlink "$folder/$file";
	$odd{$name}->("$folder/$file") or die "$name: $!";
	refused('SELECT * FROM ' . call('m', ', resume => true, replace => true'), qr/checkpoint of the training of "m" is damaged.*Call without resume/s, "odd: $name");
	is(ask('SELECT count(*) FROM distil_checkpoints'), '0', 'the view bears it');
	rmdir "$folder/$file";
}
unlink "$folder/$file", "$folder/elsewhere";
put($good);
my ($stranger) = split /\|/, ask(q{SELECT oid FROM pg_roles WHERE rolname = 'stranger'});
(my $theirs = $file) =~ s/-\d+-/-$stranger-/;
put($good, $theirs);
refused('SELECT * FROM ' . call('m', ', resume => true, replace => true'), qr/is damaged/, 'that of another role in its place', 'stranger');
unlink("$folder/$theirs");

# Removed on demand; replaced by a training that begins anew; leftovers.
is(ask(q{SELECT distil_drop_checkpoint('n'), distil_drop_checkpoint('m'), distil_drop_checkpoint('m')}), 'f|t|f', 'removed');
is_deeply([ training_files($node) ], [], 'no file');
put($good);
put('x', "$file.1.tmp");
put('x', '1-1-x.checkpoint.2.tmp');
$node->safe_psql('postgres', q{SELECT distil_drop_model('m')});
ok(interrupt(call('m', ', seed => 7'), 'm', $how{cancel}), 'begun anew');
is_deeply([ training_files($node) ], [$file], 'leftovers go');
refused('SELECT * FROM ' . call('m', ', replace => true, resume => true'), qr/Other arguments differ/, 'the new training has its own checkpoint');

# No room: the training goes on.
ask(q{SELECT distil_drop_checkpoint('m')});
$node->append_conf('postgresql.conf', 'distilbert.checkpoint_space = 0');
$node->reload;
($rc, $out, $err) = $node->psql('postgres', q{SET distilbert.checkpoint_interval = '1ms'; SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows ORDER BY id', 'distilbert-base', epochs => 2, replace => true)}, extra_params => [ '-U', 'trainer' ]);
is($out, '2', 'without room it trains to its end');
is(() = ($err =~ /could not write a checkpoint.*more than distilbert.checkpoint_space, 0 MB/gs), 1, 'with one warning');
$node->append_conf('postgresql.conf', 'distilbert.checkpoint_space = 1GB');
$node->reload;

# By default a short training writes none; 0 turns them off.
is(ask(q{SELECT count(*) FROM distil_checkpoints; SHOW distilbert.checkpoint_interval}), "0\n5min", 'the default');
ask(q{SET distilbert.checkpoint_interval = 0; SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows ORDER BY id', 'distilbert-base', epochs => 2, replace => true, resume => true)});
is_deeply([ training_files($node) ], [], 'no files');
done_testing();

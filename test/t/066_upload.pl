# A model's directory is sent over the connection: client/distil_upload, its interruptions, a crash in between, dumps.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $script = "$FindBin::RealBin/../../client/distil_upload";
my @connection = ('-d', $node->connstr('postgres'));

# What the script says, and how it ends.
sub send_model
{
	my ($shell, @args) = @_;
	my ($out, $err) = ('', '');
	my $ok = IPC::Run::run([ @$shell, $script, @args, @connection ], '>', \$out, '2>', \$err);

	return ($ok, $out, $err);
}

sub same_model
{
	my ($a, $b) = @_;

	return $node->safe_psql('postgres', "SELECT count(DISTINCT sha256) = 1 AND count(*) = 2 FROM distil_models WHERE name IN ('$a', '$b')");
}

# every shell that is here
my @shells = grep { system("command -v $_->[0] >/dev/null 2>&1") == 0 }
  ([ 'sh' ], [ 'dash' ], [ 'bash', '--posix' ], [ 'busybox', 'sh' ], [ 'ksh' ], [ 'zsh', '--emulate', 'sh' ]);
my $loaded = '';
load_model($node, $_) for qw(distilbert-sentiment bert-sentence distilbert-sharded marian-torch);
for my $fixture (qw(distilbert-sentiment bert-sentence distilbert-sharded marian-torch))
{
	for my $shell (@shells)
	{
		my ($ok, $out, $err) = send_model($shell, '-r', "sent-$fixture", fixtures() . "/$fixture");

		ok($ok, "@$shell sends $fixture") or diag $err;
		like($err, qr/^config\.json: 1 kB$/m, 'and says what it sends');
		is(same_model($fixture, "sent-$fixture"), 't', 'the same model as from the directory');
		last if $fixture ne 'distilbert-sentiment';
	}
}

# many parts, whose ends lie elsewhere than those of stored chunks
my $tmp = PostgreSQL::Test::Utils::tempdir;
big_model("$tmp/big", 14);
$node->append_conf('postgresql.conf', "distilbert.model_path = '$tmp'");
$node->reload;
$node->safe_psql('postgres', q{SELECT name FROM distil_load_model('big', 'big')});
my ($ok, $out, $err) = send_model(['sh'], '-t', 'embed', 'sent-big', "$tmp/big");
ok($ok, 'a file in many parts') or diag $err;
like($out, qr/sent-big +\| embed/, 'it shows the model');
is(same_model('big', 'sent-big'), 't', 'the same model');
$node->safe_psql('postgres', <<"SQL");
SELECT count(distil_upload_part('cut', file, part, substring(data FROM (part - 1) * 700001 + 1 FOR 700001))) FROM distil_export_model('big'),
	generate_series(1, (length(data) + 700000) / 700001) AS part;
SELECT name FROM distil_upload_finish('cut', 'embed');
SQL
is(same_model('big', 'cut'), 't', 'the same, cut otherwise');

# names that are hostile to shells and to SQL; what no reader asks for is not sent
mkdir "$tmp/od'd \$(touch x)";
my $odd = "$tmp/od'd \$(touch x)";
copy(fixtures() . "/distilbert-sentiment/$_", "$odd/$_") or die $! for qw(config.json model.safetensors tokenizer.json tokenizer_config.json);
mkdir "$odd/$_" for qw(.git onnx 1_Pooling);
append_to_file("$odd/$_", '{}') for ("it's \$(touch y).json", '-n.json', '.git/config.json', 'onnx/config.json', '1_Pooling/config.json', 'README.md', 'training_args.bin');
append_to_file("$odd/pytorch_model.bin", 'no pickle');
($ok, $out, $err) = send_model(['sh'], 'odd', $odd);
ok($ok, 'odd names') or diag $err;
like($err, qr/^it's \$\(touch y\)\.json: 1 kB$/m, 'are names');
unlike($err, qr/README|\.git|onnx|training|pytorch/, 'what no model needs is left out');
is(scalar(grep { -e "$odd/$_" } qw(x y)), 0, 'and nothing of them ran');

# refusals
($ok, $out, $err) = send_model(['sh'], 'sent-big', fixtures() . '/bert-sentence');
ok(!$ok, 'a name that is taken');
like($err, qr/already exists with different content/, 'is refused');
is($node->safe_psql('postgres', q{SELECT parts > 3 FROM distil_uploads WHERE name = 'sent-big'}), 't', 'what was sent is there yet');
$node->safe_psql('postgres', q{SELECT name FROM distil_upload_finish('sent-big', replace => true)});
is(same_model('sent-big', 'bert-sentence'), 't', 'and need not be sent again');
# a download that was interrupted: a shard that is not there, a link of a cache to nothing
for my $lacks (qw(model-00002-of-00003.safetensors tokenizer.json))
{
	my $dir = "$tmp/with out $lacks";

	mkdir $dir;
	copy($_, $dir) or die $! for grep { !/\Q$lacks\E$/ } glob(fixtures() . '/distilbert-sharded/*');
	symlink('/nowhere/blob', "$dir/$lacks") or die $! if $lacks =~ /json/;
	($ok, $out, $err) = send_model(['sh'], 'lacks', $dir);
	ok(!$ok, "without $lacks");
	is($err, "distil_upload: $dir lacks $lacks\n", 'nothing is sent');
}
for ([ [], qr/^Usage/m ], [ [ '-q', 'x', $tmp ], qr/^Usage/m ], [ [ 'x', $tmp ], qr/neither config\.json/ ], [ [ 'x', "$tmp/none" ], qr/none/ ],
	[ [ '-t', 'dance', 'x', $tmp ], qr/unknown task: dance/ ], [ [ '-p', 'int4', 'x', $tmp ], qr/unknown precision: int4/ ])
{
	my ($args, $wanted) = @$_;

	($ok, $out, $err) = send_model(['sh'], @$args);
	ok(!$ok, "distil_upload @$args fails");
	like($err, $wanted, 'and says why');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM distil_uploads'), '0', 'nothing was sent');

# the connection ends in the middle
$node->append_conf('postgresql.conf', "distilbert.upload_limit = '9MB'");
$node->reload;
($ok, $out, $err) = send_model(['sh'], 'half', "$tmp/big");
ok(!$ok, 'more than the limit');
like($err, qr/uploads would take more than 9 MB.*^distil_upload: half was not stored$/sm, 'is refused');
is($node->safe_psql('postgres', q{SELECT bytes BETWEEN 8000000 AND 9 * 1024 * 1024 FROM distil_uploads WHERE name = 'half'}), 't', 'a part of it was sent');
is($node->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'half'}), '0', 'nothing of it is a model');
$node->append_conf('postgresql.conf', "distilbert.upload_limit = '200MB'");
$node->reload;
($ok, $out, $err) = send_model(['sh'], 'half', "$tmp/big");
ok($ok, 'it is sent again') or diag $err;

# dumps leave uploads out, and a crash does
$node->safe_psql('postgres', q{SELECT distil_upload_part('lost', 'config.json', 1, '{}')});
my ($dump) = run_command([ 'pg_dump', '-d', $node->connstr('postgres') ]);
unlike($dump, qr/upload_part/, 'pg_dump leaves uploads out');
$node->stop('immediate');
$node->start;
is($node->safe_psql('postgres', 'SELECT count(*) FROM distil_uploads'), '0', 'nothing is left of it after a crash');
my (undef, undef, $said) = $node->psql('postgres', q{SELECT name FROM distil_upload_finish('lost')});
like($said, qr/nothing was uploaded for model "lost".*Send its files/s, 'and finishing says so');
is(same_model('big', 'half'), 't', 'models are what they were');

# two finish at once
$node->safe_psql('postgres', <<"SQL");
SELECT count(distil_upload_part('twice', file, part, substring(data FROM (part - 1) * 9000000 + 1 FOR 9000000))) FROM distil_export_model('big'),
	generate_series(1, (length(data) + 8999999) / 9000000) AS part
SQL
my @two = map { IPC::Run::start([ 'psql', '-XAtq', @connection, '-c', q{SELECT name FROM distil_upload_finish('twice')} ], '>&', "$tmp/out$_") } 1 .. 2;
$_->finish for @two;
my $both = slurp_file("$tmp/out1") . slurp_file("$tmp/out2");
like($both, qr/^twice$/m, 'one of two stores it');
like($both, qr/nothing was uploaded/, 'the other one finds nothing');
is(same_model('big', 'twice'), 't', 'it is the model');
alive($node);
done_testing();

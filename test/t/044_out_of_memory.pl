# A server in which one malloc fails: whatever the statement, it says "out of
# memory" and nothing else, or answers as ever; no process dies, and what was
# there before is there afterwards.
#
# Each statement runs in a session of its own, again and again, and each time
# another allocation of it fails.  Of those it makes thirty are chosen by chance;
# DBERT_MALLOCS for another number, 0 for all.  DBERT_SEED repeats a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;

my $most = $ENV{DBERT_MALLOCS} // 30;
my $seed = $ENV{DBERT_SEED} // $$ ^ int(time());
my $dir = PostgreSQL::Test::Utils::tempdir;
my $fixtures = fixtures();

chomp(my $include = `$ENV{PG_CONFIG} --includedir-server`);
system_or_bail('cc', '-shared', '-fPIC', '-O1', "-I$include", '-o', "$dir/failmalloc.so", "$FindBin::RealBin/failmalloc.c");
srand($seed);
diag("DBERT_SEED=$seed");

my $node = do
{
	local $ENV{LD_PRELOAD} = "$dir/failmalloc.so";
	new_node('main', conf => "client_min_messages = error\nrestart_after_crash = on\ndistilbert.threads = 2\ndistilbert.checkpoint_interval = '1ms'\ndistilbert.sentiment_model = 's'\n");
};
load_model($node, $_) for qw(distilbert-base distilbert-mlm bert-sentence electra-qa distilbert-nli bert-rerank marian-one);
load_model($node, 'distilbert-sentiment', 's');
load_model($node, 'bert-ner', 'ner');
$node->safe_psql('postgres', <<"SQL");
CREATE FUNCTION fail_malloc(int) RETURNS int LANGUAGE c AS '$dir/failmalloc.so', 'fail_malloc';
CREATE TABLE rows AS SELECT i AS id, 'warm soup ' || i AS body, CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 12) i;
CREATE TABLE judged (body text, flagged boolean);
CREATE TRIGGER judge BEFORE INSERT ON judged FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=s', 'label=NEGATIVE', 'threshold=0.5', 'action=flag', 'target=flagged');
ANALYZE;
SQL

my $packs = $node->data_dir . '/distilbert';
my $rows = 'SELECT body, label FROM rows ORDER BY id';

# [ what, statement, and a command of the shell before it ]
my @works = (
	[ 'load', "SELECT name FROM distil_load_model('other', '$fixtures/distilbert-stars')" ],
	[ 'load, tokenizer.json and shards', "SELECT name FROM distil_load_model('other', '$fixtures/distilbert-sharded')" ],
	[ 'load, a translator', "SELECT name FROM distil_load_model('other', '$fixtures/marian-many')" ],
	[ 'load, weights of before torch 1.6', "SELECT name FROM distil_load_model('other', '$fixtures/marian-torch')" ],
	[ 'pack', q{SELECT distil_sentiment('warm soup', 's')}, "rm -f $packs/*.pack" ],
	[ 'first use', q{SELECT distil_sentiment('warm soup', 's')} ],
	[ 'an array', q{SELECT distil_embed(ARRAY['warm soup', 'a film', NULL], 'bert-sentence')} ],
	[ 'a long text', q{SELECT distil_scores(repeat('warm soup ', 500), 's')} ],
	[ 'entities', q{SELECT distil_entities('Anna met Bob in Rome', 'ner')} ],
	[ 'an answer', q{SELECT distil_answer('Who met Bob?', 'Anna met Bob in Rome', 'electra-qa')} ],
	[ 'zero shot', q{SELECT distil_zero_shot('warm soup', ARRAY['food', 'film'], 'distilbert-nli')} ],
	[ 'zero shot by vectors', q{SELECT distil_zero_shot('warm soup', ARRAY['food', 'film'], 'bert-sentence')} ],
	[ 'rerank by vectors', q{SELECT distil_rerank('soup', ARRAY['warm soup', 'a film'], 'bert-sentence')} ],
	[ 'rerank', q{SELECT distil_rerank('soup', ARRAY['warm soup', 'a film'], 'bert-rerank')} ],
	[ 'fill mask', q{SELECT distil_fill_mask('warm [MASK]', 'distilbert-mlm')} ],
	[ 'tokens and chunks', q{SELECT distil_tokenize('warm soup', 'ner'), distil_chunk(repeat('warm soup ', 50), 'ner', 9, 2)} ],
	[ 'a batch', q{SELECT sum(distil_sentiment(body)), count(distil_embed(body, 'bert-sentence')) FROM rows WHERE distil_sentiment_label(body) IS NOT NULL} ],
	[ 'translation', q{SELECT distil_translate(ARRAY['Anna met Bob. 3 cats!', NULL, 'A film'], 'marian-one', max_tokens => 12)} ],
	[ 'moderation', q{INSERT INTO judged SELECT body FROM rows RETURNING *} ],
	[ 'evaluation', q{SELECT * FROM distil_evaluate('s', 'SELECT body, CASE label WHEN ''food'' THEN ''POSITIVE'' ELSE ''NEGATIVE'' END FROM rows ORDER BY id')} ],
	[ 'evaluation of a translator', q{SELECT * FROM distil_evaluate('marian-one', $$VALUES ('Anna met Bob.', 'Bob met Anna, 3 times.'), ('A film', 'A film')$$)} ],
	[ 'export', q{SELECT file, octet_length(data) FROM distil_export_model('s')} ],
	[ 'training, with a checkpoint', "SELECT step, train_loss FROM distil_train('other', '$rows', 'distilbert-base', epochs => 1, batch_size => 8)" ],
	[ 'pretraining', "SELECT step, train_loss FROM distil_pretrain('other', 'SELECT body FROM rows ORDER BY id', 'distilbert-mlm', epochs => 1)" ],
	[ 'distillation', "SELECT step, train_loss FROM distil_distill('other', 's', 'SELECT body FROM rows ORDER BY id', layers => 1, epochs => 1)" ],
	[ 'drop', q{SELECT distil_drop_model('ner')} ],
	[ 'views', q{SELECT (SELECT string_agg(name || task, ' ' ORDER BY name) FROM distil_models WHERE NOT builtin), (SELECT count(*) FROM distil_stats), (SELECT count(*) FROM distil_checkpoints)} ]);

# Run the statement once for each number, that allocation failing: for each
# [number, what was said, allocations that were left or an error].
sub run
{
	my ($work, @numbers) = @_;
	my ($name, $sql, $before) = @$work;
	my ($script, $out) = ("$dir/script.sql", '');

	open(my $f, '>', $script) or die $!;
	print $f "\\set VERBOSITY verbose\n";
	for my $n (@numbers)
	{
		print $f "\\! $before\n" if $before;
		print $f "\\echo ==== $n\n\\c\nLOAD 'distilbert';\nSELECT fail_malloc(0) \\g /dev/null\nBEGIN;\nSELECT fail_malloc($n) \\g /dev/null\n$sql;\nROLLBACK;\n\\echo ==\nSELECT fail_malloc(0);\n";
	}
	close($f) or die $!;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $script ], '>&', \$out, IPC::Run::timeout(1800));
	$out =~ s/^psql:[^:]*:\d+: //mg;
	$out =~ s/^You are now connected.*\n//mg;
	my (undef, @tries) = split(/^==== /m, $out);
	return map { /^(\d+)\n(.*?)^==\n(.*)/ms ? [ $1, $2, $3 ] : [ 0, '', $_ ] } @tries;
}

# Its answer, or "out of memory": of the statement, or of what was asked behind it.
sub is_right
{
	my ($try, $wanted) = @_;
	my (undef, $said, $left) = @$try;

	return $said =~ /^ERROR:  53200: / && $left eq "0\n" || $said eq $wanted && $left =~ /^(\d+\n$|ERROR:  53200: )/;
}

my $many = 1000000;

for my $work (@works)
{
	my ($name) = @$work;
	my (undef, $first) = (run($work, 0), run($work, $many));
	my (undef, $wanted, $left) = @$first;
	my @numbers = shuffle(1 .. $many - $left);

	unlike($wanted, qr/ERROR|FATAL/, "$name works") or diag $wanted;
	splice(@numbers, $most) if $most && $most < @numbers;
	my @tries = run($work, sort { $a <=> $b } @numbers);
	my @wrong = grep { !is_right($_, $wanted) } @tries;

	is(scalar(@tries), scalar(@numbers), "$name: " . scalar(@numbers) . ' of ' . ($many - $left) . ' allocations failed');
	cmp_ok(scalar(grep { $_->[1] =~ /53200/ } @tries), '>', 0, "$name: out of memory");
	is(scalar(@wrong), 0, "$name: and nothing else") or diag join("\n", map { "allocation $_->[0]:\n$_->[1]left: $_->[2]" } splice(@wrong, 0, 10));
	is((run($work, 0))[0]->[1], $wanted, "$name: afterwards as before");
}
alive($node);
done_testing();

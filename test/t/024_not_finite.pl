# Weights that are finite but too large: what comes of them is no answer, but an error
# of the row, as on_error says; nothing passes a threshold or a moderation by it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

# A copy of a folder with other weights.
sub with_weights
{
	my ($from, $weights) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir();

	system('cp', '-r', "$from/.", $dir) == 0 or die;
	chmod 0644, "$dir/model.safetensors";
	open(my $out, '>:raw', "$dir/model.safetensors") or die $!;
	print $out $weights;
	close($out);
	chmod 0755, $dir;
	return $dir;
}

# A fixture with this bit pattern in all floats of some tensors.
sub spoil
{
	my ($fixture, $pattern, $bits) = @_;
	my $from = fixtures() . "/$fixture";
	my $weights = slurp_file("$from/model.safetensors");
	my $start = 8 + unpack('Q<', $weights);
	my $header = decode_json(substr($weights, 8, $start - 8));
	my $count = 0;

	for my $name (grep { $_ =~ $pattern } keys %$header)
	{
		my ($begin, $end) = @{ $header->{$name}{data_offsets} };
		my $wide = $header->{$name}{dtype} eq 'F32';
		my $narrow = $header->{$name}{dtype} eq 'F16' ? 0x7bff : $bits >> 16;	# the largest; BF16

		substr($weights, $start + $begin, $end - $begin) =
		  $wide ? pack('L<*', ($bits) x (($end - $begin) / 4)) : pack('S<*', ($narrow) x (($end - $begin) / 2));
		$count++;
	}
	die "no tensor of $fixture is like $pattern" if $count == 0;
	return with_weights($from, $weights);
}

# A fixture in F32 with the embedding of one word too large.
sub spoil_word
{
	my ($fixture, $word) = @_;
	my $from = fixtures() . "/$fixture";
	my $weights = slurp_file("$from/model.safetensors");
	my $start = 8 + unpack('Q<', $weights);
	my $header = decode_json(substr($weights, 8, $start - 8));
	my ($tensor) = map { $header->{$_} } grep { /word_embeddings/ } keys %$header;
	my @vocabulary = split(/\n/, slurp_file("$from/vocab.txt"));
	my ($id) = grep { $vocabulary[$_] eq $word } 0 .. $#vocabulary;
	my $width = $tensor->{shape}[1];

	substr($weights, $start + $tensor->{data_offsets}[0] + $id * 4 * $width, 4 * $width) = pack('L<*', (0x7f000000) x $width);
	return with_weights($from, $weights);
}

my ($huge, $nan, $infinity) = (0x7f000000, 0x7fc00000, 0x7f800000);
my $node = new_node('main');
my %models = (
	s => [ 'distilbert-sentiment', qr/^classifier\.weight/ ],
	ffn => [ 'distilbert-sentiment', qr/layer\.0\.ffn\.lin[12]\.weight/ ],
	norm => [ 'distilbert-sentiment', qr/layer\.0\.sa_layer_norm\.weight/ ],
	multi => [ 'distilbert-multilabel', qr/^classifier\.weight/ ],
	number => [ 'distilbert-regression', qr/^classifier\.weight/ ],
	e => [ 'bert-sentence', qr/layer\.\d\.output\.LayerNorm\.weight/ ],
	max => [ 'bert-max', qr/layer\.\d\.output\.LayerNorm\.weight/ ],
	ner => [ 'bert-ner', qr/^classifier\.weight/ ],
	qa => [ 'distilbert-qa', qr/^qa_outputs\.weight/ ],
	nli => [ 'distilbert-nli', qr/^classifier\.weight/ ],
	rank => [ 'bert-rerank', qr/layer\.\d\.output\.LayerNorm\.weight/ ],
	mlm => [ 'bert-mlm', qr/transform\.LayerNorm\.weight/ ]);
for my $name (sort keys %models)
{
	my $dir = spoil(@{ $models{$name} }, $huge);

	$node->safe_psql('postgres', "SELECT distil_load_model('$_->[0]', '$dir', \"precision\" => '$_->[1]')")
	  for [ $name, 'fp32' ], [ "${name}8", 'int8' ];
}
for my $bits ($nan, $infinity)
{
	my ($rc, $out, $err) = $node->psql('postgres', "SELECT distil_load_model('x', '" . spoil(@{ $models{s} }, $bits) . "')");
	like($err, qr/tensor "classifier\.weight" holds NaN or infinity/, 'weights that are not finite are refused by name');
}

my %calls = (
	(map { $_ => [ "distil_sentiment('a good film', '$_')", "distil_classify('a good film', '$_', min_score => 0.9)",
			"distil_score('a good film', '$_', (SELECT labels[1] FROM distil_models WHERE name = '$_'))",
			"distil_uncertainty('a good film', '$_')", "(SELECT count(*) FROM distil_scores('a good film', '$_'))" ] } qw(s ffn norm)),
	multi => [ "distil_classify('a good film', 'multi')", "distil_uncertainty('a good film', 'multi')" ],
	number => [ "(SELECT score FROM distil_scores('a good film', 'number'))", "distil_classify('a good film', 'number')" ],
	(map { $_ => [ "distil_embed('a good film', '$_')", "distil_similarity('a good film', 'x', '$_')", "distil_embed('x', '$_', true, 4)" ] } qw(e max)),
	ner => [ "(SELECT count(*) FROM distil_entities('Anna in Berlin', 'ner', min_score => 0.9))", "distil_mask('Anna in Berlin', 'ner')" ],
	qa => [ "(SELECT count(*) FROM distil_answer('Who?', 'Anna in Berlin', 'qa'))", "distil_answer_text('Who?', 'Anna in Berlin', 'qa')" ],
	nli => [ "(SELECT count(*) FROM distil_zero_shot('a good film', '{film,food}', 'nli'))", "(SELECT count(*) FROM distil_pair_scores('a', 'b', 'nli'))" ],
	rank => [ "distil_rerank('film', '{a good film}', 'rank')", "distil_rerank_distance('film', 'a good film', 'rank')" ],
	mlm => [ "(SELECT count(*) FROM distil_fill_mask('a [MASK] film', 'mlm'))" ]);
for my $model (sort keys %calls)
{
	for my $call (map { my $c = $_; ($c, $c =~ s/'$model'/'${model}8'/gr) } @{ $calls{$model} })
	{
		my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT $call");

		like($err, qr/ERROR:  22003: model "\w+" has no finite answer for a text/, $call) or diag($out);
	}
}

$node->safe_psql('postgres', q{CREATE TABLE post AS SELECT i AS id, 'film ' || i AS body FROM generate_series(1, 50) AS i});
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT distil_sentiment(body, 's') FROM post});
like($err, qr/model "s" has no finite answer/, 'in batches');
is($node->safe_psql('postgres', q{SELECT count(distil_sentiment(body, 's', on_error => 'null')), count(*) FROM post}), '0|50', 'NULL if it is wished');
is($node->safe_psql('postgres', q{SELECT distil_sentiment(string_agg(body, ' '), 's', on_error => 'null') IS NULL FROM post}), 't', 'in windows');
is($node->safe_psql('postgres', q{SELECT distil_sentiment(array_agg(body), 's', on_error => 'null') = array_fill(NULL::real, ARRAY[50]) FROM post}), 't', 'in arrays');
is($node->safe_psql('postgres', q{SELECT (distil_embed(array_agg(body), 'e', on_error => 'null'))[3][1] IS NULL FROM post}), 't', 'in matrices');
$node->safe_psql('postgres', "SELECT distil_load_model('soup', '" . spoil_word('bert-sentence', 'soup') . "')");
is($node->safe_psql('postgres', q{SELECT m[1:1] = distil_embed('{film}'::text[], 'soup') AND m[2][1] IS NULL AND m[3:3] = distil_embed('{good}'::text[], 'soup') AND m[4:4] = m[1:1] AND array_length(m, 1) = 5
	FROM distil_embed('{film,soup,good,film,a soup}'::text[], 'soup', on_error => 'null') AS m}), 't', 'in matrices beside others');
is($node->safe_psql('postgres', q{SET distilbert.cache_size = '1MB'; SELECT count(distil_sentiment(body, 's', on_error => 'null')) FROM post, generate_series(1, 2)}), '0', 'the cache keeps none');

# Moderation fails closed, whatever the action and the settings.
for my $trigger ("BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=s', 'label=NEGATIVE', 'threshold=0', 'action=reject')",
	"AFTER INSERT ON post REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION distil_moderate('column=body', 'model=s', 'label=NEGATIVE', 'threshold=1', 'action=reject')",
	"BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=s', 'label=NEGATIVE', 'action=mask')",
	"BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=ner', 'action=mask')")
{
	($rc, $out, $err) = $node->psql('postgres', "CREATE TRIGGER judge $trigger; SET distilbert.on_error = 'null'; INSERT INTO post VALUES (0, 'anything')");
	like($err, qr/ERROR:.*has no finite answer/, $trigger);
	$node->safe_psql('postgres', 'DROP TRIGGER judge ON post');
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM post'), '50', 'nothing got in');

# Vectors of users.
for my $vector ('{NaN,1}', '{Infinity,1}', '{1,-Infinity}')
{
	($rc, $out, $err) = $node->psql('postgres', "SELECT distilbert.cosine('$vector', '{1,2}')");
	like($err, qr/NaN and infinity are not allowed in a vector/, "cosine of $vector");
}
is($node->safe_psql('postgres', "SELECT distilbert.cosine('{3e38,3e38}', '{3e38,3e38}'), distilbert.cosine('{0,0}', '{1,1}')"), '1|0', 'large and small vectors');
alive($node);
done_testing();

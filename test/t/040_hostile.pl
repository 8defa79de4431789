# Model directories that somebody made to do harm, or that came apart: each is
# refused with a sentence, or loads and answers; no backend dies or hangs.
#
# A case is a name, what is to come of it ("no": refused, "yes": loads, "any"),
# a fixture, and what is done to its copy.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Encode qw(encode);
use File::Copy qw(copy);
use File::Path qw(make_path remove_tree);
use JSON::PP;
use POSIX qw(mkfifo);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.sentiment_model = 'good'\nclient_min_messages = warning\n");
my $root = PostgreSQL::Test::Utils::tempdir . '/hostile';
my $json = JSON::PP->new->canonical->utf8->allow_nonref->max_depth(10000);
my @cases;

make_path($root);

# ---- tools; a case's sub is called in its directory ----

sub put
{
	my ($name, $bytes) = @_;

	open(my $f, '>:raw', $name) or die "$name: $!";
	print $f $bytes;
	close($f) or die $!;
	return;
}

sub edit { my ($name, $sub) = @_; local $_ = slurp_file($name); $sub->(); put($name, $_); return }

# A file of JSON, as a structure to be changed.
sub with_json
{
	my ($name, $sub) = @_;
	my $x = decode_json(slurp_file($name));

	$sub->($x);
	put($name, $json->encode($x));
	return;
}

# The same of the header of model.safetensors; its data stays.
sub with_header
{
	my ($sub) = @_;
	my $bytes = slurp_file('model.safetensors');
	my $size = unpack('Q<', $bytes);
	my $header = decode_json(substr($bytes, 8, $size));
	my $data = substr($bytes, 8 + $size);
	my $text = $sub->($header, \$data);

	$text = $json->encode($header) if !defined $text || ref $text || $text !~ /^\{/;
	put('model.safetensors', pack('Q<', length $text) . $text . $data);
	return;
}

sub config { my ($key, $value) = @_; return sub { with_json('config.json', sub { $_[0]{$key} = $value }) } }
sub tensor_named { my ($h) = @_; return (grep { /word_embeddings/ } sort keys %$h)[0] }
sub of_tensor { my ($sub) = @_; return sub { with_header(sub { $sub->($_[0]{ tensor_named($_[0]) }, @_); return }) } }
sub file { my ($name, $bytes) = @_; return sub { put($name, $bytes) } }
sub truncated { my ($name, $to) = @_; return sub { truncate($name, $to) or die $! } }

sub case
{
	my ($name, $wanted, $fixture, $sub) = @_;

	push @cases, [ $name, $wanted, $fixture, $sub ];
	return;
}

my @plain = ('distilbert-sentiment');
my @needed = qw(config.json model.safetensors);

# ---- what stands in a file's place ----

for my $f (qw(config.json model.safetensors tokenizer.json tokenizer_config.json))
{
	my $must = $f =~ /^(config|model)/ ? 'no' : 'any';

	case("$f is missing", $must, @plain, sub { unlink $f });
	case("$f is empty", 'no', @plain, file($f, ''));
	case("$f is a directory", 'no', @plain, sub { unlink $f; mkdir $f });
	case("$f is a FIFO", 'no', @plain, sub { unlink $f; mkfifo($f, 0666) });
	case("$f is a link to itself", 'no', @plain, sub { unlink $f; symlink $f, $f });
	case("$f is a link to nothing", 'any', @plain, sub { unlink $f; symlink '/nonexistent/x', $f });
	case("$f is a link to /dev/zero", 'no', @plain, sub { unlink $f; symlink '/dev/zero', $f });
	case("$f is a link to /dev/null", 'no', @plain, sub { unlink $f; symlink '/dev/null', $f });
	case("$f may not be read", 'no', @plain, sub { chmod 0, $f }) if $> != 0;
	case("$f is a hole of 8 GB", 'no', @plain, sub { put($f, ''); truncate($f, 8 << 30) });
	case("$f is zeros", 'no', @plain, file($f, "\0" x 4096));
	case("$f is 0xff", 'no', @plain, file($f, "\xff" x 4096));
	case("$f is cut in the middle", 'no', @plain, sub { truncate($f, (-s $f) / 2) });
	case("$f has bytes behind its end", ($f eq 'model.safetensors' ? 'any' : 'no'), @plain, sub { append_to_file($f, ' x') });
}
case('a socket for a config', 'no', @plain, sub {
	unlink 'config.json'; require IO::Socket::UNIX; my $s = IO::Socket::UNIX->new(Local => 'config.json', Listen => 1) });
case('an empty directory', 'no', @plain, sub { unlink glob('*') });
case('ten thousand other files', 'yes', @plain, sub { put("other$_", '') for 1 .. 10000 });
case('a deep tree beside the files', 'yes', @plain, sub { make_path(join('/', ('d') x 200)) });
case('a weight in pickle alone', 'no', @plain, sub { unlink 'model.safetensors'; put('pytorch_model.bin', "PK\3\4") });

# ---- JSON ----

for my $f (qw(config.json tokenizer.json tokenizer_config.json))
{
	case("$f begins with a BOM", 'any', @plain, sub { edit($f, sub { $_ = "\xef\xbb\xbf$_" }) });
	case("$f is UTF-16", 'no', @plain, sub { edit($f, sub { $_ = encode('UTF-16', $_) }) });
	case("$f is deeply nested", 'no', @plain, file($f, '[' x 1_000_000));
	case("$f is nested and closed", 'no', @plain, file($f, ('{"a":' x 100_000) . '1' . ('}' x 100_000)));
	case("$f is an array", 'no', @plain, file($f, '[1, 2]'));
	case("$f is a string", 'no', @plain, file($f, '"x"'));
	case("$f is null", 'no', @plain, file($f, 'null'));
	case("$f has no end", 'no', @plain, file($f, '{"model_type": "distilbert"'));
	case("$f has a wrong UTF-8 string", 'no', @plain, sub { edit($f, sub { s/\{/{"bad": "\xff\xfe",/ }) });
	case("$f has a lone surrogate", 'any', @plain, sub { edit($f, sub { s/\{/{"bad": "\\ud800",/ }) });
	case("$f has a NUL in a string", 'any', @plain, sub { edit($f, sub { s/\{/{"bad": "a\\u0000b",/ }) });
	case("$f has a NUL in a key", 'any', @plain, sub { edit($f, sub { s/\{/{"a\\u0000b": 1,/ }) });
	case("$f has NaN", 'any', @plain, sub { edit($f, sub { s/\{/{"bad": NaN,/ }) });
	case("$f has a huge number", 'any', @plain, sub { edit($f, sub { s/\{/'{"bad": 1' . ('0' x 1000) . ','/e }) });
	case("$f has 1e999", 'any', @plain, sub { edit($f, sub { s/\{/{"bad": 1e999,/ }) });
	case("$f has a key twice", 'any', @plain, sub { edit($f, sub { s/\{/{"model_type": "bert", "model_type": "x",/ }) });
	case("$f has a string of 20 MB", 'any', @plain, sub { edit($f, sub { s/\{/'{"bad": "' . ('x' x 20_000_000) . '",'/e }) });
	case("$f has 200,000 keys", 'any', @plain, sub { edit($f, sub { s/\{/'{' . join('', map { qq("k$_":$_,) } 1 .. 200_000)/e }) });
}

# ---- config.json ----

for my $key (qw(dim n_heads n_layers hidden_dim vocab_size max_position_embeddings))
{
	my $n = 0;

	for my $value (0, -1, 2147483647, 4294967297, 1e300, 0.5, "12", [], undef)
	{
		my $text = defined $value ? ref $value ? '[]' : $value : 'null';

		# a few of each: all of them cover all values
		next if ($n++ + length $key) % 3 != 0 && $text !~ /^2147|^-1/;
		case("$key is $text", ($text eq '12' ? 'any' : 'no'), @plain, config($key, $value));
	}
}
case('no heads divide the width', 'no', @plain, config(n_heads => 5));
case('an activation of no name', 'no', @plain, config(activation => 'x' x 100_000));
case('an activation that is a number', 'no', @plain, config(activation => 7));
case('architectures is a string', 'any', @plain, config(architectures => 'DistilBertForSequenceClassification'));
case('architectures is empty', 'any', @plain, config(architectures => []));
case('an architecture of 100 kB', 'no', @plain, config(architectures => [ 'A' x 100_000 ]));
case('an architecture with a newline', 'no', @plain, config(architectures => [ "Distil\nBert%s%n" ]));
case('another model type', 'no', @plain, config(model_type => "x'; DROP TABLE t; --"));
case('id2label is a list', 'any', @plain, config(id2label => [ 'a', 'b' ]));
case('id2label has a gap', 'no', @plain, config(id2label => { 0 => 'a', 2 => 'b' }));
case('id2label has numbers past the end', 'no', @plain, config(id2label => { 0 => 'a', 4000000000 => 'b' }));
case('id2label has negative numbers', 'no', @plain, config(id2label => { -1 => 'a', 0 => 'b' }));
case('id2label has words for numbers', 'no', @plain, config(id2label => { zero => 'a', one => 'b' }));
case('a label of 1 MB', 'no', @plain, config(id2label => { 0 => 'a' x 1_000_000, 1 => 'b' }));
case('a label that is empty', 'any', @plain, config(id2label => { 0 => '', 1 => 'b' }));
case('labels with newlines', 'any', @plain, config(id2label => { 0 => "a\nb", 1 => "b\r" }));
case('a label with a NUL', 'any', @plain, sub { edit('config.json', sub { s/NEGATIVE/NEG\\u0000ATIVE/ }) });
case('labels that are equal', 'any', @plain, config(id2label => { 0 => 'a', 1 => 'a' }));
case('a label that is an object', 'no', @plain, config(id2label => { 0 => {}, 1 => 'b' }));
case('100,000 labels', 'no', @plain, config(id2label => { map { $_ => "l$_" } 0 .. 99_999 }));

# ---- model.safetensors ----

case('a header of 2^63 bytes', 'no', @plain, sub { edit('model.safetensors', sub { substr($_, 0, 8) = pack('Q<', 1 << 63) }) });
case('a header of 2^64-1 bytes', 'no', @plain, sub { edit('model.safetensors', sub { substr($_, 0, 8) = "\xff" x 8 }) });
case('a header of no bytes', 'no', @plain, sub { edit('model.safetensors', sub { substr($_, 0, 8) = "\0" x 8 }) });
case('a header as long as the file', 'no', @plain, sub { edit('model.safetensors', sub { substr($_, 0, 8) = pack('Q<', length) }) });
case('seven bytes of weights', 'no', @plain, truncated('model.safetensors', 7));
case('weights that end early', 'no', @plain, sub { truncate('model.safetensors', (-s 'model.safetensors') - 1) });
case('a header that is an array', 'no', @plain, sub { put('model.safetensors', pack('Q<', 2) . '[]') });
case('a header that is deeply nested', 'no', @plain, sub { put('model.safetensors', pack('Q<', 500_000) . ('[' x 500_000)) });
case('a header of 110 MB', 'no', @plain, sub { put('model.safetensors', pack('Q<', 110_000_000) . '{"a":"'); truncate('model.safetensors', 120_000_000) });
case('no tensor at all', 'no', @plain, sub { put('model.safetensors', pack('Q<', 2) . '{}') });
case('a tensor is missing', 'no', @plain, sub { with_header(sub { delete $_[0]{ tensor_named($_[0]) }; return }) });
case('a tensor twice', 'any', @plain, sub { with_header(sub {
	my ($h) = @_; my $t = tensor_named($h); my $text = $json->encode($h);
	my $more = '{"' . $t . '":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'; $text =~ s/^\{/$more/; return $text }) });
case('two tensors at one place', 'no', @plain, sub { with_header(sub {
	my ($h) = @_; my @q = grep { /(q_lin|k_lin)\.weight/ } sort keys %$h; $h->{ $q[0] }{data_offsets} = $h->{ $q[1] }{data_offsets}; return }) });
case('tensors that overlap by half', 'no', @plain, of_tensor(sub { $_ += 64 for @{ $_[0]{data_offsets} } }));
case('offsets the wrong way round', 'no', @plain, of_tensor(sub { @{ $_[0]{data_offsets} } = reverse @{ $_[0]{data_offsets} } }));
case('offsets past the end', 'no', @plain, of_tensor(sub { $_ += 1 << 40 for @{ $_[0]{data_offsets} } }));
case('negative offsets', 'no', @plain, of_tensor(sub { $_ -= 1 << 40 for @{ $_[0]{data_offsets} } }));
case('one offset', 'no', @plain, of_tensor(sub { pop @{ $_[0]{data_offsets} } }));
case('three offsets', 'no', @plain, of_tensor(sub { push @{ $_[0]{data_offsets} }, 9 }));
case('offsets that are strings', 'no', @plain, of_tensor(sub { $_ = "$_ " for @{ $_[0]{data_offsets} } }));
case('offsets that are fractions', 'no', @plain, of_tensor(sub { $_ += 0.5 for @{ $_[0]{data_offsets} } }));
case('no offsets', 'no', @plain, of_tensor(sub { delete $_[0]{data_offsets} }));
case('no shape', 'no', @plain, of_tensor(sub { delete $_[0]{shape} }));
case('a shape of nothing', 'no', @plain, of_tensor(sub { $_[0]{shape} = [] }));
case('a shape whose product overflows', 'no', @plain, of_tensor(sub { $_[0]{shape} = [ 1 << 32, 1 << 32 ] }));
case('a shape of 2^62', 'no', @plain, of_tensor(sub { $_[0]{shape} = [ 1 << 62, 4 ] }));
case('a negative shape', 'no', @plain, of_tensor(sub { $_[0]{shape}[0] *= -1 }));
case('a shape of a thousand ones', 'no', @plain, of_tensor(sub { unshift @{ $_[0]{shape} }, (1) x 1000 }));
case('a shape that is an object', 'no', @plain, of_tensor(sub { $_[0]{shape} = {} }));
case('a shape the other way round', 'no', @plain, of_tensor(sub { @{ $_[0]{shape} } = reverse @{ $_[0]{shape} } }));
for my $dtype ('F64', 'I8', 'I64', 'BOOL', 'F8_E4M3', 'f32', '', 'F' x 10_000, 32)
{
	case('a tensor of type ' . substr($dtype, 0, 10), 'no', @plain, of_tensor(sub { $_[0]{dtype} = $dtype }));
}
case('a tensor without a type', 'no', @plain, of_tensor(sub { delete $_[0]{dtype} }));
case('a tensor that is a number', 'no', @plain, sub { with_header(sub { $_[0]{ tensor_named($_[0]) } = 7; return }) });
case('a tensor of a name of 1 MB', 'any', @plain, sub { with_header(sub { $_[0]{ 'x' x 1_000_000 } = { dtype => 'F32', shape => [0], data_offsets => [ 0, 0 ] }; return }) });
case('names of tensors with newlines', 'any', @plain, sub { with_header(sub { $_[0]{"a\nb/../c"} = { dtype => 'F32', shape => [0], data_offsets => [ 0, 0 ] }; return }) });
case('50,000 empty tensors', 'any', @plain, sub { with_header(sub { $_[0]{"x$_"} = { dtype => 'F32', shape => [0], data_offsets => [ 0, 0 ] } for 1 .. 50_000; return }) });
case('metadata that is a list', 'any', @plain, sub { with_header(sub { $_[0]{__metadata__} = [ 1, 2 ]; return }) });
case('weights that are not numbers', 'no', @plain, sub { with_header(sub { ${ $_[1] } =~ s/^.{4096}/"\xff" x 4096/se; return }) });
case('weights that are infinite', 'no', @plain, sub { with_header(sub { my $n = length ${ $_[1] }; substr(${ $_[1] }, $n / 8 * 4 % $n & ~3, 4) = "\0\0\x80\x7f"; return }) });
case('weights that are all the greatest number', 'any', @plain, sub { with_header(sub { my $n = length ${ $_[1] }; ${ $_[1] } = "\xff\xff\x7f\x7f" x ($n / 4); return }) });

# ---- tokenizers ----

sub tokenizer { my ($sub) = @_; return sub { with_json('tokenizer.json', $sub) } }

case('no vocabulary', 'no', @plain, tokenizer(sub { delete $_[0]{model}{vocab} }));
case('a vocabulary of a list', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab} = [ 'a', 'b' ] }));
case('a token without an id', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab}{'[UNK]'} = undef }));
case('a negative id', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab}{'[UNK]'} = -1 }));
case('an id past the embeddings', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab}{zzz} = 1 << 40 }));
case('two tokens of an id', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab}{zzz} = 5 }));
case('a token of 10 MB', 'no', @plain, tokenizer(sub { $_[0]{model}{vocab}{ 'z' x 10_000_000 } = 456 }));
case('another kind of tokenizer', 'no', @plain, tokenizer(sub { $_[0]{model}{type} = 'BPE' }));
case('an unknown token that is none', 'no', @plain, tokenizer(sub { $_[0]{model}{unk_token} = 'nowhere' }));
case('a prefix of 1 MB', 'any', @plain, tokenizer(sub { $_[0]{model}{continuing_subword_prefix} = '#' x 1_000_000 }));
case('words of 2^31 characters', 'any', @plain, tokenizer(sub { $_[0]{model}{max_input_chars_per_word} = 2147483647 }));
case('words of -1 characters', 'no', @plain, tokenizer(sub { $_[0]{model}{max_input_chars_per_word} = -1 }));
case('added tokens that are no list', 'no', @plain, tokenizer(sub { $_[0]{added_tokens} = 7 }));
case('an added token that is empty', 'any', @plain, tokenizer(sub { push @{ $_[0]{added_tokens} }, { id => 455, content => '', special => JSON::PP::true } }));
case('an added token of an id past the end', 'no', @plain, tokenizer(sub { push @{ $_[0]{added_tokens} }, { id => 1 << 33, content => 'q', special => JSON::PP::true } }));
case('100,000 added tokens of one id', 'any', @plain, tokenizer(sub { push @{ $_[0]{added_tokens} }, map { { id => 7, content => "q$_", special => JSON::PP::false } } 1 .. 100_000 }));
case('a normalizer that contains itself deeply', 'no', @plain, tokenizer(sub {
	my $n = { type => 'Lowercase' }; $n = { type => 'Sequence', normalizers => [$n] } for 1 .. 400; $_[0]{normalizer} = $n }));
case('a post-processor of no type', 'no', @plain, tokenizer(sub { $_[0]{post_processor} = {} }));
case('a model_max_length of 1e30', 'yes', @plain, sub { with_json('tokenizer_config.json', sub { $_[0]{model_max_length} = 1e30 }) });
case('a model_max_length of -5', 'any', @plain, sub { with_json('tokenizer_config.json', sub { $_[0]{model_max_length} = -5 }) });
case('vocab.txt of nothing but newlines', 'no', @plain, sub { unlink 'tokenizer.json'; put('vocab.txt', "\n" x 1000) });
case('vocab.txt without an end of line', 'any', @plain, sub { unlink 'tokenizer.json'; edit('vocab.txt', sub { s/\n\z// }) });
case('vocab.txt with carriage returns', 'any', @plain, sub { unlink 'tokenizer.json'; edit('vocab.txt', sub { s/\n/\r\n/g }) });
case('vocab.txt with NULs', 'any', @plain, sub { unlink 'tokenizer.json'; edit('vocab.txt', sub { s/a\n/a\0\n/ }) });
case('vocab.txt with wrong UTF-8', 'any', @plain, sub { unlink 'tokenizer.json'; edit('vocab.txt', sub { s/\na\n/\n\xff\xfe\n/ }) });
case('vocab.txt of ten million lines', 'no', @plain, sub { unlink 'tokenizer.json'; put('vocab.txt', "x\n" x 10_000_000) });

# ---- files that name others ----

sub shards { my ($sub) = @_; return sub { with_json('model.safetensors.index.json', $sub) } }

for my $name ('../../../etc/passwd', '/etc/passwd', '', '.', '..', "a\nb.safetensors", "a\0b.safetensors", 'x' x 5000, 'd/../d/x.safetensors', 7)
{
	my $shown = substr($name =~ s/[^ -~]/?/gr, 0, 24);

	case("a shard called '$shown'", 'no', 'distilbert-sharded', shards(sub { my $map = $_[0]{weight_map}; $map->{ (sort keys %$map)[0] } = $name }));
}
case('an index that names another shard for a tensor', 'no', 'distilbert-sharded', shards(sub {
	my $map = $_[0]{weight_map}; my @k = sort keys %$map; $map->{ $k[0] } = $map->{ $k[-1] } }));
case('an index without a map', 'no', 'distilbert-sharded', shards(sub { delete $_[0]{weight_map} }));
case('an index that maps to itself', 'no', 'distilbert-sharded', shards(sub { $_ = 'model.safetensors.index.json' for values %{ $_[0]{weight_map} } }));
case('50,000 shards', 'no', 'distilbert-sharded', shards(sub { $_[0]{weight_map}{"x$_"} = "s$_.safetensors" for 1 .. 50_000 }));
case('a shard that is a link out of the folder', 'any', 'distilbert-sharded', sub {
	rename('model-00002-of-00003.safetensors', '../away'); symlink('../away', 'model-00002-of-00003.safetensors') });

sub modules { my ($sub) = @_; return sub { with_json('modules.json', $sub) } }

for my $path ('../../../etc', '/etc', "1_Pooling\n", "1_Pool\0ing", 'x' x 5000, '1_Pooling/../1_Pooling', '.', 7)
{
	my $shown = substr($path =~ s/[^ -~]/?/gr, 0, 24);

	case("a module in '$shown'", 'any', 'bert-sentence', modules(sub { $_[0][1]{path} = $path }));
}
case('modules.json is empty', 'no', 'bert-sentence', file('modules.json', '[]'));
case('modules.json has 100,000 modules', 'no', 'bert-sentence', modules(sub { push @{ $_[0] }, ({ %{ $_[0][2] } }) x 100_000 }));
case('modules.json of wrong types', 'no', 'bert-sentence', file('modules.json', '[1, "x", null, []]'));
case('a module of no type', 'no', 'bert-sentence', modules(sub { delete $_[0][1]{type} }));
case('1_Pooling is a file', 'no', 'bert-sentence', sub { remove_tree('1_Pooling'); put('1_Pooling', '{}') });
case('1_Pooling is a link to the directory', 'any', 'bert-sentence', sub { remove_tree('1_Pooling'); symlink('.', '1_Pooling') });
case('the pooling is an array', 'no', 'bert-sentence', file('1_Pooling/config.json', '[]'));
case('poolings of all kinds', 'no', 'bert-sentence', sub { with_json('1_Pooling/config.json', sub { $_[0]{"pooling_mode_$_"} = JSON::PP::true for qw(cls_token max_tokens mean_tokens lasttoken) }) });
case('a sentence length of -1', 'any', 'bert-sentence', file('sentence_bert_config.json', '{"max_seq_length": -1}'));
case('a sentence length of 2^40', 'any', 'bert-sentence', file('sentence_bert_config.json', '{"max_seq_length": 1099511627776}'));
case('prompts that are numbers', 'any', 'bert-sentence', file('config_sentence_transformers.json', '{"prompts": {"query": 7}, "default_prompt_name": []}'));
case('a prompt of 10 MB', 'any', 'bert-sentence', file('config_sentence_transformers.json', '{"prompts": {"query": "' . ('x' x 10_000_000) . '"}}'));

# ---- translators ----

my @translator = ('marian-one');

sub generation { my ($key, $value) = @_; return sub { with_json('generation_config.json', sub { $_[0]{$key} = $value }) } }
sub vocabulary { my ($sub) = @_; return sub { with_json('vocab.json', $sub) } }

for my $f (qw(source.spm target.spm vocab.json))
{
	my $size = -s fixtures() . "/marian-one/$f";

	case("$f is missing", 'no', @translator, sub { unlink $f });
	case("$f is empty", 'no', @translator, file($f, ''));
	case("$f is 0xff", 'no', @translator, file($f, "\xff" x 4096));
	case("$f is cut after $_ bytes", ($f eq 'vocab.json' ? 'no' : 'any'), @translator, truncated($f, $_))
	  for map { int($size * $_ / 12) } 1 .. 11;
}
for my $f (qw(source.spm target.spm))
{
	case("$f has a bit turned at $_", 'any', @translator, do { my $at = $_; sub { edit($f, sub { substr($_, $at, 1) ^= "\x04" }) } })
	  for map { $_ * 151 } 0 .. 18;
}
case('another vocab_size', 'no', @translator, config('vocab_size', 300));
case('a vocabulary of one token too many', 'no', @translator, vocabulary(sub { $_[0]{one} = 247 }));
case('a token that has the place of another', 'any', @translator, vocabulary(sub { $_[0]{'A'} = 2 }));
case('a token at -1', 'no', @translator, vocabulary(sub { $_[0]{'A'} = -1 }));
case('tokens of wrong types', 'no', @translator, vocabulary(sub { $_ = 'x' for values %{ $_[0] } }));
case('no pieces in the vocabulary', 'any', @translator, file('vocab.json', '{"</s>": 0, "<unk>": 1}'));
case('no </s> in the vocabulary', 'no', @translator, vocabulary(sub { delete $_[0]{'</s>'} }));
case("no decoder: decoder_layers of $_", 'no', @translator, config('decoder_layers', $_)) for 0, -1, 2**31, 'x';
case('three layers for two', 'no', @translator, config('decoder_layers', 3));
case('an odd d_model', 'no', @translator, config('d_model', 33));
case('heads that do not divide', 'no', @translator, config('decoder_attention_heads', 5));
case("max_position_embeddings of $_", ($_ == 1024 ? 'yes' : 'no'), @translator, config('max_position_embeddings', $_)) for 0, -5, 2**40, 1024;
case("$_->[0] of $_->[1]", 'no', @translator, config(@$_))
  for [ 'eos_token_id', 247 ], [ 'eos_token_id', 'x' ], map { [ 'model_type', $_ ] } qw(bart mbart t5 mt5 m2m_100 nllb-moe pegasus);
case("generation's $_->[0] of " . substr($json->encode($_->[1]), 0, 24), $_->[2], @translator, generation(@$_[ 0, 1 ]))
  for [ 'num_beams', 0, 'no' ], [ 'num_beams', 1_000_000, 'no' ], [ 'max_length', 1, 'no' ], [ 'max_length', 2, 'yes' ],
  [ 'max_length', 2**31 - 1, 'yes' ], [ 'max_length', 2**40, 'no' ], [ 'eos_token_id', 247, 'no' ], [ 'eos_token_id', [], 'no' ], [ 'decoder_start_token_id', -1, 'no' ],
  [ 'forced_eos_token_id', 5, 'no' ], [ 'bad_words_ids', [ [247] ], 'no' ], [ 'bad_words_ids', [ map { [$_] } 0 .. 246 ], 'any' ],
  [ 'bad_words_ids', [ [] ], 'no' ], [ 'bad_words_ids', 7, 'no' ], [ 'length_penalty', 1e300, 'no' ], [ 'length_penalty', -50, 'yes' ],
  [ 'early_stopping', 'sometimes', 'no' ], [ 'do_sample', JSON::PP::true, 'no' ], [ 'repetition_penalty', 1.5, 'no' ];
case('generation_config.json is missing', 'yes', @translator, sub { unlink 'generation_config.json' });
case('generation_config.json is an array', 'no', @translator, file('generation_config.json', '[]'));
case('weights of NaN', 'no', @translator, sub { with_header(sub { my ($h, $data) = @_; my ($from, $to) = @{ $h->{'model.shared.weight'}{data_offsets} };
	substr($$data, $from, $to - $from) = "\xff\xff\xff\x7f" x (($to - $from) / 4); return }) });
case('no weights of the decoder', 'no', @translator, sub { with_header(sub { delete $_[0]{$_} for grep { /decoder/ } keys %{ $_[0] }; return }) });
case('a bias of another shape', 'no', @translator, sub { with_header(sub { $_[0]{final_logits_bias}{shape} = [ 247, 1 ]; return }) });

# ---- weights of before torch 1.6 ----

{
	my $f = 'pytorch_model.bin';
	my $size = -s fixtures() . "/marian-torch/$f";

	case("an old $f is cut after $_ bytes", 'no', 'marian-torch', truncated($f, $_)) for 14, 15, 21, 100, map { int($size * $_ / 12) } 1 .. 11;
	case("an old $f has a bit turned at $_", 'any', 'marian-torch', do { my $at = $_; sub { edit($f, sub { substr($_, $at, 1) ^= "\x10" }) } })
	  for map { $_ * 311 } 0 .. 24;
	case("an old $f with $_->[0]", 'no', 'marian-torch', do { my ($from, $to) = @$_[ 1, 2 ]; sub { edit($f, sub { s/\Q$from\E/$to/ or die }) } })
	  for [ 'another version', "M\xe9\x03", "M\xea\x03" ], [ 'a call of os.system', "ctorch._utils\n_rebuild_tensor_v2\n", "cos\nsystem\n" ],
	  [ 'a class that is none', "ctorch\nHalfStorage\n", "ctorch\nComplexFloatStorage\n" ];
}

# ---- all of them ----

sub copy_fixture
{
	my ($fixture, $dir) = @_;
	my $from = fixtures() . "/$fixture";

	make_path($dir);
	for my $file (split /\n/, `cd '$from' && find . -type f ! -name golden.json`)
	{
		make_path("$dir/" . ($file =~ s{/[^/]*$}{}r));
		copy("$from/$file", "$dir/$file") or die $!;
	}
	return;
}

# What the model of a directory is asked.
sub call_of
{
	return "distil_translate('Hello, 3 cats. They went to Berlin?', 'hostile')" if -e "$_[0]/generation_config.json" || -e "$_[0]/target.spm";
	return "distil_token_embeddings('hello [MASK] world', 'hostile')";
}

# What one session says of each directory: output and errors.  Should its
# backend die, the directories after that one fail, too.
sub ask_all
{
	my (@dirs) = @_;
	my $script = "\\set VERBOSITY verbose\nSET statement_timeout = '60s';\n";

	$script .= <<"SQL" for @dirs;
\\echo ====
\\warn ====
SELECT 'loaded' FROM distil_load_model('hostile', '$_', replace => true);
SELECT count(*) FROM (SELECT @{[ call_of($_) ]}) AS a;
SELECT distil_drop_model('hostile');
SQL
	my ($rc, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0, timeout => 600);
	my @out = split /^====\n?/m, $out // '', -1;
	my @err = split /^.*====\n?/m, $err // '', -1;

	return map { [ $out[ $_ + 1 ] // '', $err[ $_ + 1 ] // 'no answer' ] } 0 .. $#dirs;
}

# Was the directory dealt with as it should be?
sub right
{
	my ($wanted, $out, $err) = @_;
	my $loaded = $out =~ /^loaded/;
	my ($code, $sentence) = $err =~ /ERROR: +(\w{5}): ([^\n]*)/;

	return 0 if $err =~ /server closed|connection to server|no answer/;
	# a timeout, a crash, an internal error
	return 0 if ($code // '') =~ /^(57014|57P0.|XX)/;
	return 0 if !$loaded && (length($sentence // '') < 16 || length($sentence // '') > 1000);
	return $wanted eq 'any' || ($wanted eq 'yes') == ($loaded ? 1 : 0);
}

load_model($node, 'distilbert-sentiment', 'good');
my $good = answers($node, 'good');
my $count = scalar(@cases);
my $number = 0;

# all cases take a minute or two: by day every second one
@cases = map { $cases[ 2 * $_ ] } 0 .. $#cases / 2 if !$ENV{DBERT_NIGHTLY};
unshift @cases, map { [ "$_, untouched", 'yes', $_, sub { } ] } qw(distilbert-sentiment distilbert-sharded bert-sentence marian-one marian-many);
while (my @some = splice(@cases, 0, 20))
{
	my @dirs;

	for my $case (@some)
	{
		my $dir = sprintf('%s/%03d/m', $root, ++$number);

		push @dirs, $dir;
		copy_fixture($case->[2], $dir);
		chdir $dir or die $!;
		$case->[3]->();
		chdir '/';
	}
	my @answers = ask_all(@dirs);

	for my $i (0 .. $#some)
	{
		my ($name, $wanted) = @{ $some[$i] };
		my ($out, $err) = @{ $answers[$i] };

		ok(right($wanted, $out, $err), "$name: " . ($out =~ /^loaded/ ? 'loads' : 'refused'))
			or diag(substr("$out\n$err", 0, 600));
	}
	remove_tree($root);
}
cmp_ok($number, '>=', 130, "$number of $count directories");
is(answers($node, 'good'), $good, 'a good model answers as before');
alive($node);
done_testing();

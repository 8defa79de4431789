# distil_translate: cancelled in long texts, arrays and rows; sentences for which a model has no finite answer; databases in
# other encodings.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
load_model($node, 'marian-one', 'm');

# ---- cancelling ----

my $ask = q{SELECT distil_translate('Anna met Bob.', 'm')};
my $said = $node->safe_psql('postgres', $ask);
my $many = q{(SELECT array_agg('Anna met Bob ' || i || ' times.') FROM generate_series(1, 100000) AS i)};
my %statement = (
	'one text' => qq{SELECT length(distil_translate(array_to_string($many, ' '), 'm'))},
	'one sentence' => q{SELECT length(distil_translate((SELECT string_agg('Anna met ' || i, ' ') FROM generate_series(1, 100000) AS i), 'm'))},
	'one word' => q{SELECT length(distil_translate((SELECT string_agg('a' || i, '') FROM generate_series(1, 100000) AS i), 'm'))},
	'an array' => qq{SELECT cardinality(distil_translate($many, 'm'))},
	'rows' => q{SELECT count(distil_translate('Anna met Bob ' || i || ' times.', 'm')) FROM generate_series(1, 10000000) AS i},
	'an evaluation' => q{SELECT distil_evaluate('m', $$SELECT 'Anna met Bob ' || i || ' times.', 'x' FROM generate_series(1, 10000000) AS i$$)},
	'a long reference' => q{SELECT distil_evaluate('m', $$SELECT 'Anna', string_agg('word ' || i, ' ') FROM generate_series(1, 3000000) AS i$$)});

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
for my $name (sort keys %statement)
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; SET statement_timeout = '300ms'; $statement{$name};");

	like($err, qr/canceling statement due to statement timeout/, "$name: timeout");
	$session->query("SET client_min_messages = error; SET statement_timeout = '300ms'");
	$session->query($statement{$name});
	$session->query('RESET statement_timeout');
	is($session->query($ask), $said, "$name: the session goes on");
}
$session->query_until(qr/started/, "SET client_min_messages = error;\n\\echo started\n$statement{'one text'};\n\\echo ended\n");
ok(wait_until($node, "SELECT count(*) > 0 FROM pg_stat_activity WHERE pid = $pid AND state = 'active'"), 'it runs');
is($node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)"), 't', 'a user cancels it');
$session->query_until(qr/ended/, '');
is($session->query($ask), $said, 'the session goes on');
is($session->query('SELECT pg_backend_pid()'), $pid, 'in the same backend');
is($session->query(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'distilbert translation'}), '0', 'and nothing is left of the work');
$session->quit;

# ---- no finite answer ----

# The fixture with numbers in a decoder's layer that are too large to be added.
sub spoilt
{
	my $dir = PostgreSQL::Test::Utils::tempdir();

	system('cp', '-r', fixtures() . '/marian-one/.', $dir) == 0 or die;
	my $weights = slurp_file("$dir/model.safetensors");
	my $start = 8 + unpack('Q<', $weights);
	my $header = decode_json(substr($weights, 8, $start - 8));
	my $data = '';
	for my $name (sort grep { $_ ne '__metadata__' } keys %$header)
	{
		my $t = $header->{$name};
		my ($begin, $end) = @{ $t->{data_offsets} };
		my $bytes = substr($weights, $start + $begin, $end - $begin);

		if ($name eq 'model.decoder.layers.0.fc1.weight')
		{
			$bytes = pack('f<*', (3e38) x (($end - $begin) / 2));
			$t->{dtype} = 'F32';
		}
		$t->{data_offsets} = [ length($data), length($data) + length($bytes) ];
		$data .= $bytes;
	}
	my $text = encode_json($header);
	$text .= ' ' x (-length($text) % 8);
	chmod 0644, "$dir/model.safetensors";
	open(my $out, '>:raw', "$dir/model.safetensors") or die $!;
	print $out pack('Q<', length($text)), $text, $data;
	close($out);
	chmod 0755, $dir;
	return $dir;
}

my $dir = spoilt();
$node->safe_psql('postgres', "SELECT distil_load_model('large', '$dir')");
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT distil_translate('Anna met Bob.', 'large')});
like($err, qr/ERROR:  the model has no finite answer for a text\nHINT:  The weights of the model/, 'an error');
for my $call (q{SELECT distil_translate('Anna met Bob.', 'large', on_error => 'null') IS NULL},
	q{SELECT distil_translate(ARRAY['Anna met Bob.', ''], 'large', on_error => 'null') = ARRAY[NULL, '']},
	q{SELECT bool_and((distil_translate(t, 'large', on_error => 'null') IS NULL) = (t <> '')) FROM unnest('{Anna,"",Bob}'::text[]) AS t})
{
	($rc, $out, $err) = $node->psql('postgres', $call);
	is($out, 't', $call);
	like($err, qr/WARNING:  the model has no finite answer for a text/, 'a warning says why');
}
($rc, $out, $err) = $node->psql('postgres', q{SET distilbert.on_error = 'null'; SELECT distil_evaluate('large', $$VALUES ('Anna', 'Anna'), ('', 'x')$$)});
like($err, qr/NOTICE:  1 of 2 rows are left out: 0 without a text, 1 without an answer/, 'rows that are left out are counted');

# ---- encodings ----

for my $encoding ('SQL_ASCII', 'LATIN1')
{
	my $db = lc $encoding;

	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
	$node->safe_psql($db, "CREATE EXTENSION distilbert; SELECT distil_load_model('m', 'marian-one')");
	is($node->safe_psql($db, "SET client_encoding = '" . ($encoding eq 'LATIN1' ? 'UTF8' : $encoding) . "'; $ask"), $said, "$encoding: the same");
}
# it has no letter for what the fixture likes to write
$node->safe_psql('postgres', "CREATE DATABASE win1251 ENCODING 'WIN1251' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
$node->safe_psql('win1251', "CREATE EXTENSION distilbert; SELECT distil_load_model('m', 'marian-one'); CREATE TABLE notes (id int PRIMARY KEY, body text); INSERT INTO notes VALUES (1, 'Anna met Bob.'), (2, '')");
($rc, $out, $err) = $node->psql('win1251', $ask);
like($err, qr/ERROR:  the translation has a character that has no equivalent in encoding "WIN1251"/, 'a letter that the encoding lacks is an error');
($rc, $out, $err) = $node->psql('win1251', q{SELECT distil_translate(ARRAY['Anna met Bob.', ''], 'm', on_error => 'null')});
is($out, '{NULL,""}', 'or NULL');
like($err, qr/WARNING:  the translation has a character/, 'with a warning');
is($node->safe_psql('win1251', q{SET client_min_messages = error; SELECT id, distil_translate(body, 'm', on_error => 'null') IS NULL FROM notes ORDER BY id}), "1|t\n2|f", 'in rows, too');
$node->safe_psql('win1251', q{SET distilbert.pipelines = off; SELECT distil_create_pipeline('notes', 'body', 'translate', 'm', into_column => 'there')});
$node->safe_psql('win1251', q{CALL distil_run_pipeline('notes_there')});
is($node->safe_psql('win1251', q{SELECT id, there IS NULL FROM notes ORDER BY id}), "1|t\n2|f", 'a pipeline does the others');
like($node->safe_psql('win1251', q{SELECT message FROM distil_pipeline_errors}), qr/has no equivalent in encoding "WIN1251"/, 'and says why not that one');

my $wrong = q{SELECT distil_translate(E'A\xff', 'm'%s)};
($rc, $out, $err) = $node->psql('sql_ascii', sprintf($wrong, ''));
like($err, qr/ERROR:  invalid byte sequence for encoding "UTF8": 0xff/, 'bytes that are no text are an error');
($rc, $out, $err) = $node->psql('sql_ascii', sprintf($wrong, q{, on_error => 'null'}));
is($out, '', 'or NULL');
like($err, qr/WARNING:  text is not valid UTF-8/, 'with a warning');
($rc, $out, $err) = $node->psql('sql_ascii', q{SET distilbert.on_error = 'null'; SELECT label, support FROM distil_evaluate('m', $$VALUES ('Anna', E'A\xff'), (E'A\xff', 'Anna'), ('Anna', 'x')$$)});
is($out, "(bleu)|1\n(chrf)|1", 'a reference that is no text is left out');
alive($node);
done_testing();

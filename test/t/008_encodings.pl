# Databases that are not UTF-8: the same answers, offsets that substr understands.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Encode qw(encode);
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my @models = qw(distilbert-sentiment bert-ner distilbert-ner-io bert-sentence distilbert-multilabel);
my @texts = ('The film was a delight.', "Anna Keller mang\xe9 \xe0 la caf\xe9, \xc5ngstr\xf6m Stra\xdfe in Berlin",
	"El ni\xf1o comi\xf3 una manzana y bebi\xf3 agua en Par\xeds", "\xa33.99 \xabJohn\xbb \xdcber", '');

# Everything as escapes of code points: the same statements for every encoding.
my $values = join(', ', map { "($_, " . join(' || ', "''", map { /[\x80-\xff]/ ? 'chr(' . ord($_) . ')' : "'$_'" } $texts[$_] =~ /[\x80-\xff]|[^\x80-\xff]+/g) . ')' } 0 .. $#texts);

my %queries = (
	'scores' => q{SELECT string_agg(n || ':' || score, ' ' ORDER BY n, label) FROM texts, distil_scores(body, 'distilbert-sentiment')},
	'embeddings' => q{SELECT string_agg(distil_embed(body, 'bert-sentence')::text, ' ' ORDER BY n) FROM texts},
	'counts' => q{SELECT string_agg(distil_token_count(body, 'bert-ner')::text, ' ' ORDER BY n) FROM texts},
	'entities' => q{SELECT string_agg(concat_ws(':', n, label, score, start_pos, end_pos), ' ' ORDER BY n, start_pos) FROM texts, distil_entities(body, 'bert-ner', 'simple')},
	'masked' => q{SELECT string_agg(encode(convert_to(distil_mask(body, 'bert-ner'), 'UTF8'), 'hex'), ' ' ORDER BY n) FROM texts},
	'entities, lower case' => q{SELECT string_agg(concat_ws(':', n, label, score, start_pos, end_pos), ' ' ORDER BY n, start_pos) FROM texts, distil_entities(body, 'distilbert-ner-io', 'none')});
my $substr = q{SELECT count(*) > 5, bool_and(substr(body, start_pos, end_pos - start_pos + 1) = entity) FROM texts, unnest(ARRAY['none', 'simple', 'first', 'average', 'max']) a, distil_entities(body, 'bert-ner', a)};
my $accent = q{SELECT count(*) > 0 FROM texts, distil_entities(body, 'distilbert-ner-io', 'none') WHERE octet_length(entity) <> char_length(entity) OR ascii(substr(entity, 1, 1)) > 127 OR start_pos > 20};

my %wanted;
for my $encoding (qw(UTF8 LATIN1 LATIN9 WIN1252))
{
	my $db = lc $encoding;

	$node->safe_psql('postgres', "CREATE DATABASE $db ENCODING '$encoding' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($db, "CREATE EXTENSION distilbert; CREATE TABLE texts AS SELECT * FROM (VALUES $values) v (n, body)");
	load_model($node, $_, $_, $db) for @models;
	for my $name (sort keys %queries)
	{
		my $got = $node->safe_psql($db, $queries{$name});

		$wanted{$name} //= $got;
		is($got, $wanted{$name}, "$encoding: $name as in UTF8");
	}
	is($node->safe_psql($db, $substr), 't|t', "$encoding: substr gives the entity");
	is($node->safe_psql($db, $accent), 't', "$encoding: entities behind accents are among them");
	my $label = $node->safe_psql($db, q{SELECT string_agg(DISTINCT label, ',') FROM distil_scores('x', 'distilbert-multilabel') WHERE label LIKE 'na%'});
	like($label, qr/^na.+ve "quoted"$/, "$encoding: a label with an accent");
}

# A character that the database's encoding does not have is an error, not a guess.
my ($rc, $out, $err) = $node->psql('latin1', q{SELECT distil_tokenize('x', 'bert-ner')});
is($rc, 0, 'tokens of plain text in LATIN1');

# A character that has no equivalent in UTF-8.
$node->safe_psql('win1252', q{CREATE TABLE odd AS SELECT * FROM (VALUES (1, 'warm'), (2, 'cold ' || convert_from('\x81', 'SQL_ASCII') || ' soup'), (3, convert_from('\xc381', 'SQL_ASCII')), (4, 'film')) v (n, body)});
($rc, $out, $err) = $node->psql('win1252', q{SELECT distil_sentiment(body, 'distilbert-sentiment') FROM odd});
like($err, qr/ERROR:.*0x81.*no equivalent/, 'WIN1252: a character without an equivalent is an error');
($rc, $out, $err) = $node->psql('win1252', q{SELECT string_agg(n::text, ' ' ORDER BY n) FROM odd WHERE distil_sentiment(body, 'distilbert-sentiment', on_error => 'null') IS NULL
		AND distil_token_count(body, 'bert-ner', on_error => 'null') IS NULL AND NOT EXISTS (SELECT FROM distil_entities(body, 'bert-ner', on_error => 'null'))
		AND NOT EXISTS (SELECT FROM distil_chunk(body, 'bert-ner', 30, on_error => 'null'));
	SELECT array_positions(distil_sentiment(array_agg(body ORDER BY n), 'distilbert-sentiment', on_error => 'null'), NULL) FROM odd;
	SELECT distil_sentiment('caf' || chr(233), 'distilbert-sentiment') = (distil_sentiment(ARRAY['x', 'caf' || chr(233)], 'distilbert-sentiment'))[2]});
is($out, "2 3\n{2,3}\nt", 'WIN1252: or has no answer, as on_error says');
is(scalar(() = $err =~ /WARNING: .*no equivalent in encoding/g), 10, 'WIN1252: with a warning for each');

# SQL_ASCII: bytes are taken for UTF-8; the server counts bytes, and so do offsets.
$node->safe_psql('postgres', q{CREATE DATABASE ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'});
$node->safe_psql('ascii', 'CREATE EXTENSION distilbert; CREATE TABLE texts (n int, body text)');
load_model($node, $_, $_, 'ascii') for @models;
for my $i (0 .. $#texts)
{
	my $bytes = unpack('H*', encode('UTF-8', $texts[$i]));

	$node->safe_psql('ascii', "INSERT INTO texts VALUES ($i, convert_from('\\x$bytes', 'SQL_ASCII'))");
}
for my $name ('scores', 'embeddings', 'counts', 'masked')
{
	is($node->safe_psql('ascii', $queries{$name}), $wanted{$name}, "SQL_ASCII: $name as in UTF8");
}
is($node->safe_psql('ascii', $substr), 't|t', 'SQL_ASCII: substr gives the entity');
for my $db ('utf8', 'latin1', 'ascii')
{
	is($node->safe_psql($db, q{SELECT min(f1), max(f1) FROM distil_evaluate('bert-ner', $$
		SELECT body, (SELECT coalesce(jsonb_agg(e), '[]') FROM distil_entities(body, 'bert-ner') AS e) FROM texts$$)}), '1|1',
		"$db: entities are evaluated where distil_entities says they are");
}
($rc, $out, $err) = $node->psql('ascii', q{SELECT distil_sentiment(convert_from('\xe96162ff', 'SQL_ASCII'), 'distilbert-sentiment')});
like($err, qr/ERROR:.*invalid.*UTF/, 'SQL_ASCII: bytes that are no UTF-8 are an error');
($rc, $out, $err) = $node->psql('ascii', q{SELECT t IS NULL, distil_sentiment(t, 'distilbert-sentiment', on_error => 'null') IS NULL, distil_token_count(t, 'distilbert-sentiment', on_error => 'null') IS NULL,
		distil_tokenize(t, 'distilbert-sentiment', on_error => 'null') IS NULL, distil_token_count(ARRAY['a', t], 'distilbert-sentiment', on_error => 'null')
	FROM convert_from('\xe96162ff', 'SQL_ASCII') AS t});
is($out, 'f|t|t|t|{3,NULL}', 'SQL_ASCII: or have no answer, as on_error says');
is(scalar(() = $err =~ /WARNING: .*not valid UTF-8/g), 4, 'SQL_ASCII: with a warning for each');
is($node->safe_psql('ascii', q{SELECT distil_sentiment('warm', 'distilbert-sentiment') IS NOT NULL}), 't', 'and the next text is answered');
alive($node);
done_testing();

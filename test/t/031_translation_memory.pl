# The README's translation memory on Multi30k's captions (DBERT_SHARED, not part
# of the repository), English and German, in one table.  DBERT_MULTILINGUAL names
# the folder of a multilingual model; without it the fixture distilbert-dense
# serves, whose weights are random: it knows nothing of meaning, but equal words
# give near vectors, and the queries are the same.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $tar = ($ENV{DBERT_SHARED} // '../shared') . '/data/more/multi30k.tar';
plan skip_all => 'Multi30k is not there' unless -r $tar;

my $dir = PostgreSQL::Test::Utils::tempdir;
my %path = map { $_ => "data/task1/raw/val.$_.gz" } qw(en de);
for my $language (keys %path)
{
	system("tar xOf '$tar' --wildcards '*$path{$language}' | gunzip > $dir/$language.txt") == 0
	  or plan skip_all => 'Multi30k has no validation set';
}
my $node = new_node('main');
my $model = $ENV{DBERT_MULTILINGUAL} // fixtures() . '/distilbert-dense';
sub sql { return $node->safe_psql('postgres', join("\n", @_)) }

sql("SELECT name FROM distil_load_model('multilingual', '$model')");
sql("CREATE TABLE caption (id int GENERATED ALWAYS AS IDENTITY, en text, de text)",
	"CREATE TABLE en (id int GENERATED ALWAYS AS IDENTITY, body text)",
	"CREATE TABLE de (id int GENERATED ALWAYS AS IDENTITY, body text)",
	map { "COPY $_ (body) FROM '$dir/$_.txt' (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')" } qw(en de));
sql(<<'SQL');
CREATE TABLE memory (id int PRIMARY KEY, en text, de text,
	embedding real[] GENERATED ALWAYS AS (distil_embed(en, 'multilingual')) STORED);
INSERT INTO memory (id, en, de) SELECT id, en.body, de.body FROM en JOIN de USING (id) WHERE id <= 500;
SQL
is(sql('SELECT count(*), bool_and(cardinality(embedding) = dimensions) FROM memory, distil_models WHERE name = \'multilingual\''),
	'500|t', 'a memory of 500 pairs');

my $query = q{SELECT %s FROM memory, LATERAL distilbert.cosine(embedding, distil_embed(%s, 'multilingual')) AS score
WHERE score > 0.7 ORDER BY score DESC, id LIMIT 3};

is(sql(sprintf($query, "id || ' ' || round(score::numeric, 4)", "(SELECT en FROM memory WHERE id = 7)")) =~ /^7 1\.0000$/m, 1,
	'a sentence that is there is found');
like(sql(sprintf($query, 'id', "(SELECT rtrim(en, '.') || ' !' FROM memory WHERE id = 7)")), qr/^7$/m, 'so is one that was changed a little');
is(sql(q{SELECT count(*) FROM (SELECT m.id, (SELECT n.id FROM memory AS n
		ORDER BY distilbert.cosine(n.embedding, distil_embed(m.en, 'multilingual')) DESC, n.en <> m.en, n.id LIMIT 1) AS nearest
	FROM memory AS m WHERE id <= 50) AS f JOIN memory AS a ON a.id = f.id JOIN memory AS b ON b.id = f.nearest WHERE a.en = b.en}),
	'50', 'every sentence is its own nearest');
is(sql(q{SELECT bool_and(distil_similarity(de, en, 'multilingual') BETWEEN -1 AND 1) FROM memory}), 't', 'across languages');
note('translations nearest to their sentence, of 100: ' . sql(q{SELECT count(*) FROM (SELECT m.id, (SELECT n.id FROM memory AS n
		WHERE n.id <= 100 ORDER BY distilbert.cosine(n.embedding, e) DESC LIMIT 1) AS nearest
	FROM memory AS m, LATERAL distil_embed(m.de, 'multilingual') AS e WHERE m.id <= 100) AS f WHERE id = nearest}));
alive($node);
$node->stop;
done_testing();

# Embeddings with pgvector, where it is installed: columns of its types, indexes,
# queries by distance.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
sub sql { return $node->safe_psql('postgres', join("\n", @_)) }

if (!sql("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"))
{
	plan skip_all => 'pgvector is not installed';
}
sql('CREATE EXTENSION vector');
my $has_half = sql("SELECT to_regtype('halfvec') IS NOT NULL") eq 't';
load_model($node, 'bert-sentence');

# 600 texts of some words, all different; each in the other text's neighbourhood
sql(<<'SQL');
CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc SELECT i, format('The %s %s %s the %s number %s.',
	(ARRAY['old', 'new', 'small', 'warm', 'cold'])[i % 5 + 1], (ARRAY['ship', 'film', 'room', 'letter'])[i % 4 + 1],
	(ARRAY['was near', 'loved', 'wrote'])[i % 3 + 1], (ARRAY['mayor', 'waiter', 'music', 'office', 'river', 'park', 'meal'])[i % 7 + 1], i)
FROM generate_series(1, 600) AS i;
ANALYZE doc;
SQL

# ---- columns: an assignment, no cast

sql(q{CREATE TABLE v (id int, e vector(32))});
sql(q{INSERT INTO v SELECT id, distil_embed(body, 'bert-sentence') FROM doc});
is(sql(q{SELECT count(*), bool_and(e::real[] = distil_embed(body, 'bert-sentence')) FROM v JOIN doc USING (id)}),
	'600|t', 'a vector column holds the very numbers');
like(sql(q{EXPLAIN (COSTS OFF) INSERT INTO v SELECT id, distil_embed(body, 'bert-sentence') FROM doc}),
	qr/DistilBatch/, 'they are computed in batches');
is(sql(q{CREATE TABLE g (body text, e vector(8) GENERATED ALWAYS AS (distil_embed(body, 'bert-sentence', dimensions => 8)::vector(8)) STORED);
	INSERT INTO g SELECT body FROM doc LIMIT 20; UPDATE g SET body = body || '!';
	SELECT bool_and(e::real[] = distil_embed(body, 'bert-sentence', dimensions => 8)) FROM g}),
	't', 'a generated column');
my ($rc, $out, $err) = $node->psql('postgres', q{INSERT INTO v SELECT 0, distil_embed('x', 'bert-sentence', dimensions => 8)});
like($err, qr/expected 32 dimensions, not 8/, 'pgvector checks the width');

SKIP:
{
	skip 'this pgvector has no halfvec', 2 if !$has_half;
	sql(q{CREATE TABLE h (id int, e halfvec(32)); INSERT INTO h SELECT id, distil_embed(body, 'bert-sentence') FROM doc});
	is(sql(q{SELECT count(*), max(e <=> distil_embed(body, 'bert-sentence')::halfvec) < 1e-3 FROM h JOIN doc USING (id)}),
		'600|t', 'a halfvec column');
	sql('CREATE INDEX ON h USING hnsw (e halfvec_cosine_ops)');
	is(sql(q{SET enable_seqscan = off; SELECT id FROM h ORDER BY e <=> distil_embed((SELECT body FROM doc WHERE id = 77), 'bert-sentence')::halfvec(32) LIMIT 1}),
		'77', 'and its index');
}

# ---- queries

my $nearest = q{SELECT id FROM v ORDER BY e <=> distil_embed('The old ship loved the mayor.', 'bert-sentence')::vector, id LIMIT 5};
my $exact = sql($nearest);
is(sql(q{SELECT string_agg(id::text, E'\n' ORDER BY s DESC, id) FROM (SELECT id,
	distilbert.cosine(distil_embed(body, 'bert-sentence'), distil_embed('The old ship loved the mayor.', 'bert-sentence')) AS s
	FROM doc ORDER BY s DESC, id LIMIT 5) AS best}), $exact, '<=> orders as the cosine does');

for my $method ('hnsw', 'ivfflat')
{
	my $with = $method eq 'ivfflat' ? 'WITH (lists = 5)' : '';

	sql("CREATE INDEX near ON v USING $method (e vector_cosine_ops) $with");
	my $query = q{SELECT id FROM v ORDER BY e <=> distil_embed('The old ship loved the mayor.', 'bert-sentence')::vector LIMIT 5};
	my $settings = 'SET enable_seqscan = off; SET ivfflat.probes = 5;';
	like(sql("$settings EXPLAIN (COSTS OFF) $query"), qr/Index Scan using near/, "$method: the index is used");
	is(join(' ', sort split(/\n/, sql("$settings $query"))), join(' ', sort split(/\n/, $exact)), "$method: finds the same");
	sql('DROP INDEX near');
}

# An index on the expression: no column of vectors at all.
sql(q{CREATE INDEX by_meaning ON doc USING hnsw ((distil_embed(body, 'bert-sentence')::vector(32)) vector_cosine_ops)});
my $by_meaning = q{SELECT id FROM doc ORDER BY distil_embed(body, 'bert-sentence')::vector(32) <=> %s LIMIT 3};
my $constant = sprintf($by_meaning, q{distil_embed('The cold river', 'bert-sentence')::vector(32)});
like(sql("EXPLAIN (COSTS OFF) $constant"), qr/Index Scan using by_meaning/, 'an expression index is used');
is(sql($constant) =~ tr/\n//, 2, 'and answers');
sql(q{INSERT INTO doc VALUES (1000, 'Rivers, cold ones!')});
like(sql(sprintf($by_meaning, q{distil_embed('Rivers, cold ones!', 'bert-sentence')::vector(32)})), qr/^1000$/m, 'a new row is found');

# ---- one embedding for a statement, however the text comes

# The statistics are the session's, so all of it is one.
sub texts_computed
{
	my (@statements) = @_;
	my $out = sql(q{SELECT distil_stats_reset(); SET distilbert.embed_model = 'bert-sentence';}, @statements,
		q{SELECT 'computed ' || sum(texts) FROM distil_stats});

	return $out =~ /^computed (\d+)$/m ? $1 : $out;
}

my $order = 'SELECT id FROM v ORDER BY e <=> distil_embed(%s)::vector LIMIT 3';

for my $case (
	[ 'a default model', sprintf($order, q{'cold river'}) . ';' ],
	[ 'a custom plan', sprintf("PREPARE q (text) AS $order;", '$1'),
		q{SET plan_cache_mode = force_custom_plan; EXECUTE q ('cold river');} ],
	[ 'a generic plan', sprintf("PREPARE q (text) AS $order;", '$1'),
		q{SET plan_cache_mode = force_generic_plan; EXECUTE q ('cold river');} ],
	[ 'a generic plan with a model',
		q{PREPARE q (text) AS SELECT id FROM v ORDER BY e <=> distil_embed($1, 'bert-sentence')::vector LIMIT 3;},
		q{SET plan_cache_mode = force_generic_plan; EXECUTE q ('cold river');} ])
{
	my ($name, @statements) = @$case;

	is(texts_computed(@statements), '1', "one embedding: $name");
}

# An index scan names the distance twice: to search by, and in the row's sort
# key.  The result cache, on by default, makes that one embedding, too.
sql('CREATE INDEX near ON v USING hnsw (e vector_cosine_ops)');
is(texts_computed(q{SET enable_seqscan = off; SET distilbert.cache_size = '1MB';}, sprintf($order, q{'cold river'}) . ';'),
	'1', 'one embedding: an index scan');

alive($node);
$node->stop;
done_testing();

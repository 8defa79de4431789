-- embeddings in full: prompts, poolings, dense layers, options, similarity,
-- vectors of tokens
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-sentence distilbert-dense bert-cls bert-max'
\set ECHO none
\i :setup
\set ECHO all

SELECT name, task, hidden_size, dimensions FROM distil_models WHERE name = ANY (string_to_array(:'models', ' ')) ORDER BY name;

-- sentence-transformers' encode, encode_query and encode_document
SELECT model, count(*) AS texts,
	max(pg_temp.distance(distil_embed(body, model), expected -> 'embedding')) < 1e-4 AS embed,
	max(pg_temp.distance(distil_embed_query(body, model), expected -> 'query')) < 1e-4 AS query,
	max(pg_temp.distance(distil_embed_passage(body, model), expected -> 'passage')) < 1e-4 AS passage
FROM golden WHERE model <> 'bert-sentence'
GROUP BY model ORDER BY model;

-- no prompts: all three are the same; else they differ
SELECT model, bool_and(distil_embed(body, model) = distil_embed_query(body, model)) AS query,
	bool_and(distil_embed(body, model) = distil_embed_passage(body, model)) AS passage
FROM golden GROUP BY model ORDER BY model;

-- the same bits row by row, and as arrays; prompts do not meet in a batch
SET distilbert.enable_batching = off;
CREATE TEMP TABLE by_row AS
SELECT model, n, distil_embed(body, model) AS e, distil_embed_query(body, model) AS q, distil_embed_passage(body, model, dimensions => 8) AS p
FROM golden;
RESET distilbert.enable_batching;
CREATE TEMP TABLE batched AS
SELECT n, distil_embed(body, 'bert-max') AS e, distil_embed_query(body, 'bert-max') AS q, distil_embed_passage(body, 'bert-max', dimensions => 8) AS p
FROM golden WHERE model = 'bert-max';
SELECT count(*), bool_and(b.e = r.e AND b.q = r.q AND b.p = r.p) AS same
FROM batched b JOIN by_row r ON r.model = 'bert-max' AND r.n = b.n;
EXPLAIN (COSTS OFF, VERBOSE)
SELECT distil_embed(body, 'bert-max'), distil_embed_query(body, 'bert-max', normalized => false), distil_embed_passage(body, 'bert-max', dimensions => 8)
FROM golden;
SELECT model, distil_embed(array_agg(body ORDER BY n), model) = array_agg(e ORDER BY n) AS embed,
	distil_embed_query(array_agg(body ORDER BY n), model) = array_agg(q ORDER BY n) AS query,
	distil_embed_passage(array_agg(body ORDER BY n), model, dimensions => 8) = array_agg(p ORDER BY n) AS passage
FROM golden JOIN by_row USING (model, n) GROUP BY model ORDER BY model;
SELECT distil_embed_query(ARRAY['x', NULL], 'bert-cls', dimensions => 2) IS NOT NULL AS there,
	array_dims(distil_embed_query(ARRAY['x', NULL], 'bert-cls', dimensions => 2));
SELECT distil_embed_query('{}'::text[], 'bert-cls');

-- the result cache keeps what was computed with one prompt from the others
SET distilbert.cache_size = '1MB';
SELECT bool_and(distil_embed(body, 'bert-max') = e AND distil_embed_query(body, 'bert-max') = q AND distil_embed_passage(body, 'bert-max', dimensions => 8) = p)
FROM golden JOIN by_row USING (model, n) WHERE model = 'bert-max';
SELECT bool_and(distil_embed_query(body, 'bert-max') = q AND distil_embed(body, 'bert-max') = e AND distil_embed_passage(body, 'bert-max', dimensions => 8) = p)
FROM golden JOIN by_row USING (model, n) WHERE model = 'bert-max';
SET distilbert.cache_size = 0;

-- dimensions: the beginning, scaled again where the model scales
CREATE FUNCTION pg_temp.length(real[]) RETURNS numeric LANGUAGE sql AS
	'SELECT round(sqrt(sum(x::float8 * x))::numeric, 5) FROM unnest($1) AS x';
SELECT model, pg_temp.length(distil_embed(body, model)) AS whole, pg_temp.length(distil_embed(body, model, dimensions => 7)) AS cut,
	pg_temp.length(distil_embed(body, model, true, 7)) AS yes,
	distil_embed(body, model, false, 7) = (distil_embed(body, model))[1:7] AS no,
	distil_embed(body, model, true) = distil_embed(body, model) AS nothing_to_do
FROM golden WHERE n = 1 ORDER BY model;
SELECT cardinality(distil_embed('good', 'distilbert-dense', dimensions => 24)), cardinality(distil_embed('good', 'distilbert-dense', NULL, NULL));
SELECT distil_embed('good', 'distilbert-dense', dimensions => 25);
SELECT distil_embed_query(ARRAY['good'], 'distilbert-dense', dimensions => 0);
SELECT distil_embed('good', 'distilbert-dense', dimensions => -1);

-- a text of several windows has its prompt in each, and all its tokens once
SET distilbert.long_text = window;
CREATE TEMP TABLE long AS SELECT repeat('The film was a delight, I loved the music! ', 20) AS body;
SELECT distil_token_count(body, 'bert-max') AS tokens, (SELECT count(*) FROM distil_token_embeddings(body, 'bert-max')) AS vectors,
	ARRAY[distil_embed_query(body, 'bert-max')] = distil_embed_query(ARRAY[body], 'bert-max') AS same,
	distil_similarity(body, 'The film was a delight, I loved the music!', 'bert-max') > 0.9 AS alike
FROM long;
SET distilbert.long_text = truncate;

-- NULL and the default model
SELECT distil_embed(NULL, 'bert-cls', true) IS NULL AS text, distil_embed('x', NULL, true) IS NULL AS model,
	distil_embed_query(NULL::text[], 'bert-cls') IS NULL AS texts;
SET distilbert.embed_model = '';
SELECT distil_embed_passage('good');
SET distilbert.embed_model = 'distilbert-dense';
SELECT distil_embed_query('good') = distil_embed_query('good', 'distilbert-dense') AS query,
	distil_embed_passage('good', dimensions => 3) = distil_embed_passage('good', 'distilbert-dense', dimensions => 3) AS passage,
	distil_embed(ARRAY['good'], normalized => true) = distil_embed(ARRAY['good'], 'distilbert-dense', true) AS texts;

-- a generated column and an index keep their meaning
CREATE TEMP TABLE document (body text, e real[] GENERATED ALWAYS AS (distil_embed_passage(body, 'bert-cls', dimensions => 4)) STORED);
INSERT INTO document SELECT body FROM golden WHERE model = 'bert-cls';
CREATE INDEX ON document (distil_embed(body, 'bert-cls'));
SELECT bool_and(e = distil_embed_passage(body, 'bert-cls', dimensions => 4)) AS same FROM document;

-- similarity: inlined, so that both texts go in batches and a constant one is computed once
EXPLAIN (COSTS OFF, VERBOSE) SELECT distil_similarity(body, expected ->> 'text', 'bert-cls') FROM golden;
EXPLAIN (COSTS OFF) SELECT body FROM golden ORDER BY distil_similarity(body, 'The film was a delight.') DESC LIMIT 1;
SELECT round(distil_similarity('good', 'good', 'bert-sentence')::numeric, 5) AS itself,
	distil_similarity('good', NULL, 'bert-sentence') IS NULL AS nothing,
	round(distil_similarity('good', 'The film was bad.')::numeric, 3) AS default_model;
SELECT max(abs(distil_similarity(body, 'A delight.', 'bert-sentence')
	- (SELECT sum(x * y) FROM unnest(distil_embed(body, 'bert-sentence'), distil_embed('A delight.', 'bert-sentence')) AS v (x, y)))) < 1e-5 AS same
FROM golden;
SELECT distilbert.cosine('{1,0}', '{1,1}'), distilbert.cosine('{1,2}', '{-1,-2}'), distilbert.cosine('{0,0}', '{1,1}'), distilbert.cosine('{1}', NULL);
SELECT distilbert.cosine('{1,0}', '{1,1,1}');
SELECT distilbert.cosine('{1,NULL}', '{1,1}');
SELECT distilbert.cosine('{}', '{}');

-- vectors of tokens, and where they stand
SELECT token, start_pos, end_pos, substr(body, start_pos, end_pos - start_pos + 1) AS piece, cardinality(embedding)
FROM (VALUES ('Anna, naïve 😀 in Berlin')) AS t (body), distil_token_embeddings(body, 'distilbert-dense');
-- their mean is what the model pools
SELECT max(pg_temp.distance(mean, expected -> 'mean')) < 1e-4 AS agree
FROM golden, LATERAL (
	SELECT array_agg(m::real ORDER BY i) AS mean
	FROM (SELECT i, avg(x) AS m FROM distil_token_embeddings(body, model), unnest(embedding) WITH ORDINALITY AS u (x, i) GROUP BY i) AS means) AS pooled
WHERE model IN ('bert-cls', 'distilbert-dense');
SELECT count(*) FROM distil_token_embeddings('');
SELECT count(*) FROM distil_token_embeddings(NULL);
\set VERBOSITY terse
SELECT * FROM distil_token_embeddings('x', 'no such model');
\set VERBOSITY default

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

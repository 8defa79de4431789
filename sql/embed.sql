-- distil_embed
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-sentence distilbert-base distilbert-sharded bert-base-cased distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

-- sentence-transformers' vectors where the model has its files, else the mean
-- of the last hidden state
SELECT model, count(distil_embed(body, model, long_text => 'truncate')) AS texts,
	max(pg_temp.distance(distil_embed(body, model, long_text => 'truncate'), coalesce(expected -> 'embedding', expected -> 'mean'))) < 1e-4 AS agree
FROM golden WHERE model <> 'distilbert-sentiment'
GROUP BY model ORDER BY model;

-- shape; normalised where the model says so
SELECT model, array_dims(distil_embed(body, model, long_text => 'truncate')),
	round((SELECT sqrt(sum(x * x)) FROM unnest(distil_embed(body, model, long_text => 'truncate')) AS x)::numeric, 3) AS length
FROM golden WHERE n = 1 ORDER BY model;

-- an ordinary array
SELECT pg_typeof(e), cardinality(e), e[1] = (e[1:2])[1] AS element, e = e::float8[]::real[] AS round_trip
FROM distil_embed('The film was a delight.', 'bert-sentence', long_text => 'truncate') AS e;
SELECT (distil_embed('The film was a delight.', 'bert-sentence', long_text => 'truncate'))[1:3]::numeric(6,3)[] AS first_three;

-- stored, and compared
CREATE TEMP TABLE document (body text, embedding real[] GENERATED ALWAYS AS (distil_embed(body, 'bert-sentence', long_text => 'truncate')) STORED);
INSERT INTO document (body) SELECT body FROM golden WHERE model = 'bert-sentence';
SELECT count(*), bool_and(embedding = distil_embed(body, 'bert-sentence', long_text => 'truncate')) AS same FROM document;

-- a model with a head can embed, too
SELECT cardinality(distil_embed('good', 'distilbert-sentiment', long_text => 'truncate'));

-- the default model is a setting
SET distilbert.embed_model = '';
SELECT distil_embed('good');
SET distilbert.embed_model = 'bert-sentence';
SELECT distil_embed('good') = distil_embed('good', 'bert-sentence', long_text => 'truncate') AS same;
SELECT distil_embed(text => 'good') = distil_embed(text => 'good', model => 'bert-sentence', long_text => 'truncate') AS same;

-- NULL and nothing
SELECT distil_embed(NULL, 'bert-sentence', long_text => 'truncate') IS NULL AS text, distil_embed('x', NULL) IS NULL AS model;
SELECT cardinality(distil_embed('', 'bert-sentence', long_text => 'truncate')) AS empty_text;

SELECT bool_and(distil_drop_model(m, force => true)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

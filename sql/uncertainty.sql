-- distil_uncertainty: how unsure a classification is
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentiment3 distilbert-stars distilbert-multilabel distilbert-regression bert-ner distilbert-base'
\set ECHO none
\i :setup
\set ECHO all

-- entropy in bits, of scores that may be 0
CREATE FUNCTION pg_temp.bits(p float8) RETURNS float8 LANGUAGE sql AS $$
	SELECT CASE WHEN p > 0 THEN -p * ln(p) / ln(2) ELSE 0 END
$$;

-- that of transformers' scores: over its largest value, or the mean of the labels' own
SELECT model, count(*) AS texts, bool_and(u BETWEEN 0 AND 1) AS within,
	max(abs(u - CASE model WHEN 'distilbert-multilabel' THEN each ELSE one END)) < 1e-4 AS agree
FROM (SELECT model, distil_uncertainty(body, model) AS u,
			(SELECT sum(pg_temp.bits(s)) / (ln(count(*)) / ln(2)) FROM unnest(p) AS s) AS one,
			(SELECT avg(pg_temp.bits(s) + pg_temp.bits(1 - s)) FROM unnest(p) AS s) AS each
	  FROM golden,
		LATERAL (SELECT array_agg((c ->> 'score')::float8) AS p FROM jsonb_array_elements(expected -> 'scores') AS c) AS scores
	  WHERE expected ? 'scores' AND model <> 'distilbert-regression') AS both_sides
GROUP BY model ORDER BY model;

-- the figures of one text
SELECT model, round(distil_uncertainty('The film was a delight.', model)::numeric, 3) AS uncertainty
FROM (VALUES ('distilbert-sentiment'), ('bert-sentiment3'), ('distilbert-stars'), ('distilbert-multilabel')) AS m (model);

-- NULL, and nothing
SELECT distil_uncertainty(NULL, 'distilbert-stars') IS NULL AS text, distil_uncertainty('x', NULL) IS NULL AS model,
	distil_uncertainty(NULL::text[], 'distilbert-stars') IS NULL AS texts,
	distil_uncertainty('', 'distilbert-stars') BETWEEN 0 AND 1 AS nothing;

-- arrays: the same bits in the same order
SELECT distil_uncertainty(array_agg(body ORDER BY n), 'distilbert-stars')
		= array_agg(distil_uncertainty(body, 'distilbert-stars') ORDER BY n) AS same
FROM golden WHERE model = 'distilbert-stars';
SELECT array_position(distil_uncertainty('[0:2]={good,NULL,bad}'::text[], 'distilbert-stars'), NULL) AS null_at,
	distil_uncertainty('{}'::text[], 'distilbert-stars') AS none;

-- in batches: what is worth labelling next
CREATE TABLE review (id int PRIMARY KEY, body text);
INSERT INTO review SELECT i, CASE WHEN i % 20 = 0 THEN NULL ELSE 'film ' || i % 40 END FROM generate_series(1, 200) AS i;
ANALYZE review;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT id FROM review ORDER BY distil_uncertainty(body, 'distilbert-stars') DESC NULLS LAST, id LIMIT 5;
EXPLAIN (COSTS OFF) SELECT distil_classify(body, 'distilbert-stars'), distil_uncertainty(body, 'distilbert-stars') FROM review;
CREATE TEMP TABLE batched AS SELECT id, distil_uncertainty(body, 'distilbert-stars') AS u FROM review;
SET distilbert.enable_batching = off;
SELECT count(u), bool_and(u IS NOT DISTINCT FROM distil_uncertainty(body, 'distilbert-stars')) AS same
FROM batched JOIN review USING (id);
RESET distilbert.enable_batching;
RESET max_parallel_workers_per_gather;

-- it names its model, and so may be stored
CREATE INDEX ON review (distil_uncertainty(body, 'distilbert-stars'));
DROP TABLE review;

-- models that do not fit, and none
SELECT distil_uncertainty('x', 'distilbert-regression');
SELECT distil_uncertainty('x', 'bert-ner');
SELECT distil_uncertainty('{x}'::text[], 'distilbert-base');
SELECT distil_uncertainty('x');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

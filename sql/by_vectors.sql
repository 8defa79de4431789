-- distil_zero_shot, distil_rerank and distil_rerank_distance by a model of embeddings
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-sentence distilbert-dense static-st distilbert-nli distilbert-sentiment distilbert-qa'
\set ECHO none
\i :setup
\set ECHO all
RESET distilbert.long_text;
CREATE TEMP TABLE notes AS
	SELECT i AS id, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 11 = 0 THEN '' ELSE 'the film ' || i || repeat(' was warm', i % 5) END AS body
	FROM generate_series(1, 40) AS i;
ANALYZE notes;

-- the labels' scores are the softmax of 20 times their cosines with the text
CREATE TEMP TABLE found AS
	SELECT m, id, z.*, distil_similarity(body, 'It is about ' || z.label || '.', m) AS cosine
	FROM unnest('{bert-sentence,distilbert-dense,static-st}'::text[]) AS m, notes,
		LATERAL distil_zero_shot(body, '{film,food,music}', m, template => 'It is about {}.') WITH ORDINALITY AS z (label, score, place);
SELECT m, count(*), count(DISTINCT label) AS labels, max(abs(score - wanted)) < 1e-5 AS agree, max(abs(sum - 1)) < 1e-5 AS sum_1, bool_and(place = rank) AS in_order
FROM (SELECT *, exp(20 * cosine) / sum(exp(20 * cosine)) OVER w AS wanted, sum(score) OVER w, rank() OVER (PARTITION BY m, id ORDER BY score DESC) AS rank
	FROM found WINDOW w AS (PARTITION BY m, id)) AS f GROUP BY m ORDER BY m;

-- the labels' vectors are kept from row to row, for the same labels, model and template alone
CREATE TEMP TABLE asked AS
	SELECT id, body, CASE WHEN id % 3 = 0 THEN '{film,food}' ELSE '{food,music,film}' END::text[] AS labels,
		CASE WHEN id % 2 = 0 THEN 'bert-sentence' ELSE 'distilbert-dense' END AS model, CASE WHEN id % 5 = 0 THEN '{}' ELSE 'About {}.' END AS template
	FROM notes WHERE body IS NOT NULL;
SET distilbert.cache_size = 0;
SET enable_memoize = off;
CREATE TEMP TABLE together AS SELECT id, array_agg(z)::text AS z FROM asked, LATERAL distil_zero_shot(body, labels, model, template => template) AS z GROUP BY id;
CREATE FUNCTION pg_temp.alone(body text, labels text[], model text, template text) RETURNS text LANGUAGE plpgsql AS
	$$ BEGIN RETURN (SELECT array_agg(z) FROM distil_zero_shot(body, labels, model, template => template) AS z); END $$;
SELECT count(*), bool_and(z = pg_temp.alone(body, labels, model, template)) AS same FROM together JOIN asked USING (id);
SELECT count(*), bool_and(z = (SELECT array_agg(s) FROM (SELECT distil_zero_shot(body, labels, model, template => template) AS s) AS s)::text) AS same FROM together JOIN asked USING (id);
SELECT texts AS before FROM distil_stats WHERE model = 'bert-sentence' \gset
SELECT count(*) FROM notes, LATERAL (SELECT * FROM distil_zero_shot(body, '{film,food,music}', 'bert-sentence', template => 'On {}') LIMIT 1) AS z;
SELECT texts - :before AS texts FROM distil_stats WHERE model = 'bert-sentence';
RESET distilbert.cache_size;
RESET enable_memoize;

-- by a setting, which names an installed model at first
SELECT count(*) FROM distil_zero_shot('The film was a delight', '{film,food,music}');
SET distilbert.zero_shot_model = 'bert-sentence';
SELECT bool_and(a = b) AS same FROM (SELECT array_agg(f) AS a FROM distil_zero_shot('x', '{film,food,music}') AS f) AS a,
	(SELECT array_agg(f) AS b FROM distil_zero_shot('x', '{film,food,music}', 'bert-sentence') AS f) AS b;

-- what makes no sense is said
SELECT * FROM distil_zero_shot('x', '{film}', 'bert-sentence');
SELECT * FROM distil_zero_shot('x', '{}', 'bert-sentence');
SELECT * FROM distil_zero_shot('x', '{film,""}', 'bert-sentence');
SELECT * FROM distil_zero_shot('x', '{film,NULL}', 'bert-sentence');
SELECT * FROM distil_zero_shot('x', '{film,food}', 'bert-sentence', multi_label => true);
SELECT * FROM distil_zero_shot('x', '{film,food}', 'bert-sentence', template => 'This example is fine');
SELECT * FROM distil_zero_shot('x', '{film,food}', 'distilbert-qa');
SELECT * FROM distil_zero_shot(NULL, '{film,food}', 'bert-sentence');
SELECT * FROM distil_zero_shot('x', '{film,food}', 'bert-sentence', on_error => NULL);
-- without a template the labels' vectors are the sums of those in two
SELECT m, max(abs(score - exp(20 * cosine) / sum)) < 1e-5 AS agree
FROM (SELECT m, score, cosine, sum(exp(20 * cosine)) OVER (PARTITION BY m) AS sum
	FROM unnest('{bert-sentence,distilbert-dense,static-st}'::text[]) AS m, distil_zero_shot('the film', '{film,food,music}', m),
		LATERAL (SELECT distilbert.cosine(distil_embed('the film', m), array_agg(a + b ORDER BY i)) AS cosine
			FROM unnest(distil_embed('about ' || label, m, normalized => true), distil_embed('Topic: ' || label, m, normalized => true)) WITH ORDINALITY AS v (a, b, i)) AS c) AS f
GROUP BY m ORDER BY m;

-- texts and labels that are too long
SELECT count(*) FROM distil_zero_shot(repeat('film ', 100), '{film,food}', 'bert-sentence');
SELECT count(*) FROM distil_zero_shot(repeat('film ', 100), '{film,food}', 'bert-sentence', long_text => 'error');
SELECT count(*) FROM distil_zero_shot(repeat('film ', 100), '{film,food}', 'bert-sentence', long_text => 'error', on_error => 'null');
SELECT count(*) FROM distil_zero_shot('film', ARRAY['food', repeat('film ', 100)], 'bert-sentence', long_text => 'error', on_error => 'null');

-- reranking: the cosine of the query's vector and the document's, each with its prompt
SELECT m, count(*), count(score) AS scores, bool_and(score IS NOT DISTINCT FROM distilbert.cosine(distil_embed_query('Who wrote it?', m), distil_embed_passage(body, m))) AS same,
	bool_and(distance IS NOT DISTINCT FROM 1::real - score) AS distances
FROM unnest('{bert-sentence,distilbert-dense,static-st}'::text[]) AS m,
	LATERAL (SELECT array_agg(body ORDER BY id) AS docs FROM notes) AS d,
	LATERAL unnest(docs, distil_rerank('Who wrote it?', docs, m)) AS r (body, score),
	LATERAL distil_rerank_distance('Who wrote it?', body, m) AS distance
GROUP BY m ORDER BY m;
SELECT cosine <> similarity AS has_prompts FROM (SELECT (distil_rerank('film', '{food}', 'distilbert-dense'))[1] AS cosine, distil_similarity('film', 'food', 'distilbert-dense')) AS c (cosine, similarity);

-- rows by batches, alone, from the cache: the same bits
EXPLAIN (COSTS OFF) SELECT id FROM notes ORDER BY distil_rerank_distance('Who wrote it?', body, 'distilbert-dense') LIMIT 2;
CREATE TEMP TABLE batched AS SELECT id, distil_rerank_distance('Who wrote it?', body, 'distilbert-dense') AS d, distil_rerank_distance(body, 'Who?', 'distilbert-dense') AS e FROM notes;
SELECT count(d) FROM batched;
SET distilbert.enable_batching = off;
SELECT bool_and(d IS NOT DISTINCT FROM distil_rerank_distance('Who wrote it?', body, 'distilbert-dense')) AS d, bool_and(e IS NOT DISTINCT FROM distil_rerank_distance(body, 'Who?', 'distilbert-dense')) AS e
FROM batched JOIN notes USING (id);
SET distilbert.cache_size = 0;
SELECT bool_and(d IS NOT DISTINCT FROM distil_rerank_distance('Who wrote it?', body, 'distilbert-dense')) AS d FROM batched JOIN notes USING (id);
RESET distilbert.enable_batching;
SELECT bool_and(d IS NOT DISTINCT FROM distil_rerank_distance('Who wrote it?', body, 'distilbert-dense')) AS d FROM batched JOIN notes USING (id);
RESET distilbert.cache_size;

-- by the setting; NULL, no documents, bounds
SELECT cardinality(distil_rerank('film', '{food,music}'));
SET distilbert.rerank_model = 'bert-sentence';
SELECT distil_rerank('x', ARRAY['a', NULL]) = ARRAY[(distil_rerank('x', ARRAY['a'], 'bert-sentence'))[1], NULL] AS null_for_null, distil_rerank('x', '{}'),
	distil_rerank('x', '{NULL}'), distil_rerank(NULL, '{a}'), distil_rerank_distance('x', NULL);
SELECT array_lower(distil_rerank('x', '[5:6]={a,b}'), 1);

-- models of other tasks; texts that are too long
SELECT distil_rerank('x', '{a}', 'distilbert-nli');
SELECT distil_rerank('x', '{a}', 'distilbert-qa');
SELECT distil_rerank_distance('x', 'a', 'distilbert-qa');
SELECT distil_rerank(repeat('film ', 100), '{a}', 'bert-sentence', long_text => 'error');
SELECT distil_rerank(repeat('film ', 100), '{a,b}', 'bert-sentence', long_text => 'error', on_error => 'null');
SELECT distil_rerank('x', ARRAY['a', repeat('film ', 100)], 'bert-sentence', long_text => 'error', on_error => 'null') IS NOT NULL AS one;
SELECT distil_rerank_distance('x', repeat('film ', 100), 'bert-sentence', long_text => 'error', on_error => 'null');
SELECT count(distil_rerank_distance('x', body || repeat(' film', CASE WHEN id = 2 THEN 100 ELSE 0 END), 'bert-sentence', long_text => 'error', on_error => 'null')) FROM notes WHERE id < 6;
SELECT count(distil_rerank_distance('x', body || repeat(' film', CASE WHEN id = 2 THEN 100 ELSE 0 END), 'bert-sentence', long_text => 'error')) FROM notes WHERE id < 6;

RESET distilbert.zero_shot_model;
RESET distilbert.rerank_model;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

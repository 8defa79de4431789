-- distil_zero_shot, distil_pair_scores, distil_rerank, distil_rerank_distance
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-nli distilbert-regression bert-rerank bert-rerank-modules distilbert-sentiment distilbert-qa'
\set ECHO none
\i :setup
\set ECHO all

-- the zero-shot pipeline's labels and scores, texts cut as there
SET distilbert.long_text = 'truncate';
CREATE TEMP TABLE wanted AS
	SELECT n, c ->> 'text' AS body, ARRAY(SELECT jsonb_array_elements_text(c -> 'labels')) AS labels, c ->> 'template' AS template,
		(c ->> 'multi_label')::bool AS multi_label, c -> 'scores' AS scores
	FROM jsonb_array_elements(pg_read_file(:'fixtures' || 'pairs.json')::jsonb -> 'zero_shot' -> 'cases') WITH ORDINALITY AS cases (c, n);
CREATE TEMP TABLE compared AS
	SELECT n, i, w ->> 'label' AS wanted, f.label AS found, abs((w ->> 'score')::float8 - f.score) AS difference
	FROM (SELECT n, i, w FROM wanted, jsonb_array_elements(scores) WITH ORDINALITY AS a (w, i)) AS w
		FULL JOIN (SELECT n, f.* FROM wanted, LATERAL distil_zero_shot(body, labels, 'distilbert-nli', multi_label, template, long_text => 'truncate')
			WITH ORDINALITY AS f (label, score, i)) AS f USING (n, i);
SELECT count(*) > 100 AS many, bool_and(wanted = found) AS labels_agree, max(coalesce(difference, 1)) < 1e-5 AS scores_agree FROM compared;
SELECT * FROM compared WHERE wanted IS DISTINCT FROM found OR coalesce(difference, 1) > 1e-5 ORDER BY n, i LIMIT 10;

-- nothing cut, other scores
SET distilbert.long_text = 'window';
SELECT count(*) FILTER (WHERE abs((w ->> 'score')::float8 - f.score) > 1e-4) > 5 AS others
FROM (SELECT * FROM wanted WHERE length(body) > 500 AND NOT labels @> '{b}' OFFSET 0) AS l,
	jsonb_array_elements(scores) AS w, distil_zero_shot(body, labels, 'distilbert-nli', multi_label, template) AS f
WHERE f.label = w ->> 'label';

-- scores that exclude each other sum up to 1; the defaults
SELECT count(*), round(sum(score)::numeric, 5) FROM distil_zero_shot('The film was a delight', '{film,food,music}', 'distilbert-nli');
SET distilbert.zero_shot_model = '';
SELECT * FROM distil_zero_shot('The film was a delight', '{film,food,music}');
SET distilbert.zero_shot_model = 'distilbert-nli';
SELECT bool_and(a = b) AS same FROM (SELECT array_agg(f) AS a FROM distil_zero_shot('x', '{film,food,music}') AS f) AS a,
	(SELECT array_agg(f) AS b FROM distil_zero_shot('x', '{film,food,music}', 'distilbert-nli', false, 'This example is {}.') AS f) AS b;
SELECT label FROM distil_zero_shot('x', '{film}', true, template => 'About {}: {}');
SELECT label FROM distil_zero_shot('', '{""}');
SELECT * FROM distil_zero_shot('x', '{}');
SELECT * FROM distil_zero_shot(NULL, '{film}');
SELECT * FROM distil_zero_shot('x', NULL);

-- what is wrong is said
SELECT * FROM distil_zero_shot('x', '{film,NULL}');
SELECT * FROM distil_zero_shot('x', '{{film},{food}}');
SELECT * FROM distil_zero_shot('x', '{film}', template => 'This example is fine');
SELECT * FROM distil_zero_shot('x', '{film}', 'distilbert-sentiment');
SELECT * FROM distil_zero_shot('x', '{film}', 'distilbert-qa');
SELECT * FROM distil_zero_shot('x', '{film}', 'nowhere');
SET distilbert.long_text = 'truncate';
SELECT * FROM distil_zero_shot('x', '{film}', template => repeat('very ', 200) || '{}');

-- pairs: the scores of the goldens
SELECT count(*) > 5 AS many, bool_and(abs((w ->> 'score')::float8 - f.score) < 1e-5) AS agree
FROM jsonb_array_elements(pg_read_file(:'fixtures' || 'distilbert-nli/golden.json')::jsonb -> 'cases') AS c,
	LATERAL jsonb_array_elements(c -> 'scores') AS w,
	LATERAL distil_pair_scores(c ->> 'text', c ->> 'pair', 'distilbert-nli', long_text => 'truncate') AS f
WHERE f.label = w ->> 'label' AND c ->> 'pair' <> '';	-- transformers takes an empty one for none
SELECT label FROM distil_pair_scores('a', '', 'distilbert-nli', long_text => 'truncate') ORDER BY label;
SELECT * FROM distil_pair_scores('a', NULL, 'distilbert-nli', long_text => 'truncate');
SELECT * FROM distil_pair_scores('a', 'b', 'distilbert-qa', long_text => 'truncate');

-- reranking: CrossEncoder's scores, logistic or raw as the model's files say
CREATE TEMP TABLE asked AS
	SELECT c ->> 'model' AS model, c ->> 'query' AS query, ARRAY(SELECT jsonb_array_elements_text(c -> 'docs')) AS docs,
		ARRAY(SELECT jsonb_array_elements_text(c -> 'scores')::float8) AS scores
	FROM jsonb_array_elements(pg_read_file(:'fixtures' || 'pairs.json')::jsonb -> 'rerank' -> 'cases') AS c;
SELECT model, count(*), max(abs(wanted - found)) < 1e-5 AS agree, max(abs(1 - wanted - distance)) < 1e-5 AS distances_agree
FROM asked, LATERAL unnest(docs, scores, distil_rerank(query, docs, model, long_text => 'truncate')) AS r (doc, wanted, found),
	LATERAL distil_rerank_distance(query, doc, model, long_text => 'truncate') AS distance
GROUP BY model ORDER BY model;

-- ORDER BY puts the best first, by batches
RESET distilbert.long_text;
SET distilbert.rerank_model = 'bert-rerank';
CREATE TEMP TABLE docs AS SELECT doc FROM unnest(ARRAY['Berlin', 'The letter was written by Ada.', 'cold soup', NULL, '']) AS doc;
EXPLAIN (COSTS OFF) SELECT doc FROM docs ORDER BY distil_rerank_distance('Who wrote it?', doc) LIMIT 2;
SELECT (SELECT array_agg(doc ORDER BY score DESC NULLS LAST) FROM unnest(array_agg(doc), distil_rerank('Who wrote it?', array_agg(doc))) AS r (doc, score)) =
	array_agg(doc ORDER BY distil_rerank_distance('Who wrote it?', doc)) AS same_order
FROM docs;
SELECT distil_rerank('x', ARRAY['a', NULL]) = ARRAY[(distil_rerank('x', ARRAY['a']))[1], NULL] AS null_for_null, distil_rerank('x', '{}'),
	distil_rerank(NULL, '{a}'), distil_rerank('x', NULL), distil_rerank_distance('x', NULL);
SELECT array_lower(distil_rerank('x', '[5:6]={a,b}'), 1);
SELECT distil_rerank('x', '{a}', 'distilbert-nli');
SELECT distil_rerank_distance('x', 'a', 'distilbert-qa');

-- longer than the model takes
SET distilbert.long_text = 'error';
SELECT * FROM distil_zero_shot(repeat('film ', 100), '{film}');
SELECT distil_rerank(repeat('film ', 100), '{film}');

-- a head made of modules is no head to begin a training with, and cannot teach
SELECT count(*) FROM distil_train('pairs-trained', $$SELECT * FROM (VALUES ('good', 'yes'), ('bad', 'no')) AS t (body, label)$$, 'bert-rerank-modules', epochs => 1, validation => 0);
SELECT architecture, labels, dimensions, distil_drop_model(name) FROM distil_models WHERE name = 'pairs-trained';
SELECT distil_distill('x', 'bert-rerank-modules', $$SELECT 'good'$$);

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_classify and distil_scores
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentiment3 distilbert-stars distilbert-multilabel distilbert-regression distilbert-nli bert-ner distilbert-base distilbert-qa'
\set ECHO none
\i :setup
\set ECHO all

-- labels, scores and their order are the text-classification pipeline's:
-- softmax, sigmoid for the multi-label model, the number itself for regression
SELECT model, count(*) AS scores,
	bool_and(label IS NOT DISTINCT FROM c ->> 'label') AS labels,
	max(coalesce(abs(score - (c ->> 'score')::float8), 1)) < 1e-4 AS agree
FROM golden,
	LATERAL (SELECT s.label, s.score, e.c
			 FROM distil_scores(body, model, long_text => 'truncate') WITH ORDINALITY AS s (label, score, i)
			 FULL JOIN jsonb_array_elements(expected -> 'scores') WITH ORDINALITY AS e (c, i) USING (i)) AS both_sides
WHERE expected ? 'scores'
GROUP BY model ORDER BY model;

SELECT model, count(*) AS texts,
	bool_and(distil_classify(body, model, long_text => 'truncate') IS NOT DISTINCT FROM expected -> 'scores' -> 0 ->> 'label') AS agree
FROM golden WHERE expected ? 'scores'
GROUP BY model ORDER BY model;

-- the figures of one text
SELECT label, round(score::numeric, 3) AS score FROM distil_scores('The film was a delight.', 'distilbert-stars', long_text => 'truncate');
SELECT label, round(score::numeric, 3) AS score FROM distil_scores('The film was a delight.', 'distilbert-multilabel', long_text => 'truncate');
SELECT label, round(score::numeric, 3) AS score FROM distil_scores(text => 'The film was a delight.', model => 'distilbert-regression', long_text => 'truncate');

-- in the select list, and joined
SELECT (distil_scores('The film was a delight.', 'distilbert-sentiment', long_text => 'truncate')).label;
SELECT n, label FROM golden, LATERAL distil_scores(body, model, long_text => 'truncate')
WHERE model = 'distilbert-stars' AND n <= 2 ORDER BY n, score DESC;

-- NULL
SELECT distil_classify(NULL, 'distilbert-stars', long_text => 'truncate') IS NULL AS text, distil_classify('x', NULL) IS NULL AS model;
SELECT count(*) FROM distil_scores(NULL, 'distilbert-stars', long_text => 'truncate');
SELECT count(*) FROM distil_scores('x', NULL);

-- models that do not fit, and none
SELECT distil_classify('x', 'bert-ner', long_text => 'truncate');
SELECT distil_classify('x', 'distilbert-base', long_text => 'truncate');
SELECT distil_classify('x', 'distilbert-qa', long_text => 'truncate');
SELECT * FROM distil_scores('x', 'bert-ner', long_text => 'truncate');
\set VERBOSITY terse
SELECT distil_classify('x');
SELECT * FROM distil_scores('x', 'no such model');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_sentiment and distil_sentiment_label
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentiment3 distilbert-stars distilbert-nli bert-ner'
\set ECHO none
\i :setup
\set ECHO all

-- negative and positive, with and without neutral: P(positive) - P(negative)
SELECT model, count(distil_sentiment(body, model, long_text => 'truncate')) AS texts,
	max(abs(distil_sentiment(body, model, long_text => 'truncate') - (p[cardinality(p)] - p[1]))) < 1e-4 AS agree,
	count(DISTINCT sign(distil_sentiment(body, model, long_text => 'truncate'))) AS signs
FROM (SELECT *, pg_temp.softmax(expected -> 'logits') AS p FROM golden
	  WHERE model IN ('distilbert-sentiment', 'bert-sentiment3')) AS g
GROUP BY model ORDER BY model;

-- stars: the expected star, 1 .. 5 onto -1 .. 1
SELECT model, count(distil_sentiment(body, model, long_text => 'truncate')) AS texts,
	max(abs(distil_sentiment(body, model, long_text => 'truncate')
			- ((p[1] + 2 * p[2] + 3 * p[3] + 4 * p[4] + 5 * p[5]) - 3) / 2)) < 1e-4 AS agree
FROM (SELECT *, pg_temp.softmax(expected -> 'logits') AS p FROM golden
	  WHERE model = 'distilbert-stars') AS g
GROUP BY model;

-- labels as the model spells them
SELECT model, count(*) AS texts,
	bool_and(distil_sentiment_label(body, model, long_text => 'truncate') IS NOT DISTINCT FROM expected -> 'scores' -> 0 ->> 'label') AS agree,
	array_agg(DISTINCT distil_sentiment_label(body, model, long_text => 'truncate')) AS labels
FROM golden WHERE expected ? 'scores' AND model NOT IN ('distilbert-nli', 'bert-ner')
GROUP BY model ORDER BY model;

-- some values to look at
SELECT n, left(body, 30) AS body, round(distil_sentiment(body, model, long_text => 'truncate')::numeric, 3) AS sentiment,
	distil_sentiment_label(body, model, long_text => 'truncate') AS label
FROM golden WHERE model = 'distilbert-sentiment' AND n IN (1, 2, 3, 9, 13, 18) ORDER BY n;

-- named notation
SELECT distil_sentiment(text => 'good', model => 'distilbert-sentiment', long_text => 'truncate')
	= distil_sentiment('good', 'distilbert-sentiment', long_text => 'truncate') AS same;

-- the default model is a setting
SET distilbert.sentiment_model = 'distilbert-sentiment';
SELECT count(*) AS texts, bool_and(distil_sentiment(body) = distil_sentiment(body, 'distilbert-sentiment', long_text => 'truncate')) AS same,
	bool_and(distil_sentiment_label(body) = distil_sentiment_label(body, 'distilbert-sentiment', long_text => 'truncate')) AS same_label
FROM golden WHERE model = 'distilbert-sentiment';
SET distilbert.sentiment_model = 'distilbert-stars';
SELECT distil_sentiment('good') = distil_sentiment('good', 'distilbert-stars', long_text => 'truncate') AS follows,
	distil_sentiment_label('good');
SET distilbert.sentiment_model = '';
SELECT distil_sentiment('good');
\set VERBOSITY terse
SET distilbert.sentiment_model = 'no such model';
SELECT distil_sentiment('good');
\set VERBOSITY default
RESET distilbert.sentiment_model;

-- five steps in words, and seven, evenly from -1 to 1
SET client_min_messages = warning;
SELECT count(*) FROM distil_train('five', $$VALUES ('awful', 'Very Negative'), ('bad', 'Negative'), ('so so', 'Neutral'), ('good', 'Positive'),
	('wonderful', 'Very Positive')$$, 'distilbert-sentiment', epochs => 1, validation => 0, replace => true);
SELECT count(*) FROM distil_train('seven', $$VALUES ('a', 'extremely_negative'), ('b', 'negative'), ('c', 'slightly_negative'), ('d', 'neutral'),
	('e', 'slightly_positive'), ('f', 'positive'), ('g', 'extremely_positive')$$, 'distilbert-sentiment', epochs => 1, validation => 0, replace => true);
RESET client_min_messages;
SELECT name, task, labels FROM distil_models WHERE name IN ('five', 'seven') ORDER BY name;
SELECT m, count(*) AS texts, max(abs(distil_sentiment(body, m) - (
	SELECT sum(s.score * (array_position(CASE m WHEN 'five' THEN '{Very Negative,Negative,Neutral,Positive,Very Positive}'::text[]
		ELSE '{extremely_negative,negative,slightly_negative,neutral,slightly_positive,positive,extremely_positive}' END, s.label) - 1)
		* 2 / (CASE m WHEN 'five' THEN 4 ELSE 6 END) - s.score)
	FROM distil_scores(body, m) AS s))) < 1e-5 AS agree
FROM golden, unnest(ARRAY['five', 'seven']) AS m WHERE model = 'distilbert-stars' GROUP BY m ORDER BY m;
SELECT distil_drop_model('five'), distil_drop_model('seven');

-- models changing from row to row at one call site
SELECT count(*) AS texts, count(DISTINCT model) AS models,
	bool_and(distil_sentiment_label(body, model, long_text => 'truncate') IS NOT DISTINCT FROM expected -> 'scores' -> 0 ->> 'label') AS agree
FROM (SELECT * FROM golden WHERE model IN ('distilbert-sentiment', 'bert-sentiment3', 'distilbert-stars')
	  ORDER BY n, model) AS g;

-- types that are text in disguise
SELECT distil_sentiment('good'::varchar, 'distilbert-sentiment', long_text => 'truncate') = distil_sentiment('good', 'distilbert-sentiment', long_text => 'truncate') AS varchar,
	distil_sentiment('good'::name, 'distilbert-sentiment', long_text => 'truncate') = distil_sentiment('good', 'distilbert-sentiment', long_text => 'truncate') AS name;

-- NULL
SELECT distil_sentiment(NULL, 'distilbert-sentiment', long_text => 'truncate') IS NULL AS text, distil_sentiment('good', NULL) IS NULL AS model,
	distil_sentiment(NULL) IS NULL AS default_model, distil_sentiment_label(NULL, 'distilbert-sentiment', long_text => 'truncate') IS NULL AS label;

-- models that do not fit
SELECT distil_sentiment('good', 'distilbert-nli', long_text => 'truncate');
SELECT distil_sentiment_label('good', 'distilbert-nli', long_text => 'truncate');
SELECT distil_sentiment('good', 'bert-ner', long_text => 'truncate');
SELECT distil_sentiment('good', 'distilbert-sentimant', long_text => 'truncate');
\set VERBOSITY terse
SELECT distil_sentiment('good', '');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

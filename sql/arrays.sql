-- functions on arrays of texts
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment distilbert-multilabel bert-sentence bert-ner'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.embed_model = 'bert-sentence';

-- the same bits as one by one, in order, NULL for NULL; several batches long
CREATE TEMP TABLE texts AS
	SELECT i, CASE WHEN i % 7 = 3 THEN NULL ELSE body END AS body
	FROM golden, generate_series(0, 19) AS r, LATERAL (SELECT r * 18 + n AS i) AS o
	WHERE model = 'distilbert-sentiment';

SELECT count(*), count(body), sum(least(distil_token_count(body, 'distilbert-sentiment'), 64)) > 5000 AS several_batches FROM texts;

SELECT distil_sentiment(array_agg(body ORDER BY i), 'distilbert-sentiment', long_text => 'truncate')
		= array_agg(distil_sentiment(body, 'distilbert-sentiment', long_text => 'truncate') ORDER BY i) AS sentiment,
	distil_sentiment(array_agg(body ORDER BY i))
		= array_agg(distil_sentiment(body) ORDER BY i) AS by_default,
	distil_sentiment_label(array_agg(body ORDER BY i), 'distilbert-sentiment', long_text => 'truncate')
		= array_agg(distil_sentiment_label(body, 'distilbert-sentiment', long_text => 'truncate') ORDER BY i) AS label,
	distil_sentiment_label(array_agg(body ORDER BY i))
		= array_agg(distil_sentiment_label(body) ORDER BY i) AS label_by_default,
	distil_classify(array_agg(body ORDER BY i), 'distilbert-multilabel', long_text => 'truncate')
		= array_agg(distil_classify(body, 'distilbert-multilabel', long_text => 'truncate') ORDER BY i) AS classify,
	distil_token_count(array_agg(body ORDER BY i), 'distilbert-sentiment')
		= array_agg(distil_token_count(body, 'distilbert-sentiment') ORDER BY i) AS token_count
FROM texts;

-- embeddings are the rows of a matrix
CREATE TEMP TABLE matrix AS SELECT distil_embed(array_agg(body ORDER BY i), 'bert-sentence', long_text => 'truncate') AS m FROM texts;
SELECT array_dims(m) FROM matrix;
SELECT count(*), bool_and(CASE WHEN body IS NULL THEN array_remove(row, NULL) = '{}' AND cardinality(row) = 32
	ELSE row = distil_embed(body, 'bert-sentence', long_text => 'truncate') END) AS same
FROM texts, matrix, LATERAL (SELECT array_agg(x ORDER BY c) AS row
	FROM generate_series(1, 32) AS c, LATERAL (SELECT m[i][c]) AS e (x)) AS r;
SELECT m = distil_embed(array_agg(body ORDER BY i)) AS by_default FROM texts, matrix GROUP BY m;
SELECT distil_embed(ARRAY['a', 'b'], 'bert-sentence', long_text => 'truncate')
	= ARRAY[distil_embed('a', 'bert-sentence', long_text => 'truncate'), distil_embed('b', 'bert-sentence', long_text => 'truncate')] AS without_nulls;
SELECT array_dims(distil_embed('{NULL,NULL}'::text[], 'bert-sentence', long_text => 'truncate')) AS only_nulls,
	(SELECT count(x) FROM unnest(distil_embed('{NULL,NULL}'::text[], 'bert-sentence', long_text => 'truncate')) AS x) AS values;
SELECT array_to_string((distil_embed('{a,NULL}'::text[], 'bert-sentence', long_text => 'truncate'))[2:2][1:4], ',', '*') AS null_row;

-- bounds are kept
SELECT array_dims(distil_sentiment('[5:7]={a,NULL,b}'::text[], 'distilbert-sentiment', long_text => 'truncate')) AS sentiment,
	array_dims(distil_token_count('[0:1]={a,b}'::text[], 'distilbert-sentiment')) AS token_count,
	array_dims(distil_embed('[-1:0]={a,b}'::text[], 'bert-sentence', long_text => 'truncate')) AS embed;
SELECT distil_token_count('[5:7]={a,NULL,!!}'::text[], 'distilbert-sentiment');

-- nothing in, nothing out
SELECT distil_sentiment('{}'::text[], 'distilbert-sentiment', long_text => 'truncate') AS sentiment, distil_sentiment_label('{}'::text[]) AS label,
	distil_classify('{}'::text[], 'distilbert-multilabel', long_text => 'truncate') AS classify, distil_token_count('{}'::text[], 'bert-ner') AS token_count,
	distil_embed('{}'::text[]) AS embed;
SELECT distil_sentiment('{NULL}'::text[]) AS sentiment, distil_classify('{NULL,NULL}'::text[], 'distilbert-multilabel', long_text => 'truncate') AS classify;
SELECT distil_sentiment(NULL::text[]) IS NULL AS sentiment, distil_embed(NULL::text[], 'bert-sentence', long_text => 'truncate') IS NULL AS embed,
	distil_classify('{a}'::text[], NULL) IS NULL AS classify;
SELECT distil_token_count(ARRAY['', ' ', E'\u0001'], 'distilbert-sentiment');

-- an untyped literal is a text, not an array
SELECT distil_token_count('{a,b}', 'distilbert-sentiment');
SELECT distil_token_count(ARRAY['a', 'b']::varchar[], 'distilbert-sentiment') AS varchars;
SELECT distil_sentiment(texts => ARRAY['a'], model => 'distilbert-sentiment', long_text => 'truncate')
	= ARRAY[distil_sentiment(text => 'a', model => 'distilbert-sentiment', long_text => 'truncate')] AS named;

-- nested arrays are refused
SELECT distil_sentiment('{{a,b},{c,d}}'::text[], 'distilbert-sentiment', long_text => 'truncate');
SELECT distil_embed('{{a,b}}'::text[], 'bert-sentence', long_text => 'truncate');
SELECT distil_token_count('{{{a}}}'::text[], 'bert-sentence');

-- the model has to fit, texts or not
SELECT distil_sentiment('{}'::text[], 'bert-ner', long_text => 'truncate');
SELECT distil_classify('{a}'::text[], 'bert-ner', long_text => 'truncate');

-- one text too long spoils the array, and nothing else
SET distilbert.long_text = 'error';
SELECT distil_sentiment(ARRAY['a', repeat('a ', 100), 'b'], 'distilbert-sentiment', long_text => 'error');
SELECT distil_sentiment(ARRAY['a', 'b'], 'distilbert-sentiment', long_text => 'error')
	= ARRAY[distil_sentiment('a', 'distilbert-sentiment', long_text => 'error'), distil_sentiment('b', 'distilbert-sentiment', long_text => 'error')] AS same;
SET distilbert.long_text = truncate;

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

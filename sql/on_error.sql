-- distilbert.on_error = null: a text that cannot be evaluated has no answer
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence distilbert-qa'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.entities_model = 'bert-ner';
SET distilbert.embed_model = 'bert-sentence';
SET distilbert.long_text = error;
SHOW distilbert.on_error;
SELECT distil_sentiment(repeat('good ', 100));
SET distilbert.on_error = null;
SET distilbert.on_error = 'null';

-- one warning for each, by rows, in batches, in arrays
CREATE TEMP TABLE mixed AS SELECT i AS id, CASE WHEN i % 4 = 0 THEN repeat('good ', 100 + i) ELSE 'film ' || i END AS body FROM generate_series(1, 9) AS i;
SELECT id, distil_sentiment(body) IS NULL AS none, distil_embed(body) IS NULL AS no_embedding FROM mixed ORDER BY id;
SET distilbert.enable_batching = off;
SELECT id FROM mixed WHERE distil_sentiment(body) IS NULL ORDER BY id;
RESET distilbert.enable_batching;
SELECT array_position(distil_sentiment(array_agg(body ORDER BY id)), NULL) AS first FROM mixed;
SELECT (distil_embed(array_agg(body ORDER BY id)))[3][1] = (distil_embed(ARRAY['film 3']))[1][1] AS third,
	(distil_embed(array_agg(body ORDER BY id)))[4][1] IS NULL AS fourth,
	(distil_embed(array_agg(body ORDER BY id)))[9][32] = (distil_embed(ARRAY['film 9']))[1][32] AS ninth,
	array_dims(distil_embed(array_agg(body ORDER BY id)))
FROM mixed;
SELECT count(*) FROM distil_entities(repeat('good ', 100));
SELECT count(*) FROM distil_scores(repeat('good ', 100), 'distilbert-sentiment');
SELECT count(*) FROM distil_answer('Where?', repeat('good ', 100), 'distilbert-qa');
SELECT distil_answer_text('Where?', repeat('good ', 100), 'distilbert-qa') IS NULL AS none;
SELECT distil_mask(repeat('good ', 100)) IS NULL AS none;

-- a constant or a parameter once for a statement
SELECT distil_sentiment(repeat('good ', 100)) IS NULL AS none FROM generate_series(1, 3);
PREPARE p(text) AS SELECT distil_sentiment($1) IS NULL AS none, distil_classify($1, 'distilbert-sentiment') IS NULL AS no_label FROM generate_series(1, 3);
SET plan_cache_mode = force_generic_plan;
EXECUTE p(repeat('good ', 100));
EXECUTE p('good');
-- but not under another setting
SELECT i, CASE i WHEN 2 THEN set_config('distilbert.on_error', 'error', false) END, distil_sentiment(repeat('good ', 100)) FROM generate_series(1, 3) AS i;
SET distilbert.on_error = 'null';

-- the statement's errors stay errors
\set VERBOSITY terse
SELECT distil_sentiment('x', 'nobody');
\set VERBOSITY default
SELECT distil_sentiment('x', 'bert-ner');
SELECT distil_classify('x', 'distilbert-sentiment', 7);
SET distilbert.on_error = 'ignore';
RESET distilbert.on_error;
SELECT distil_sentiment(repeat('good ', 100));
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_stats: what models were used for, in this session
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentence distilbert-qa'
\set ECHO none
\i :setup
\set ECHO all

CREATE VIEW stats AS
SELECT model, calls, rows, texts, tokens, truncated, batches, cache_hits AS hits, errors,
	tokenizer_ms > 0 AS tokenized, encoder_ms > 0 AS encoded, load_ms > 0 AS loaded, counted_in
FROM distil_stats ORDER BY model;
CREATE TABLE review AS SELECT i AS id, CASE WHEN i % 5 > 0 THEN 'film ' || i % 4 END AS body FROM generate_series(1, 20) AS i;
ANALYZE review;
SET distilbert.sentiment_model = 'distilbert-sentiment';
-- workers count for themselves
SET :parallel_mode = off;

-- nothing was asked of a model that was loaded
SELECT * FROM stats;

-- each way of calling counts: a call, an array, rows of a set
SELECT distil_sentiment('good') IS NOT NULL AS answered;
SELECT * FROM stats;
SELECT distil_stats_reset();
SELECT array_length(distil_sentiment(ARRAY['a film', NULL, 'good']), 1), count(*) FROM distil_scores('bad', 'distilbert-sentiment', long_text => 'truncate');
SELECT * FROM stats;
SELECT distil_stats_reset();

-- a batch: three calls of two models on 16 texts, of which 4 differ
SELECT count(distil_sentiment(body)), count(distil_sentiment_label(body)), count(distil_embed(body, 'bert-sentence', long_text => 'truncate')) FROM review;
SELECT * FROM stats;
SELECT distil_stats_reset();
SET distilbert.enable_batching = off;
SELECT count(distil_sentiment(body)) FROM review;
SELECT * FROM stats;
RESET distilbert.enable_batching;

-- texts that were cut, and errors; a rollback takes nothing back
SELECT distil_stats_reset();
SELECT distil_sentiment(repeat('long ', 10000)) IS NOT NULL AS answered;
SET distilbert.long_text = error;
BEGIN;
SELECT distil_sentiment(repeat('long ', 10000));
ROLLBACK;
SELECT count(distil_sentiment(repeat(body || ' ', CASE WHEN id = 7 THEN 10000 ELSE 1 END))) FROM review;
SET distilbert.long_text = truncate;
SELECT model, texts, truncated, errors FROM distil_stats;

-- rows are the texts that were asked about, those without an answer, too: in a call, an array, pairs
SELECT distil_stats_reset();
SET distilbert.long_text = error;
SET distilbert.on_error = 'null';
SELECT distil_sentiment(repeat('long ', 10000)) IS NULL AS none;
SELECT array_positions(distil_sentiment(ARRAY['good', repeat('long ', 10000), NULL]), NULL) AS none;
SELECT array_positions(distil_answer_text(ARRAY['Who?', 'Where?', NULL], ARRAY['A man in Rome.', repeat('long ', 10000), 'x'], 'distilbert-qa', long_text => 'error', on_error => 'null'), NULL) AS none;
SELECT model, calls, rows, texts, errors FROM distil_stats WHERE calls > 0 ORDER BY model;
RESET distilbert.on_error;
SET distilbert.long_text = truncate;

-- a name that gets another content is counted anew
SELECT distil_stats_reset();
SET client_min_messages = warning;
SELECT count(*) FROM distil_load_model('stat', :'fixtures' || 'distilbert-sentiment', "precision" => 'int8'), distil_sentiment('good', 'distilbert-sentiment', long_text => 'truncate');
RESET client_min_messages;
SELECT distil_sentiment('good', 'stat', long_text => 'truncate') IS NOT NULL AS answered;
SELECT count(*) FROM distil_load_model('stat', :'fixtures' || 'bert-sentiment3', replace => true);
SELECT distil_sentiment('good', 'stat', long_text => 'truncate') IS NOT NULL AS answered;
SELECT model, calls, count(*) OVER (PARTITION BY sha256) FROM distil_stats ORDER BY model;

-- everybody reads, resetting is for those who may
CREATE ROLE regress_distil_stats;
SET ROLE regress_distil_stats;
SELECT count(*) FROM distil_stats;
SELECT distil_stats_reset();
RESET ROLE;
DROP ROLE regress_distil_stats;

DROP VIEW stats;
DROP TABLE review;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ') || '{stat}') AS m;

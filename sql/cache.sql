-- the result cache of a session
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentence bert-ner'
\set ECHO none
\i :setup
\set ECHO all

CREATE TABLE review AS SELECT i AS id, 'film ' || i % 50 AS body FROM generate_series(1, 200) AS i;
ANALYZE review;
SET max_parallel_workers_per_gather = 0;
SET distilbert.sentiment_model = 'distilbert-sentiment';
-- what was asked and computed since the last time
CREATE TABLE before (sha256 text, rows bigint, texts bigint, hits bigint);
CREATE FUNCTION pg_temp.news() RETURNS TABLE (model text, rows bigint, texts bigint, hits bigint)
BEGIN ATOMIC
	SELECT s.model, s.rows - coalesce(b.rows, 0), s.texts - coalesce(b.texts, 0), s.cache_hits - coalesce(b.hits, 0)
	FROM distil_stats s LEFT JOIN before b USING (sha256)
	WHERE s.rows > coalesce(b.rows, 0) ORDER BY model;
END;
\set news 'SELECT * FROM pg_temp.news(); TRUNCATE before; INSERT INTO before SELECT sha256, rows, texts, cache_hits FROM distil_stats'

-- without a cache
CREATE TABLE expected AS SELECT id, distil_sentiment(body) AS s, distil_embed(body, 'bert-sentence', long_text => 'truncate') AS e FROM review;
:news;

-- the same bits: computed once, then found, by rows, batches and arrays
SET distilbert.cache_size = '1MB';
SELECT count(*) FROM (SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence', long_text => 'truncate') FROM review EXCEPT ALL TABLE expected) AS d;
:news;
SELECT count(*) FROM (SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence', long_text => 'truncate') FROM review EXCEPT ALL TABLE expected) AS d;
:news;
SET distilbert.enable_batching = off;
SELECT count(*) FROM (SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence', long_text => 'truncate') FROM review EXCEPT ALL TABLE expected) AS d;
:news;
RESET distilbert.enable_batching;
SELECT distil_sentiment(array_agg(body ORDER BY id) || ARRAY['new', NULL]) = array_agg(s ORDER BY id) || ARRAY[distil_sentiment('new'), NULL] AS same
FROM review JOIN expected USING (id);
:news;
SELECT (SELECT array_agg(x ORDER BY i) FROM unnest(distil_embed(array_agg(body ORDER BY id) || ARRAY['new', NULL, 'film 1'], 'bert-sentence', long_text => 'truncate')) WITH ORDINALITY AS u (x, i)) =
	(SELECT array_agg(x ORDER BY id, i) FROM expected, unnest(e) WITH ORDINALITY AS u (x, i)) ||
	distil_embed('new', 'bert-sentence', long_text => 'truncate') || array_fill(NULL::real, ARRAY[32]) || distil_embed('film 1', 'bert-sentence', long_text => 'truncate') AS same
FROM review;
:news;

-- one entry for all that is made of it
SELECT count(distil_sentiment_label(body)), count(distil_classify(body, 'distilbert-sentiment', long_text => 'truncate')) FROM review;
SELECT count(*) FROM review, distil_scores(body, 'distilbert-sentiment', long_text => 'truncate');
:news;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT distil_sentiment(body) FROM review;
-- entities have logits for each token, which are not kept
SELECT count(*) FROM generate_series(1, 3), distil_entities('Berlin', 'bert-ner', long_text => 'truncate');
:news;

-- nothing is found under another setting or for another role
SET distilbert.long_text = error;
SELECT distil_sentiment('film 1') IS NOT NULL;
:news;
SET distilbert.long_text = truncate;
SET distilbert.force_isa = 'scalar';
SELECT distil_sentiment('film 1') IS NOT NULL;
:news;
RESET distilbert.force_isa;
SELECT distil_sentiment('film 1') IS NOT NULL;
:news;
CREATE ROLE regress_distil_cache;
SET ROLE regress_distil_cache;
SELECT distil_sentiment('film 1') IS NOT NULL;
RESET ROLE;
DROP ROLE regress_distil_cache;
:news;
-- a text that is cut has the result of its beginning
SELECT distil_sentiment(repeat('film 1 ', 100)) = distil_sentiment(repeat('film 1 ', 100)) AS same;
SET distilbert.long_text = error;
SELECT distil_sentiment(repeat('film 1 ', 100));
SET distilbert.long_text = truncate;

-- nor in another content of the name
SELECT s AS before FROM expected WHERE id = 1 \gset
SELECT count(*) FROM distil_load_model('distilbert-sentiment', :'fixtures' || 'bert-sentiment3', replace => true);
SELECT distil_sentiment('film 1') = :'before'::real AS same;
SELECT count(*) FROM distil_load_model('distilbert-sentiment', :'fixtures' || 'distilbert-sentiment', replace => true);
SELECT distil_sentiment('film 1') = :'before'::real AS same;

-- bounded: many texts, and after small results larger ones
CREATE FUNCTION pg_temp.cache_memory() RETURNS bigint LANGUAGE sql AS
	$$ SELECT coalesce(sum(total_bytes), 0)::bigint FROM pg_backend_memory_contexts WHERE name = 'distilbert result cache' $$;
SET distilbert.cache_size = '64kB';
SELECT count(distil_sentiment('text ' || i)) FROM generate_series(1, 3000) AS i;
SELECT pg_temp.cache_memory() BETWEEN 32 * 1024 AND 256 * 1024 AS bounded;
SELECT count(distil_embed('text ' || i, 'bert-sentence', long_text => 'truncate')) FROM generate_series(1, 1000) AS i;
SELECT pg_temp.cache_memory() BETWEEN 32 * 1024 AND 256 * 1024 AS bounded;
:news;
-- the last ones are there, the first ones are not
SELECT count(distil_embed('text ' || i, 'bert-sentence', long_text => 'truncate')) FROM generate_series(991, 1000) AS i;
:news;
SELECT count(distil_embed('text ' || i, 'bert-sentence', long_text => 'truncate')) FROM generate_series(1, 10) AS i;
:news;
SET distilbert.cache_size = 0;
SELECT pg_temp.cache_memory();
SELECT count(distil_embed('text ' || i, 'bert-sentence', long_text => 'truncate')) FROM generate_series(1, 10) AS i;
:news;

DROP FUNCTION pg_temp.news();
DROP TABLE review, expected, before;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

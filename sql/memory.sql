-- distilbert.max_memory
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentence'
\set ECHO none
\i :setup
\set ECHO all

CREATE TABLE review AS SELECT i AS id, 'film ' || i || repeat(' good bad', i % 20) AS body FROM generate_series(1, 1000) AS i;
ANALYZE review;
SET max_parallel_workers_per_gather = 0;
SET distilbert.sentiment_model = 'distilbert-sentiment';
CREATE TABLE expected AS SELECT id, distil_sentiment(body) AS s, distil_embed(body, 'bert-sentence') AS e FROM review;
CREATE FUNCTION pg_temp.model_memory() RETURNS bigint LANGUAGE sql AS
	$$ SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE name = 'distilbert model' $$;
SELECT pg_temp.model_memory() > 1024 * 1024 AS "more than a megabyte";

-- batches become smaller, answers stay
SET distilbert.max_memory = '400kB';
SELECT count(*) FROM (SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence') FROM review EXCEPT ALL TABLE expected) AS d;
SELECT pg_temp.model_memory() <= 400 * 1024 AS bounded;
SELECT distil_sentiment(array_agg(body ORDER BY id)) = (SELECT array_agg(s ORDER BY id) FROM expected) AS same FROM review;
SELECT pg_temp.model_memory() <= 400 * 1024 AS bounded;
SELECT count(*) FROM review, distil_scores(body, 'distilbert-sentiment') WHERE id < 50;
SELECT pg_temp.model_memory() <= 400 * 1024 AS bounded;
SELECT sum(support) FROM distil_evaluate('distilbert-sentiment', $$SELECT body, 'NEGATIVE' FROM review$$) WHERE label = '(accuracy)';

-- and what needs more is refused
SET distilbert.max_memory = '80kB';
\set VERBOSITY sqlstate
SELECT count(distil_sentiment(body)) FROM review;
SELECT distil_sentiment('good');
SELECT distil_sentiment(ARRAY['good']);
SELECT distil_embed('good', 'bert-sentence');
\set VERBOSITY terse
SELECT count(distil_sentiment(body)) FROM review;
\set VERBOSITY default
-- rows that are not asked for are no errors
SELECT distil_sentiment(body) FROM review LIMIT 0;
-- the session goes on
RESET distilbert.max_memory;
SELECT count(*) FROM (SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence') FROM review EXCEPT ALL TABLE expected) AS d;

-- it is the administrator's
CREATE ROLE regress_distil_memory;
SET ROLE regress_distil_memory;
SET distilbert.max_memory = 0;
RESET ROLE;
DROP ROLE regress_distil_memory;

DROP TABLE review, expected;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

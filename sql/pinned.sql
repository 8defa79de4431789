-- names that say their content: m@ and the first digits of its sha256
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentiment3'
\set ECHO none
\i :setup
\set ECHO all

\set VERBOSITY terse
SELECT current_database() AS db \gset
ALTER DATABASE :"db" SET distilbert.pipelines = off;
SET distilbert.pipelines = off;
SELECT 'm@' || left(sha256, 8) AS pinned, 'm@' || upper(sha256) AS whole FROM distil_load_model('m', :'fixtures' || '/distilbert-sentiment') \gset
SELECT :'pinned' AS pinned;

-- wherever a model is named, the same answers
SELECT distil_sentiment('a good film', :'pinned') = distil_sentiment('a good film', 'm') AS same,
	distil_sentiment('a good film', :'whole') = distil_sentiment('a good film', 'm') AS same_whole;
SELECT bool_and(distil_sentiment(body, :'pinned') = distil_sentiment(body, 'm')) AS same FROM (SELECT 'film ' || i AS body FROM generate_series(1, 30) AS i) AS t;
SELECT distil_sentiment(ARRAY['one', 'two'], :'pinned') = distil_sentiment(ARRAY['one', 'two'], 'm') AS same;
SET distilbert.sentiment_model = :'pinned';
SELECT distil_sentiment('a good film') = distil_sentiment('a good film', 'm') AS same;
RESET distilbert.sentiment_model;
SELECT count(*) > 3 AS files FROM distil_export_model(:'pinned');
SELECT format('sentiment-en-v1@%s', left(sha256, 8)) AS installed FROM distil_models WHERE name = 'sentiment-en-v1' \gset
SELECT distil_sentiment('a good film', :'installed') = distil_sentiment('a good film', 'sentiment-en-v1') AS same;

-- one content of a model is one model in the counts, too
SELECT distil_stats_reset();
SELECT distil_sentiment('only once', :'pinned') = distil_sentiment('only once', 'm') AS same;
SELECT model, texts FROM distil_stats WHERE model LIKE 'm%';

-- what is wrong with a name, and what is here
\set VERBOSITY default
SELECT distil_sentiment('x', 'm@');
SELECT distil_sentiment('x', 'm@b979b44');
SELECT distil_sentiment('x', 'm@b979b44x');
SELECT distil_sentiment('x', 'm@b979b44 ');
SELECT distil_sentiment('x', 'm@b979b44d@b979b44d');
SELECT distil_sentiment('x', 'm@' || repeat('b', 65));
SELECT distil_sentiment('x', '@b979b44d');
SELECT distil_sentiment('x', ' m@b979b44d');
SELECT distil_sentiment('x', 'other@b979b44d');
SELECT distil_sentiment('x', 'other@');
SELECT name FROM distil_load_model('m@b979b44d', :'fixtures' || '/distilbert-sentiment');
SELECT distil_upload_part('m@b979b44d', 'config.json', 1, '');
\set VERBOSITY terse

-- another content
SELECT distil_sentiment('x', 'm@00000000');
SELECT distil_sentiment('x', 'sentiment-en-v1@00000000');
SELECT count(*) FROM distil_export_model('m@00000000');
SELECT distil_drop_model('m@00000000');
SELECT distil_drop_model('m@00000000', if_exists => true);
CREATE TABLE t (id int PRIMARY KEY, body text);
INSERT INTO t SELECT i, 'film ' || i FROM generate_series(1, 30) AS i;
SELECT count(*) FROM t WHERE distil_sentiment(body, 'm@00000000') > 0;

-- a plan that is kept hears of a model that is replaced
PREPARE score AS SELECT count(distil_sentiment(body, :'pinned')) FROM t;
EXECUTE score;
SELECT name FROM distil_load_model('m', :'fixtures' || '/bert-sentiment3', replace => true);
EXECUTE score;
SELECT name FROM distil_load_model('m', :'fixtures' || '/distilbert-sentiment', replace => true);
EXECUTE score;
DEALLOCATE score;

-- objects that name it depend on the model
ALTER TABLE t ADD mood real GENERATED ALWAYS AS (distil_sentiment(body, 'm@b979b44d')) STORED;
SELECT distil_create_pipeline('t', 'body', 'sentiment', :'pinned', into_column => 'later') AS pipeline;
\set VERBOSITY default
SELECT distil_drop_model('m');
\set VERBOSITY terse
SELECT name, model FROM distil_pipelines;
CALL distil_run_pipeline();
SELECT count(*) AS rows, bool_and(mood = later) AS same FROM t;
SELECT distil_drop_pipeline('t_later');
DROP TABLE t;
SELECT distil_drop_model(:'pinned');
ALTER DATABASE :"db" RESET distilbert.pipelines;
SELECT count(distil_drop_model(m)) FROM unnest(string_to_array(:'models', ' ')) AS m;

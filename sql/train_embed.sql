-- Training of embeddings: pairs of texts become near, cosines follow numbers.  Figures depend
-- on the processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base bert-cls distilbert-sentiment bert-max distilbert-dense'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE doubles (a text, b text);
INSERT INTO doubles VALUES
	('the film was a delight', 'what a film'),
	('warm soup and fresh bread', 'soup of the day'),
	('the room was cold', 'no heating in the hotel'),
	('the train was late', 'we waited for hours'),
	('a goal in the last minute', 'they won the match'),
	('rain all day', 'the weather was bad'),
	('my phone is broken', 'the screen has a crack'),
	('she plays the piano', 'music every evening');
CREATE FUNCTION cosine(a text, b text, model text) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum(x::float8 * y) / sqrt(sum(x::float8 * x) * sum(y::float8 * y))
	FROM unnest(distil_embed(a, model), distil_embed(b, model)) AS t(x, y) $$;

-- pairs alone: partners are near, others not
CREATE TEMP TABLE log AS SELECT * FROM distil_train('pairs', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed',
	epochs => 30, learning_rate => 0.005, dropout => 0, validation_query => 'SELECT a, b FROM doubles');
SELECT count(*), max(step), array_agg(DISTINCT metric) AS metrics, min(train_loss) < max(train_loss) / 10 AS learnt,
	(array_agg(value ORDER BY epoch DESC))[1] AS last
FROM log;
SELECT name, task, architecture, labels, dimensions FROM distil_models WHERE name = 'pairs';
SELECT bool_and(cosine(x.a, y.b, 'pairs') < cosine(x.a, x.b, 'pairs')) AS partners_are_nearest
FROM doubles x, doubles y WHERE x.a <> y.a;

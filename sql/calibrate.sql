-- Scores that are as often right as they say: after a training of classes, and how it is measured.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base distilbert-sentiment bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

-- every fifth text has the other label, which the model learns by heart
CREATE FUNCTION pg_temp.dice(n int, i int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT get_byte(decode(md5(n::text), ''hex''), i)';
CREATE TEMP TABLE noisy AS
	SELECT n, (ARRAY['the film was', 'cold soup', 'a film about', 'warm soup and'])[n % 4 + 1]
			|| (SELECT string_agg(' ' || (ARRAY['a', 'the', 'of', 'more', 'what', 'day', 'please', 'long'])[pg_temp.dice(n, i) % 8 + 1], '') FROM generate_series(1, 5) AS i) AS body,
		CASE WHEN (n % 2 = 0) = (pg_temp.dice(n, 0) > 50) THEN 'film' ELSE 'food' END AS team,
		array_remove(ARRAY[CASE WHEN (n % 2 = 0) = (pg_temp.dice(n, 6) > 50) THEN 'film' END, CASE WHEN pg_temp.dice(n, 7) > 90 THEN 'long' END], NULL) AS tags
	FROM generate_series(1, 240) AS n;
CREATE FUNCTION pg_temp.learn(name text, label text, calibrate boolean) RETURNS bigint LANGUAGE sql AS
	$$SELECT count(*) FROM distil_train(name, format('SELECT body, %I FROM noisy WHERE n <= 160 ORDER BY n', label), 'distilbert-base', epochs => 30, learning_rate => 0.01,
		batch_size => 16, dropout => 0, validation_query => format('SELECT body, %I FROM noisy WHERE n > 160', label), calibrate => $3)$$;
SELECT pg_temp.learn('sure', 'team', false), pg_temp.learn('calm', 'team', NULL), pg_temp.learn('calm2', 'team', true);
SELECT a.sha256 = b.sha256 AS by_default FROM distil_models a, distil_models b WHERE a.name = 'calm' AND b.name = 'calm2';

-- every label stays; the logits are divided by one number
CREATE TEMP TABLE scored AS SELECT n, s.label, ln(s.score::float8 / (1 - s.score)) AS sure, ln(c.score::float8 / (1 - c.score)) AS calm
	FROM noisy, distil_scores(body, 'sure') AS s, distil_scores(body, 'calm') AS c WHERE n > 160 AND s.label = c.label;
SELECT count(*), bool_and((sure > 0) = (calm > 0)) AS same_label, min(sure / calm) > 1 AS less_sure, max(sure / calm) / min(sure / calm) < 1.01 AS one_temperature
	FROM scored WHERE abs(sure) BETWEEN 0.5 AND 8;
SELECT s.value > 0.1 AS was, c.value < s.value * 0.75 AS better, c.support
FROM distil_evaluate('sure', 'SELECT body, team FROM noisy WHERE n > 160') AS s, distil_evaluate('calm', 'SELECT body, team FROM noisy WHERE n > 160') AS c
WHERE s.label = '(calibration error)' AND c.label = s.label;

-- of several labels each one's score
SELECT pg_temp.learn('tags', 'tags', false), pg_temp.learn('calm-tags', 'tags', true);
SELECT c.value < s.value AS better
FROM distil_evaluate('tags', 'SELECT body, tags FROM noisy WHERE n > 160') AS s, distil_evaluate('calm-tags', 'SELECT body, tags FROM noisy WHERE n > 160') AS c
WHERE s.label = '(calibration error)' AND c.label = s.label;

-- few rows say too little, unless they are told to
SELECT count(*) FROM distil_train('few', 'SELECT body, team FROM noisy WHERE n < 60', 'distilbert-base', epochs => 1);
SELECT count(*) FROM distil_train('few-told', 'SELECT body, team FROM noisy WHERE n < 60', 'distilbert-base', epochs => 1, calibrate => true);
SELECT a.sha256 <> b.sha256 AS told FROM distil_models a, distil_models b WHERE a.name = 'few' AND b.name = 'few-told';

-- refused, or told
SELECT count(*) FROM distil_train('rare', $$SELECT body, CASE WHEN n = 1 THEN 'rare' ELSE team END FROM noisy$$, 'distilbert-base', epochs => 1, validation => 0.3);
SELECT distil_train('x', $$SELECT body, CASE WHEN n = 1 THEN 'rare' ELSE team END FROM noisy$$, 'distilbert-base', epochs => 1, calibrate => true);
SELECT distil_train('x', 'SELECT body, team FROM noisy', 'distilbert-base', epochs => 1, validation => 0, calibrate => true);
SELECT distil_train('x', 'SELECT body, n FROM noisy', 'distilbert-base', task => 'regression', epochs => 1, calibrate => true);
SELECT count(*) FROM distil_train('number', 'SELECT body, n FROM noisy WHERE n < 20', 'distilbert-base', task => 'regression', epochs => 1, calibrate => false);
SELECT count(*) FROM distil_models WHERE name = 'x';

SELECT bool_and(distil_drop_model(name, force => true)) AS dropped FROM distil_models WHERE NOT builtin;

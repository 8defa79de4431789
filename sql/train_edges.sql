-- Training and evaluating at the edges: few rows, odd types, texts and queries that are not as they should be.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base distilbert-mlm distilbert-multilabel'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;
CREATE TEMP TABLE tickets AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body,
	CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS team, i AS stars FROM generate_series(1, 10) AS i;

-- no row can be held back where each class has one; one row is trained on, whatever validation says
SELECT distil_train('x', 'SELECT body, team FROM tickets WHERE id < 3', 'distilbert-base', early_stopping => 1);
SELECT distil_pretrain('x', $$SELECT 'warm soup'$$, 'distilbert-mlm', early_stopping => 1);
SELECT max(step) AS steps, bool_and(value IS NOT NULL) AS validated FROM distil_train('most', 'SELECT body, stars FROM tickets', 'distilbert-base',
	task => 'regression', validation => 0.99, epochs => 2);

-- numbers are numbers, whatever the session shows of them
SELECT distil_train('x', 'SELECT body, stars::text::money FROM tickets', 'distilbert-base', task => 'regression');
SELECT distil_train('x', $$SELECT body, 'pg_class'::regclass FROM tickets$$, 'distilbert-base', task => 'regression');
SELECT distil_train('x', $$SELECT body, 1e39::float8 FROM tickets$$, 'distilbert-base', task => 'regression');
SET extra_float_digits = -15;
SELECT train_loss BETWEEN 151 AND 153 AS exact FROM distil_train('sum', $$SELECT 'x', 12.34::float8$$, 'distilbert-base', task => 'regression', epochs => 1, dropout => 0);
RESET extra_float_digits;

-- domains are what they are made of; char(n) has no blanks behind
CREATE DOMAIN regress_star AS int;
CREATE DOMAIN regress_name AS char(8);
CREATE DOMAIN regress_tags AS text[];
SELECT count(*) FROM distil_train('d1', 'SELECT body::regress_name, (stars % 3)::regress_star FROM tickets', 'distilbert-base', epochs => 1);
SELECT count(*) FROM distil_train('d2', 'SELECT body, ARRAY[team]::regress_tags FROM tickets', 'distilbert-base', epochs => 1);
SELECT count(*) FROM distil_train('d3', 'SELECT body, team::regress_name FROM tickets', 'distilbert-base', epochs => 1);
SELECT count(*) FROM distil_train('d4', 'SELECT body, ARRAY[team]::char(8)[] FROM tickets', 'distilbert-base', epochs => 1);
SELECT name, labels FROM distil_models WHERE name IN ('d1', 'd2', 'd3', 'd4') ORDER BY name;
DROP DOMAIN regress_star, regress_name, regress_tags;

-- a label that a row has twice counts once
SELECT label, support FROM distil_evaluate('distilbert-multilabel', $$SELECT 'soup', '{joy,joy}'::text[]$$) WHERE label IN ('joy', '(micro average)');

-- labels that do not fit config.json are found before the training, not after it
SET client_min_messages = notice;
SELECT distil_train('x', 'SELECT body, repeat(team, 3000000) FROM tickets', 'distilbert-base', epochs => 1);
SELECT distil_train('x', $$SELECT 'x', lpad(i::text, 255, 'x') FROM generate_series(1, 40000) AS i$$, 'distilbert-base', epochs => 1);
SELECT distil_train('x', $$SELECT body, repeat('ü', 128) FROM tickets$$, 'distilbert-base', epochs => 1);
SELECT distil_train('x', $$SELECT 'warm soup', jsonb_build_array(jsonb_build_object('start', 0, 'end', 4, 'label', repeat('a', 254)))$$, 'distilbert-base', task => 'entities');
SET client_min_messages = warning;

-- "O" is the tag of what is no entity
SELECT distil_train('x', $$SELECT 'warm soup', '[{"start": 0, "end": 4, "label": "O"}]'::jsonb$$, 'distilbert-base', task => 'entities');

-- what models of a family cannot learn is refused before the training, too
SELECT name, task FROM distil_load_model('narrow', 'electra-base');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'narrow', epochs => 1);
SELECT name, task FROM distil_load_model('even', 'electra-qa');
SELECT count(*) FROM distil_pretrain('d6', 'SELECT body FROM tickets', 'even', epochs => 1);
SELECT count(*) FROM distil_train('d5', 'SELECT body, team FROM tickets', 'even', epochs => 1);
SELECT task, architecture FROM distil_models WHERE name = 'd5';
SELECT distil_drop_model(m) FROM unnest('{d5,d6,even,narrow}'::text[]) AS m;

SELECT distil_drop_model(name) FROM distil_models WHERE name IN ('most', 'sum', 'd1', 'd2', 'd3', 'd4') ORDER BY name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

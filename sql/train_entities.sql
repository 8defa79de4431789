-- Training on entities: places in JSON to tags of tokens, and back by distil_entities.
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-base bert-ner'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;
CREATE TEMP TABLE notes (id int, body text, spans jsonb);
INSERT INTO notes VALUES
	(1, 'Anna lives in Berlin', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 14, "end": 20, "label": "LOC"}]'),
	(2, 'Paul and Mary met in New York', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 9, "end": 13, "label": "PER"}, {"start": 21, "end": 29, "label": "LOC"}]'),
	(3, 'nothing here', '[]'),
	(4, 'Mary left Berlin', '[{"start_pos": 1, "end_pos": 4, "label": "PER"}, {"start_pos": 11, "end_pos": 16, "label": "LOC"}]'),
	(5, 'York is old', '[{"start": 0, "end": 4, "label": "LOC"}]'),
	(6, 'Mary Paul', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 5, "end": 9, "label": "PER"}]'),
	(7, 'München', NULL);

SELECT metric, max(epoch), (array_agg(value ORDER BY epoch DESC))[1] AS f1
FROM distil_train('places', 'SELECT body, spans FROM notes', 'distilbert-base', task => 'entities', epochs => 40,
	learning_rate => 0.01, batch_size => 2, dropout => 0, validation_query => 'SELECT body, spans FROM notes') GROUP BY 1;
SELECT name, task, architecture, labels FROM distil_models WHERE name = 'places';
SELECT id, entity, label, start_pos, end_pos FROM notes, distil_entities(body, 'places') WHERE id < 7 ORDER BY id, start_pos;

-- what is right: type, beginning and end
SELECT * FROM distil_evaluate('places', 'SELECT body, spans FROM notes');
SELECT * FROM distil_evaluate('places', $$SELECT body, spans #- '{0}' FROM notes WHERE id = 2$$);
SELECT * FROM distil_evaluate('places', $$SELECT 'Anna lives in Berlin', '[{"start": 0, "end": 10, "label": "PER"}, {"start": 14, "end": 20, "label": "PER"}]'::jsonb$$);
-- what distil_entities gives is what is learnt from
SELECT label, f1, support FROM distil_evaluate('places', $$
	SELECT body, (SELECT coalesce(jsonb_agg(e), '[]') FROM distil_entities(body, 'places') AS e) FROM notes$$);

-- the base's tags stay, in its order, if it has them all
SELECT train_loss < 0.1 AS kept FROM distil_train('places2', 'SELECT body, spans FROM notes', 'places', task => 'entities', epochs => 1,
	learning_rate => 0, dropout => 0, validation => 0);
SELECT count(*) FROM distil_train('places3', $$SELECT body, spans FROM notes WHERE id < 4$$, 'bert-ner', task => 'entities', epochs => 1);
SELECT labels FROM distil_models WHERE name = 'places3';

-- words and tags in other types that are text
SELECT t, count(*) FROM unnest('{text,varchar,bpchar,name,"\"char\""}'::text[]) AS t,
	distil_train('places4', format($$SELECT '{A,B}'::%s[], '{B,O}'::%1$s[] FROM generate_series(1, 4)$$, t), 'places', task => 'entities', epochs => 1,
	validation => 0, replace => true) GROUP BY t ORDER BY t;
SELECT labels FROM distil_models WHERE name = 'places4';
SELECT distil_train('x', $$SELECT '{1,2}'::int[], '{B,O}'::text[]$$, 'places', task => 'entities');

-- entities that do not begin and end where words do are told of, in training and when a model is measured
SET client_min_messages = notice;
CREATE FUNCTION pg_temp.train(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM distil_train('x', query, 'places', task => 'entities', class_weights => 'balanced');
EXCEPTION WHEN OTHERS THEN
	RETURN 'read: ' || SQLERRM;
END $$;
SELECT pg_temp.train($$VALUES ('Hello from India', '[{"start": 11, "end": 15, "label": "LOC"}]'::jsonb)$$);
SELECT pg_temp.train($$VALUES ('Anna in Berlin', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 9, "end": 14, "label": "LOC"}]'::jsonb),
	('a b', '[{"start": 1, "end": 2, "label": "PER"}]')$$);
SELECT pg_temp.train($$VALUES ('Anna in Berlin', '[{"start_pos": 1, "end_pos": 5, "label": "PER"}]'::jsonb)$$);
SELECT pg_temp.train(format($q$VALUES (%L, '[{"start": 61, "end": 200, "label": "PER"}]'::jsonb)$q$, repeat('ä ', 30) || repeat('é', 300)));
-- words, several words, punctuation, accents by themselves, text that is cut: all well
SELECT pg_temp.train($$VALUES ('Anna Keller, U.S.A. (Berlin)', '[{"start": 0, "end": 11, "label": "PER"}, {"start": 13, "end": 19, "label": "LOC"},
	{"start": 21, "end": 27, "label": "LOC"}]'::jsonb), (U&'Jose\0301 and Jose\0301', '[{"start": 0, "end": 5, "label": "PER"}, {"start": 10, "end": 15, "label": "PER"}]'),
	('', '[]'), ('x' || repeat(' x', 600), '[{"start": 1000, "end": 1001, "label": "PER"}]')$$);
SELECT count(*) FROM distil_evaluate('places', $$SELECT 'Hello from India', '[{"start": 11, "end": 15, "label": "LOC"}]'::jsonb$$);
SELECT count(*) FROM distil_compare('places', 'places', $$SELECT 'Hello from India', '[{"start": 10, "end": 16, "label": "LOC"}]'::jsonb$$);
SELECT count(*) FROM distil_evaluate('places', $$SELECT body, spans FROM notes$$);
SET client_min_messages = warning;

-- refused
SELECT distil_train('x', 'SELECT body, spans FROM notes', 'places', task => 'entities', class_weights => 'balanced');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": 0, "end": 9, "label": "X"}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": 2, "end": 2, "label": "X"}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": -1, "end": 2, "label": "X"}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": 0, "label": "X"}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": "0", "end": 1, "label": "X"}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[{"start": 0, "end": 1}]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '{"start": 0, "end": 1, "label": "X"}'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '7'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[7]'::json$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', '[]'::jsonb$$, 'places', task => 'entities');
SELECT distil_train('x', $$SELECT 'abc', 'LOC'$$, 'places', task => 'entities');
SELECT distil_train('x', 'SELECT body, spans FROM notes', 'places');
SELECT * FROM distil_evaluate('places', $$SELECT 'abc', 'LOC'$$);
SELECT * FROM distil_evaluate('places', $$SELECT 'abc', '[{"start": 0, "end": 3, "label": "ORG"}]'::jsonb$$);
SELECT distil_drop_model(name) FROM distil_models WHERE name LIKE 'places%' ORDER BY name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_translate: odd texts and options, plans, workers, pipelines
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models ''
\set ECHO none
\i :setup
\set ECHO all
\set one :fixtures 'marian-one'
\set many :fixtures 'marian-many'
\set torch :fixtures 'marian-torch'
SELECT (distil_load_model('marian-one', :'one', replace => true)).task;
SELECT (distil_load_model('marian-many', :'many', replace => true)).task;
SELECT (distil_load_model('marian-torch', :'torch', replace => true)).task;
CREATE FUNCTION pg_temp.refused(command text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'it was not refused';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT;
END $$;

-- ---- texts ----
SET client_min_messages = error;
-- no sentence: as it is
SELECT bool_and(distil_translate(t, 'marian-one') = t) AS same
FROM unnest(ARRAY['', ' ', E'\n', E'\r\n\r\n', E'\t \n \u3000\u00a0', repeat(E'\n', 100000), repeat(' ', 100000)]) AS t;
-- what stands between sentences stays: spaces, all ends of lines
SELECT distil_translate(E'\u3000Anna.\r\n\r\n\tAnna.\u2028 Anna.   \n', 'marian-one', beams => 1) = E'\u3000' || a || E'\r\n\r\n\t' || a || E'\u2028 ' || a || E'   \n' AS same
FROM distil_translate('Anna.', 'marian-one', beams => 1) AS a;
-- other scripts: something, the same each time, valid
SELECT t, distil_translate(t, 'marian-one', beams => 2) = (distil_translate(ARRAY[t, 'Anna'], 'marian-one', beams => 2))[1] AS same,
	length(distil_translate(t, 'marian-one', beams => 2)) > 0 AS some
FROM unnest('{北京是中国的首都,مرحبا بالعالم,Привет,😀😀😀,ﬀ,-,a}'::text[]) AS t;
-- 100,000 characters: of sentences, of lines, of one word, of one character of no piece
SELECT what, length(t) >= 100000 AS long, length(distil_translate(t, 'marian-one', max_tokens => 20, beams => 1)) > CASE WHEN t LIKE '京%' THEN -1 ELSE 1000 END AS some
FROM (VALUES ('sentences', repeat('Anna met Bob. ', 7200)), ('lines', repeat(E'Anna met Bob\n', 7700)), ('one word', repeat('a', 100000)),
	('one character', repeat('京', 100000))) AS v (what, t);
-- equal sentences in a text, and in others
SELECT distil_translate('Anna met Bob. Bob met Anna. Anna met Bob.', 'marian-one') = a || ' ' || b || ' ' || a AS same
FROM distil_translate('Anna met Bob.', 'marian-one') AS a, distil_translate('Bob met Anna.', 'marian-one') AS b;
RESET client_min_messages;

-- sentences that did not end are counted, in a text, an array, rows; each time
SELECT length(distil_translate('Anna met Bob. Anna met Bob. The room was clean!', 'marian-one', max_tokens => 2)) > 0 AS some;
SELECT cardinality(distil_translate(ARRAY['Anna met Bob.', NULL, 'Anna met Bob.', 'The room was clean!'], 'marian-one', max_tokens => 2));
SELECT count(distil_translate(t, 'marian-one', max_tokens => 2)) FROM (VALUES ('Anna met Bob.'), (NULL), ('The room was clean!')) AS v (t);

-- ---- options ----
SELECT c.message, c.hint FROM unnest('{beams => 0,beams => -1,beams => 1000,beams => 2147483647,max_tokens => 0,max_tokens => -1,max_tokens => 64,
	max_tokens => 2147483647,language => ''ita'',language => '''',"language => ''fra<<''",on_error => ''x''}'::text[]) WITH ORDINALITY AS o (option, n),
	pg_temp.refused(format('SELECT distil_translate(''Anna'', ''marian-many'', %s)', option || CASE WHEN option LIKE 'language%' THEN '' ELSE ', language => ''fra''' END)) AS c ORDER BY n;
SELECT distil_translate('Anna', 'marian-one', NULL, NULL, NULL, NULL) IS NULL AS on_error, distil_translate('Anna', 'marian-one', NULL, NULL, NULL) = distil_translate('Anna', 'marian-one') AS defaults,
	distil_translate('Anna', 'marian-one', beams => 16) IS NOT NULL AS most;
-- no row has a text, so nothing is wrong yet
SELECT distil_translate(t, 'marian-one', beams => 0) FROM (VALUES (NULL::text)) AS v (t);
SELECT distil_translate('{}'::text[], 'marian-one', beams => 0);
-- other tasks
SELECT c.message, c.detail, c.hint FROM unnest('{distil_classify,distil_embed,distil_entities,distil_fill_mask}'::text[]) WITH ORDINALITY AS f (name, n),
	pg_temp.refused(format('SELECT %s(''Anna'', ''marian-one'')', name)) AS c ORDER BY n;

-- ---- weights as opus-mt's repositories have them ----
SELECT bool_and(distil_translate(t, 'marian-torch', language => l) = distil_translate(t, 'marian-many', language => l)) AS same, count(*)
FROM unnest('{The film was a delight,Anna Keller works for Northwind in Berlin.}'::text[]) AS t, unnest('{fra,deu}'::text[]) AS l;

-- ---- plans ----
CREATE TABLE notes (id int PRIMARY KEY, body text);
INSERT INTO notes SELECT i, CASE WHEN i % 7 = 0 THEN NULL ELSE 'Anna met Bob ' || i % 10 || ' times. The room was clean.' END FROM generate_series(1, 60) AS i;
ANALYZE notes;
SET client_min_messages = error;
CREATE TEMP TABLE alone AS SELECT id, (SELECT distil_translate(body || left(random()::text, 0), 'marian-one', beams => 1)) AS t FROM notes;
SET :parallel_mode = off;
DO $$
DECLARE line text;
BEGIN
	FOR line IN EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT distil_translate(body, 'marian-one', beams => 1) FROM notes WHERE id < 30 LOOP
		IF line ~ 'Batches' THEN RAISE EXCEPTION '%', regexp_replace(line, 'Batches: [1-9]\d* ', 'Batches: n '); END IF;
	END LOOP;
END $$;
SELECT count(*), bool_and(distil_translate(n.body, 'marian-one', beams => 1) IS NOT DISTINCT FROM a.t) AS same FROM notes AS n JOIN alone AS a USING (id);
EXPLAIN (COSTS OFF) SELECT id, upper(distil_translate(distil_translate(body, 'marian-one'), 'marian-one', beams => 1)) FROM notes WHERE distil_translate(body, 'marian-one') LIKE '%a%';
-- a memory first: the model is asked for what it does not hold
CREATE TABLE memory (en text PRIMARY KEY, fr text NOT NULL);
INSERT INTO memory SELECT DISTINCT body, 'from the memory' FROM notes WHERE id IN (1, 2, 3);
SELECT rows AS before FROM distil_stats WHERE model = 'marian-one' \gset
SELECT count(*) FILTER (WHERE t = 'from the memory') AS remembered, count(*) FILTER (WHERE t <> 'from the memory') AS translated
FROM (SELECT coalesce(m.fr, distil_translate(n.body, 'marian-one', beams => 1)) AS t FROM notes AS n LEFT JOIN memory AS m ON m.en = n.body OFFSET 0) AS s;
SELECT rows - :before AS asked FROM distil_stats WHERE model = 'marian-one';
DROP TABLE memory;
RESET :parallel_mode;
-- workers
SET :parallel_mode = on;
SELECT count(*), bool_and(distil_translate(n.body, 'marian-one', beams => 1) IS NOT DISTINCT FROM a.t) AS same FROM notes AS n JOIN alone AS a USING (id);
RESET :parallel_mode;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE copy AS SELECT * FROM notes;
ANALYZE copy;
EXPLAIN (COSTS OFF) SELECT count(distil_translate(body, 'marian-one', beams => 1)) FROM copy;
SELECT count(t), md5(string_agg(t, '|' ORDER BY id)) = (SELECT md5(string_agg(t, '|' ORDER BY id)) FROM alone) AS same
FROM (SELECT id, distil_translate(body, 'marian-one', beams => 1) AS t FROM copy OFFSET 0) AS s;
RESET max_parallel_workers_per_gather;
-- threads
SET distilbert.threads = 2;
SELECT bool_and(distil_translate(n.body, 'marian-one', beams => 1) IS NOT DISTINCT FROM a.t) AS same FROM notes AS n JOIN alone AS a USING (id);
RESET distilbert.threads;
-- generated columns, indexes, constants
CREATE TABLE kept (body text, there text GENERATED ALWAYS AS (distil_translate(body, 'marian-one', beams => 1)) STORED);
INSERT INTO kept SELECT body FROM notes WHERE id <= 7;
CREATE INDEX ON kept (distil_translate(body, 'marian-one', beams => 1));
SELECT count(*), bool_and(there = distil_translate(body || '', 'marian-one', beams => 1)) AS same FROM kept WHERE body IS NOT NULL;
DROP TABLE kept, copy;

-- ---- pipelines ----
SELECT current_database() AS db \gset
ALTER DATABASE :"db" SET distilbert.pipelines = off;
SET distilbert.pipelines = off;
SELECT distil_create_pipeline('notes', 'body', 'translate', 'marian-one', into_column => 'there', options => '{"beams": 1}');
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'notes'::regclass AND attname = 'there';
CALL distil_run_pipeline('notes_there');
SELECT count(there), bool_and(n.there IS NOT DISTINCT FROM a.t) AS same FROM notes AS n JOIN alone AS a USING (id);
UPDATE notes SET body = 'Bob met Anna.' WHERE id = 1;
CALL distil_run_pipeline('notes_there');
SELECT there = distil_translate('Bob met Anna.', 'marian-one', beams => 1) AS same FROM notes WHERE id = 1;
SELECT * FROM distil_check_pipeline('notes_there');
SELECT distil_create_pipeline('notes', 'body', 'translate', 'marian-many', into_table => 'notes_fra', mode => 'sync', options => '{"language": "fra", "max_tokens": 30}', backfill => false);
INSERT INTO notes VALUES (100, 'Bob met Anna.'), (101, 'Bob met Anna.');
SELECT count(*), bool_and(translation = distil_translate('Bob met Anna.', 'marian-many', language => 'fra', max_tokens => 30)) AS same FROM notes_fra;
SELECT options FROM distilbert.pipeline_generation ORDER BY pipeline;
SELECT c.message, c.hint FROM unnest(ARRAY['{"language": "ita"}', '{}', '{"beams": 99}', '{"long_text": "window"}', '{"beams": "4"}']) WITH ORDINALITY AS o (options, n),
	pg_temp.refused(format('SELECT distil_create_pipeline(''notes'', ''body'', ''translate'', ''marian-many'', into_column => ''x'', options => %L)', options)) AS c ORDER BY n;
SELECT distil_drop_pipeline(name, drop_target => true) FROM distil_pipelines ORDER BY name;
ALTER DATABASE :"db" RESET distilbert.pipelines;

DROP TABLE notes;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest('{marian-one,marian-many,marian-torch}'::text[]) AS m;

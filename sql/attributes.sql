-- where the functions may stand, and what a call leaves behind
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence'
\set ECHO none
\i :setup
\set ECHO all
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.entities_model = 'bert-ner';
SET distilbert.embed_model = 'bert-sentence';

-- the functions on text
\pset format unaligned
SELECT p.proname AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result,
	p.provolatile AS vol, p.proisstrict AS strict, p.proparallel AS par, p.proleakproof AS leakproof, p.procost AS cost, p.prorows AS rows,
	obj_description(p.oid, 'pg_proc') IS NOT NULL AS described
FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'distilbert' AND p.prosupport <> 0
ORDER BY p.proname COLLATE "C", p.provolatile DESC, pg_get_function_arguments(p.oid) COLLATE "C";

\pset format aligned

-- forms that name the model may stand in stored expressions
CREATE TABLE review (id int, body text, mood real GENERATED ALWAYS AS (distil_sentiment(body, 'distilbert-sentiment')) STORED);
INSERT INTO review SELECT n, body FROM golden WHERE model = 'distilbert-sentiment';
INSERT INTO review VALUES (100, NULL), (101, '');
CREATE INDEX review_label ON review (distil_sentiment_label(body, 'distilbert-sentiment'));
CREATE INDEX review_positive ON review (id) WHERE distil_sentiment(body, 'distilbert-sentiment') > 0;
ALTER TABLE review ADD CHECK (distil_token_count(body, 'distilbert-sentiment') < 1000);
SELECT count(*), count(mood), bool_and(mood = distil_sentiment(body, 'distilbert-sentiment')) AS same FROM review;
UPDATE review SET body = 'The film was a delight.' WHERE id = 100;
SELECT mood = distil_sentiment(body, 'distilbert-sentiment') AS same FROM review WHERE id = 100;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE distil_sentiment_label(body, 'distilbert-sentiment') = 'POSITIVE';
SELECT count(*) = (SELECT count(*) FROM golden WHERE model = 'distilbert-sentiment' AND expected -> 'scores' -> 0 ->> 'label' = 'POSITIVE') AS same
FROM review WHERE distil_sentiment_label(body, 'distilbert-sentiment') = 'POSITIVE' AND id < 100;
RESET enable_seqscan;
\set VERBOSITY terse
INSERT INTO review VALUES (102, repeat('x ', 2000));
\set VERBOSITY default

-- forms that read a setting may not
CREATE TABLE refused (body text, mood real GENERATED ALWAYS AS (distil_sentiment(body)) STORED);
CREATE INDEX ON review (distil_sentiment(body));
CREATE INDEX ON review (distil_embed(body));

-- views, prepared statements, PL/pgSQL
CREATE VIEW review_mood AS SELECT id, distil_sentiment_label(body) AS label, distil_sentiment(body) AS mood FROM review;
SELECT count(*), count(mood) FROM review_mood;
CREATE MATERIALIZED VIEW review_entities AS
	SELECT id, e.* FROM review, LATERAL distil_entities(body, 'bert-ner', min_score => 0.2) AS e;
REFRESH MATERIALIZED VIEW review_entities;
SELECT count(*) > 0 AS some FROM review_entities;

PREPARE mood (text) AS SELECT round(distil_sentiment($1)::numeric, 4) AS by_default, round(distil_sentiment($1, 'distilbert-sentiment')::numeric, 4) AS named;
SET plan_cache_mode = force_generic_plan;
EXECUTE mood ('The film was a delight.');
SET plan_cache_mode = force_custom_plan;
EXECUTE mood ('The film was a delight.');
RESET plan_cache_mode;

CREATE FUNCTION pg_temp.moods() RETURNS TABLE (id int, mood real) LANGUAGE plpgsql AS $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM review ORDER BY review.id LOOP
		id := r.id;
		mood := distil_sentiment(r.body);
		RETURN NEXT;
	END LOOP;
END $$;
SET distilbert.long_text = 'window'; -- as the stored expressions
SELECT count(*), bool_and(m.mood IS NOT DISTINCT FROM r.mood) AS same FROM pg_temp.moods() AS m JOIN review r USING (id);

DO $$
BEGIN
	PERFORM distil_sentiment('x', 'no such model');
EXCEPTION WHEN undefined_object THEN
	RAISE NOTICE 'caught: %', SQLERRM;
END $$;

-- parallel workers give the same answers
CREATE TABLE many AS SELECT i AS id, body FROM generate_series(1, 20) AS r, LATERAL (SELECT r * 100 + id AS i, body FROM review WHERE id < 100) AS b;
ANALYZE many;
CREATE TEMP TABLE serial AS SELECT id, distil_sentiment(body) AS a, distil_embed(body, 'bert-sentence') AS b, distil_token_count(body, 'bert-ner') AS c FROM many;
SET parallel_setup_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body), distil_embed(body, 'bert-sentence'), distil_token_count(body, 'bert-ner') FROM many;
CREATE TABLE parallel AS SELECT id, distil_sentiment(body) AS a, distil_embed(body, 'bert-sentence') AS b, distil_token_count(body, 'bert-ner') AS c FROM many;
SELECT count(*), bool_and((s.a, s.b, s.c) IS NOT DISTINCT FROM (p.a, p.b, p.c)) AS same FROM serial s JOIN parallel p USING (id);
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'on', false);
SELECT count(*) AS entities, bool_and(substr(body, start_pos, end_pos - start_pos + 1) = entity) AS same FROM review, LATERAL distil_entities(body) WHERE id < 100;
SELECT array_length(distil_sentiment(array_agg(body)), 1) FROM many;
\set VERBOSITY terse
SELECT distil_sentiment('x', 'no such model');
\set VERBOSITY default
SELECT set_config(CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'debug_parallel_query' ELSE 'force_parallel_mode' END, 'off', false);

-- a role without rights may use the models, not manage them
CREATE ROLE regress_distil_reader;
GRANT SELECT ON review, golden TO regress_distil_reader;
SET ROLE regress_distil_reader;
SELECT count(distil_sentiment(body)) AS sentiments FROM review;
SELECT count(*) > 0 AS entities FROM review, LATERAL distil_entities(body, 'bert-ner');
SELECT cardinality(distil_embed('x')) AS embedding;
SELECT count(*) FROM distilbert.model;
SELECT distil_load_model('mine', '/tmp');
SELECT distil_drop_model('bert-ner');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION distil_sentiment(text, text, text, text) FROM PUBLIC;
SET ROLE regress_distil_reader;
SELECT distil_sentiment('x', 'distilbert-sentiment');
RESET ROLE;
GRANT EXECUTE ON FUNCTION distil_sentiment(text, text, text, text) TO PUBLIC;

-- nothing is found by way of search_path
SELECT distil_sentiment('good') AS before \gset
SELECT n.nspname AS home FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE extname = 'distilbert' \gset
CREATE SCHEMA trap;
CREATE TABLE trap.model (name text, sha256 bytea);
CREATE TABLE trap.model_chunk (name text, file text, seq int, data bytea);
CREATE FUNCTION trap.eq(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.eq);
SET search_path = trap, pg_catalog;
SELECT :"home".distil_sentiment('good') OPERATOR(pg_catalog.=) :'before'::real AS same;
SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>) 0 AS found FROM :"home".distil_entities('Anna Keller in Berlin', 'bert-ner');
\c -
SELECT substring(pg_read_file('/proc/self/status') FROM 'Threads:\s*(\d+)') AS threads \gset
SET search_path = trap, pg_catalog;
SELECT :"home".distil_sentiment('good', 'distilbert-sentiment') OPERATOR(pg_catalog.=) :'before'::real AS fresh;
SET search_path = '';
SELECT :"home".distil_sentiment('good', 'distilbert-sentiment') = :'before'::real AS none;
RESET search_path;
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.embed_model = 'bert-sentence';

-- no thread was started, and floating point is as it was (denormal numbers count)
SELECT distil_sentiment('good') = :'before'::real AS called;
SELECT substring(pg_read_file('/proc/self/status') FROM 'Threads:\s*(\d+)') = :'threads' AS as_before,
	1e-310::float8 * 0.5 > 0 AS denormals;

-- calls leave no memory behind (parallel queries do: PostgreSQL keeps 100 bytes of each until the transaction ends)
SET :parallel_mode = off;
CREATE FUNCTION pg_temp.use_everything(times int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	body text := repeat('The film was a delight. ', 5);
	kept bigint;
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM distil_sentiment(body), distil_sentiment_label(body), distil_embed(body),
			distil_tokenize(body, 'bert-ner'), distil_token_count(body, 'bert-ner'),
			distil_sentiment(ARRAY[body, NULL]), distil_embed(ARRAY[body, NULL]);
		PERFORM count(*) FROM distil_entities(body, 'bert-ner');
		PERFORM count(*) FROM distil_scores(body, 'distilbert-sentiment');
		BEGIN
			PERFORM distil_classify(body, 'bert-ner');
		EXCEPTION WHEN wrong_object_type THEN
			NULL;
		END;
	END LOOP;
	SELECT sum(total_bytes) INTO kept FROM pg_backend_memory_contexts;
	RETURN kept;
END $$;
SELECT pg_temp.use_everything(50) AS before \gset
SELECT pg_temp.use_everything(500) - :before < 65536 AS no_growth;

-- also within one statement
CREATE FUNCTION pg_temp.memory(bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $$ SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE $1 IS NOT NULL $$;
SELECT max(m) - min(m) < 65536 AS no_growth
FROM (SELECT i, CASE WHEN i % 500 = 0 THEN pg_temp.memory(i) END AS m, distil_sentiment('number ' || i) AS s,
		distil_embed(ARRAY['number ' || i]) AS e, distil_token_count(repeat('number ', i), 'bert-ner') AS c
	  FROM generate_series(1, 2000) AS i OFFSET 0) AS q;

DROP VIEW review_mood;
DROP MATERIALIZED VIEW review_entities;
DROP TABLE review, many, parallel;
\set VERBOSITY terse
SET client_min_messages = warning;
DROP SCHEMA trap CASCADE;
DROP ROLE regress_distil_reader;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

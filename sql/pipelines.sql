-- pipelines: what is made and dropped, which keys are queued, what is refused
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'bert-sentence distilbert-sentiment bert-ner'
\set ECHO none
\i :setup
\set ECHO all
-- keys are to stay in the queue
SELECT current_database() AS db \gset
ALTER DATABASE :"db" SET distilbert.pipelines = off;
SET distilbert.pipelines = off;
CREATE FUNCTION pg_temp.queued() RETURNS TABLE (pipeline text, keys text) LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM distilbert.pipeline_queue q RETURNING q.*)
	SELECT g.pipeline, g.keys::text FROM gone g ORDER BY g.seq
$$;
-- an error in full
CREATE FUNCTION pg_temp.refused(command text) RETURNS TABLE (state text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE command;
	message := 'it was not refused';
	RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT;
END $$;
-- all that a pipeline could have left
CREATE FUNCTION pg_temp.left_behind() RETURNS TABLE (what text) LANGUAGE sql AS $$
	SELECT 'pipeline ' || name FROM distilbert.pipeline UNION ALL
	SELECT 'generation ' || pipeline FROM distilbert.pipeline_generation UNION ALL
	SELECT 'queue ' || pipeline FROM distilbert.pipeline_queue UNION ALL
	SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgname LIKE '%distil_%' UNION ALL
	SELECT 'policy ' || polname FROM pg_policy WHERE polname LIKE 'distil_%'
$$;

-- into a column that is added
CREATE TABLE docs (id int PRIMARY KEY, body text, other int);
SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
\d docs
INSERT INTO docs VALUES (1, 'one'), (2, 'two'), (3, NULL);
INSERT INTO docs SELECT i, 'text ' || i FROM generate_series(10, 12) AS i;
SELECT * FROM pg_temp.queued();
-- other columns, the value itself, the same text: nothing
UPDATE docs SET other = 1;
UPDATE docs SET mood = 0.5 WHERE id = 1;
UPDATE docs SET body = body;
SELECT * FROM pg_temp.queued();
-- a text: its value goes; a key: both texts are the same
UPDATE docs SET body = 'another' WHERE id = 1;
UPDATE docs SET id = 13 WHERE id = 12;
DELETE FROM docs WHERE id = 11;
SELECT * FROM pg_temp.queued();
SELECT id, body, mood FROM docs ORDER BY id;
-- a trigger before ours changes the text, while another column is set
CREATE FUNCTION pg_temp.upper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := upper(NEW.body); RETURN NEW; END $$;
CREATE TRIGGER rewrite BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION pg_temp.upper();
UPDATE docs SET mood = 1 WHERE id = 1;
UPDATE docs SET other = 2 WHERE id = 1;
UPDATE docs SET other = 3 WHERE id = 1;
SELECT * FROM pg_temp.queued();
SELECT id, body, mood FROM docs WHERE id = 1;
DROP TRIGGER rewrite ON docs;
-- savepoints, one row for each transaction
BEGIN;
INSERT INTO docs VALUES (20, 'stays');
SAVEPOINT a;
INSERT INTO docs VALUES (21, 'goes');
SAVEPOINT b;
INSERT INTO docs VALUES (22, 'goes');
RELEASE b;
ROLLBACK TO a;
INSERT INTO docs VALUES (23, 'stays');
SAVEPOINT c;
INSERT INTO docs VALUES (24, 'stays');
RELEASE c;
COMMIT;
SELECT * FROM pg_temp.queued();
BEGIN;
INSERT INTO docs VALUES (25, 'goes');
ROLLBACK;
SELECT * FROM pg_temp.queued();
-- COPY, MERGE, ON CONFLICT
COPY docs (id, body) FROM stdin;
30	copied
31	copied
\.
INSERT INTO docs VALUES (30, 'conflict') ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body;
INSERT INTO docs VALUES (31, 'conflict') ON CONFLICT DO NOTHING;
MERGE INTO docs d USING (VALUES (30, 'merged'), (32, 'merged')) AS v (id, body) ON d.id = v.id
	WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, v.body);
SELECT * FROM pg_temp.queued();
-- renames are followed, columns are not dropped
ALTER TABLE docs RENAME body TO content;
ALTER TABLE docs RENAME mood TO feeling;
ALTER TABLE docs RENAME id TO number;
ALTER TABLE docs RENAME TO papers;
UPDATE papers SET content = 'renamed' WHERE number = 1;
SELECT * FROM pg_temp.queued();
ALTER TABLE papers DROP COLUMN content;
ALTER TABLE papers DROP COLUMN feeling;
ALTER TABLE papers DROP COLUMN other;
SELECT number, content, feeling FROM papers WHERE number = 1;
-- the model cannot go
SELECT distil_drop_model('distilbert-sentiment');
-- dropped: the column stays
SELECT distil_drop_pipeline('docs_mood');
SELECT * FROM pg_temp.left_behind();
\d papers
SELECT distil_drop_pipeline('docs_mood');
SELECT distil_drop_pipeline('docs_mood', if_exists => true);
-- a column that is there is taken, and goes with the pipeline
UPDATE papers SET feeling = 0.25 WHERE number = 2;
SELECT distil_create_pipeline('papers', 'content', 'sentiment', 'distilbert-sentiment', into_column => 'feeling', stale => 'keep', name => 'p');
UPDATE papers SET content = 'new text' WHERE number = 2;
SELECT number, feeling FROM papers WHERE number = 2;
SELECT * FROM pg_temp.queued();
SELECT distil_drop_pipeline('p', drop_target => true);
\d papers
SELECT * FROM pg_temp.left_behind();
DROP TABLE papers;

-- into a table
CREATE TABLE docs (part text COLLATE "C", seq uuid, body varchar, PRIMARY KEY (part, seq));
INSERT INTO docs VALUES ('a', '00000000-0000-0000-0000-000000000001', 'one'), ('b', '00000000-0000-0000-0000-000000000001', 'two'),
	('c,"', '00000000-0000-0000-0000-000000000002', 'three');
SELECT distil_create_pipeline('docs', 'body', 'chunks', 'bert-sentence', into_table => 'docs_chunks', options => '{"max_tokens": 16, "overlap": 2}');
\d docs_chunks
SELECT options FROM distilbert.pipeline_generation;
INSERT INTO docs_chunks (part, source_seq, seq, start_pos, end_pos, chunk, text_hash) SELECT part, seq, 1, 1, 3, body, '' FROM docs;
-- a key that changes alone: both are queued, and rows of the old one go
UPDATE docs SET part = 'd' WHERE part = 'a';
SELECT * FROM pg_temp.queued();
SELECT part, seq FROM docs_chunks ORDER BY part COLLATE "C";
UPDATE docs SET body = 'changed' WHERE part = 'b';
DELETE FROM docs WHERE part LIKE 'c%';
SELECT * FROM pg_temp.queued();
SELECT part, seq FROM docs_chunks ORDER BY part COLLATE "C";
INSERT INTO docs_chunks (part, source_seq, seq, start_pos, end_pos, chunk, text_hash) SELECT part, seq, 1, 1, 3, body, '' FROM docs;
TRUNCATE docs;
SELECT count(*) FROM docs_chunks;
DROP TABLE docs;
SELECT to_regclass('docs_chunks');
-- what died is removed when the next one is made, which may have its name
CREATE TABLE docs (id int PRIMARY KEY, body text);
SELECT distil_create_pipeline('docs', 'body', 'entities', 'bert-ner', into_table => 'docs_chunks');
\d docs_chunks
SELECT name, task FROM distilbert.pipeline;
SELECT distil_drop_pipeline('docs_chunks', true);
SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', into_table => 'public.vectors', options => '{"dimensions": 4}');
\d vectors
SELECT distil_drop_pipeline('vectors', true);
SELECT * FROM pg_temp.left_behind();

-- numbers and dates in keys do not depend on settings
CREATE TABLE odd (d date, f float8, b bytea, t timestamptz, i interval, body text, PRIMARY KEY (d, f, b, t, i));
SELECT distil_create_pipeline('odd', 'body', 'classify', 'distilbert-sentiment', into_column => 'label', options => '{"min_score": 0.75}');
SET DateStyle = 'German, DMY';
SET extra_float_digits = -5;
SET bytea_output = escape;
SET TimeZone = 'Asia/Tokyo';
SET IntervalStyle = iso_8601;
INSERT INTO odd VALUES ('02.01.2024', 0.1::float8 + 0.2, '\x00ff', '2024-01-02 12:00+00', '1 day 2 hours', 'x');
RESET DateStyle; RESET extra_float_digits; RESET bytea_output; RESET TimeZone; RESET IntervalStyle;
SELECT * FROM pg_temp.queued();
DROP TABLE odd;

-- partitions: written by the root or by name, moved, truncated
CREATE TABLE parts (id int, kind text, body text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a');
CREATE TABLE parts_b (body text, gone int, kind text NOT NULL, id int NOT NULL);
ALTER TABLE parts_b DROP COLUMN gone;
ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES IN ('b');
SELECT distil_create_pipeline('parts', 'body', 'embed', 'bert-sentence', into_table => 'parts_vectors');
INSERT INTO parts VALUES (1, 'a', 'x'), (2, 'b', 'y');
INSERT INTO parts_b (id, kind, body) VALUES (3, 'b', 'z');
SELECT * FROM pg_temp.queued();
UPDATE parts SET kind = 'a' WHERE id = 2;
SELECT * FROM pg_temp.queued();
INSERT INTO parts_vectors SELECT id, kind, NULL, '' FROM parts;
TRUNCATE parts_a;
SELECT id, kind FROM parts_vectors;
DROP TABLE parts;
SELECT to_regclass('parts_vectors');

-- what is refused, and leaves nothing
CREATE TABLE no_key (body text);
CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE, body text);
CREATE VIEW doc_view AS SELECT * FROM docs;
CREATE MATERIALIZED VIEW doc_mat AS SELECT * FROM docs;
CREATE TEMP TABLE doc_temp (id int PRIMARY KEY, body text);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE doc_foreign (id int, body text) SERVER nothing;
CREATE TABLE parent (id int PRIMARY KEY, body text);
CREATE TABLE child () INHERITS (parent);
CREATE TYPE pair AS (a int, b int);
CREATE TABLE pair_key (k pair PRIMARY KEY, body text);
CREATE TABLE array_key (k int[] PRIMARY KEY, body text);
CREATE TABLE money_key (k money PRIMARY KEY, body text);
CREATE TABLE typed (id int PRIMARY KEY, body text, long text GENERATED ALWAYS AS (body || '!') STORED, made real GENERATED ALWAYS AS (1) STORED,
	must real NOT NULL, preset real DEFAULT 1, whole int[], small real[]);
CREATE TABLE taken (id int PRIMARY KEY, body text);
SELECT distil_create_pipeline('taken', 'body', 'mask', 'bert-ner', into_column => 'masked');
SELECT distil_create_pipeline('taken', 'body', 'embed', 'bert-sentence', into_table => 'taken_vectors');
\x on
SELECT r.* FROM (VALUES
	(1, $$'no_key', 'body', 'embed', 'bert-sentence', 'v'$$),
	(2, $$'late_key', 'body', 'embed', 'bert-sentence', 'v'$$),
	(3, $$'doc_view', 'body', 'embed', 'bert-sentence', 'v'$$),
	(4, $$'doc_mat', 'body', 'embed', 'bert-sentence', 'v'$$),
	(5, $$'doc_temp', 'body', 'embed', 'bert-sentence', 'v'$$),
	(6, $$'doc_foreign', 'body', 'embed', 'bert-sentence', 'v'$$),
	(7, $$'parent', 'body', 'embed', 'bert-sentence', 'v'$$),
	(8, $$'pg_class', 'relname', 'embed', 'bert-sentence', 'v'$$),
	(9, $$'distilbert.model', 'name', 'embed', 'bert-sentence', 'v'$$),
	(10, $$'docs_pkey', 'body', 'embed', 'bert-sentence', 'v'$$),
	(11, $$'pair_key', 'body', 'embed', 'bert-sentence', 'v'$$),
	(12, $$'array_key', 'body', 'embed', 'bert-sentence', 'v'$$),
	(13, $$'money_key', 'body', 'embed', 'bert-sentence', 'v'$$),
	(14, $$'docs', 'nothing', 'embed', 'bert-sentence', 'v'$$),
	(15, $$'docs', 'id', 'embed', 'bert-sentence', 'v'$$),
	(16, $$'docs', 'body', 'guess', 'bert-sentence', 'v'$$),
	(17, $$'docs', 'body', 'embed', 'no-such-model', 'v'$$),
	(18, $$'docs', 'body', 'sentiment', 'bert-sentence', 'v'$$),
	(19, $$'docs', 'body', 'entities', 'distilbert-sentiment', into_table => 'v'$$),
	(20, $$'docs', 'body', 'chunks', 'bert-sentence', 'v'$$),
	(21, $$'docs', 'body', 'embed', 'bert-sentence'$$),
	(22, $$'docs', 'body', 'embed', 'bert-sentence', 'v', 'w'$$),
	(23, $$'docs', 'body', 'embed', 'bert-sentence', 'body'$$),
	(24, $$'docs', 'body', 'embed', 'bert-sentence', 'id'$$),
	(25, $$'typed', 'body', 'sentiment', 'distilbert-sentiment', 'made'$$),
	(26, $$'typed', 'body', 'sentiment', 'distilbert-sentiment', 'must'$$),
	(27, $$'typed', 'body', 'sentiment', 'distilbert-sentiment', 'preset'$$),
	(28, $$'typed', 'body', 'sentiment', 'distilbert-sentiment', 'whole'$$),
	(29, $$'typed', 'body', 'embed', 'bert-sentence', 'must'$$),
	(30, $$'typed', 'long', 'embed', 'bert-sentence', 'small'$$),
	(31, $$'docs', 'body', 'embed', 'bert-sentence', into_table => 'docs'$$),
	(32, $$'docs', 'body', 'embed', 'bert-sentence', into_table => 'nowhere.v'$$),
	(33, $$'docs', 'body', 'embed', 'bert-sentence', 'v', mode => 'soon'$$),
	(34, $$'docs', 'body', 'embed', 'bert-sentence', 'v', stale => 'leave'$$),
	(35, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => '{"max_tokens": 3}'$$),
	(36, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => '[]'$$),
	(37, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => '{"dimensions": 100000}'$$),
	(38, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => '{"dimensions": 1.5}'$$),
	(39, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => '{"long_text": "cut"}'$$),
	(40, $$'docs', 'body', 'chunks', 'bert-sentence', into_table => 'v', options => '{"max_tokens": 2}'$$),
	(41, $$'docs', 'body', 'score', 'distilbert-sentiment', 'v'$$),
	(42, $$'docs', 'body', 'score', 'distilbert-sentiment', 'v', options => '{"label": "nothing"}'$$),
	(43, $$'docs', 'body', 'mask', 'bert-ner', 'v', options => '{"labels": ["PER", 1]}'$$),
	(44, $$'docs', 'body', 'embed', 'bert-sentence', 'v', options => NULL$$),
	(45, $$NULL, 'body', 'embed', 'bert-sentence', 'v'$$),
	(46, $$0, 'body', 'embed', 'bert-sentence', 'v'$$),
	(47, $$'taken', 'masked', 'embed', 'bert-sentence', 'v'$$),
	(48, $$'taken', 'body', 'mask', 'bert-ner', 'masked'$$),
	(49, $$'taken_vectors', 'text_hash', 'embed', 'bert-sentence', 'v'$$),
	(50, $$'docs', 'body', 'embed', 'bert-sentence', 'v', name => 'taken_masked'$$),
	(51, $$'docs', 'body', 'embed', 'bert-sentence', 'v', name => ''$$),
	(52, $$'docs', 'body', 'embed', 'bert-sentence', 'v', name => 'n123456789n123456789n123456789n123456789n123456'$$),
	(53, $$'docs', 'body', 'embed', 'bert-sentence', into_table => 'My table'$$),
	(54, $$'docs', 'body', 'embed', 'bert-sentence', into_table => ''$$),
	(55, $$'docs', 'body', 'embed', 'bert-sentence', into_table => 'a.b.c'$$),
	(56, $$'docs', 'body', 'embed', 'bert-sentence', into_table => 'distilbert.v'$$),
	(57, $$'docs', 'body', 'embed', 'bert-sentence', 'ctid'$$),
	(58, $$'docs', 'xmin', 'embed', 'bert-sentence', 'v'$$)
	) AS c (n, arguments), LATERAL pg_temp.refused('SELECT distil_create_pipeline(' || arguments || ')') AS r ORDER BY n;
\x off
SELECT state, regexp_replace(message, '_\d+', '_n') AS message, detail FROM pg_class, LATERAL
	pg_temp.refused(format($$SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', into_table => '%s.v')$$, relnamespace::regnamespace)) WHERE relname = 'doc_temp';
SELECT attname FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attnum > 0;
SELECT name, source FROM distilbert.pipeline ORDER BY name;
BEGIN READ ONLY;
SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', 'v');
ROLLBACK;

-- only the owner
CREATE ROLE regress_pipe_other;
SET ROLE regress_pipe_other;
SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', 'v');
SELECT distil_drop_pipeline('taken_masked');
SELECT * FROM distilbert.pipeline;
RESET ROLE;
DROP ROLE regress_pipe_other;

-- the triggers' functions are nobody's to misuse
CREATE TABLE mine (id int PRIMARY KEY, body text);
CREATE TRIGGER t0 AFTER UPDATE ON mine FOR EACH ROW WHEN (distilbert.touched(2, OLD.id, NEW.id, OLD.body, NEW.body)) EXECUTE FUNCTION distilbert.pipeline_capture('taken_masked');
CREATE TRIGGER t1 AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_capture('taken_masked');
CREATE TRIGGER t2 AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_capture('nothing');
CREATE TRIGGER t3 AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_capture();
CREATE TRIGGER t4 BEFORE UPDATE ON mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_stale('taken_masked');
INSERT INTO mine VALUES (1, 'x');
UPDATE mine SET body = 'y';
SELECT * FROM pg_temp.queued();
DROP TRIGGER t1 ON mine;
CREATE TRIGGER t1 BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_capture('taken_masked');
INSERT INTO mine VALUES (2, 'x');
SELECT distilbert.touched(2, 1, 1, 'a'::text, 'b'::text) AS text, distilbert.touched(1, 1, 1, 'a'::text, 'b'::text) AS more, distilbert.touched(1, 1, 1) AS same,
	distilbert.touched(1, NULL::int, 1) AS one_null, distilbert.touched(1, NULL::int, NULL::int) AS nulls, distilbert.touched(1, 1) AS half, distilbert.touched(1, 'a'::text, 1) AS types;
SELECT distilbert.touched(n, 1, 2) FROM unnest(ARRAY[1, 2, 0, -1, 2147483647, -2147483648, NULL]) AS n;
SELECT distilbert.touched(1, VARIADIC ARRAY[1, 2]);

-- leave nothing behind
DROP TABLE mine, taken, docs, no_key, late_key, child, parent, pair_key, array_key, money_key, typed CASCADE;
DROP SERVER nothing CASCADE;
DROP FOREIGN DATA WRAPPER nothing;
DROP TYPE pair;
SELECT distil_drop_pipeline(name) FROM distilbert.pipeline;
SELECT * FROM pg_temp.left_behind();
ALTER DATABASE :"db" RESET distilbert.pipelines;
SELECT count(distil_drop_model(m)) FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_check_results, distil_results_version: are kept results still those
-- that this server computes?
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';
SELECT count(distil_load_model(m, :'fixtures' || '/' || m)) FROM unnest('{distilbert-sentiment,bert-sentence}'::text[]) AS m;
SET distilbert.cache_size = 0;

SELECT coalesce(distil_results_version() ~ '^[a-z0-9]+, glibc [0-9.]+$', true) AS version, distil_results_version() IS NOT DISTINCT FROM distil_results_version() AS same;
-- kernels made of the same steps have one name
SELECT current_setting('distilbert.force_isa') = '' AS best;
SET distilbert.force_isa = 'scalar';
SELECT distil_results_version() ~ '^scalar, ' AS scalar;
RESET distilbert.force_isa;

CREATE SCHEMA kept;
CREATE TABLE kept."Moods" (id int, "Body" text, mood real GENERATED ALWAYS AS (distil_sentiment("Body", 'distilbert-sentiment')) STORED,
	vector real[] GENERATED ALWAYS AS (distil_embed("Body", 'bert-sentence')) STORED,
	CONSTRAINT sure CHECK (distil_classify("Body", 'distilbert-sentiment') IN ('POSITIVE', 'NEGATIVE')));
INSERT INTO kept."Moods" SELECT i, CASE WHEN i % 50 > 0 THEN (ARRAY['I love it', 'Terrible, broken', 'Great value', 'Never again'])[1 + i % 4] || ' ' || i END
	FROM generate_series(1, 300) AS i;
CREATE INDEX moods_score ON kept."Moods" (distil_sentiment("Body", 'distilbert-sentiment'), id);
CREATE INDEX moods_label ON kept."Moods" (distil_sentiment_label("Body", 'distilbert-sentiment')) WHERE distil_sentiment("Body", 'distilbert-sentiment') > 0;
CREATE INDEX moods_hash ON kept."Moods" USING hash (distil_sentiment("Body", 'distilbert-sentiment'));
CREATE INDEX moods_plain ON kept."Moods" (mood);
CREATE MATERIALIZED VIEW kept.summary AS SELECT distil_sentiment_label("Body", 'distilbert-sentiment') AS label, count(*) FROM kept."Moods" GROUP BY 1;
CREATE VIEW kept.live AS SELECT distil_sentiment_label("Body", 'distilbert-sentiment') FROM kept."Moods";
CREATE TABLE kept.parts (body text) PARTITION BY RANGE (distil_sentiment(body, 'distilbert-sentiment'));
CREATE TABLE kept.good PARTITION OF kept.parts FOR VALUES FROM (0) TO (2);
CREATE TABLE kept.rest PARTITION OF kept.parts DEFAULT;
INSERT INTO kept.parts SELECT "Body" FROM kept."Moods";
-- by way of a function of one's own
CREATE FUNCTION kept.mine(body text) RETURNS real LANGUAGE sql IMMUTABLE BEGIN ATOMIC SELECT distil_sentiment(body, 'distilbert-sentiment'); END;
CREATE INDEX moods_mine ON kept."Moods" (kept.mine("Body"));
ANALYZE kept."Moods";
ANALYZE kept.parts;

SELECT * FROM distil_check_results() ORDER BY "table"::text, object;
SELECT object, checked BETWEEN 1 AND 200 AS some, differ FROM distil_check_results('kept."Moods"', 100) WHERE checked IS NOT NULL ORDER BY object;
SELECT object, checked FROM distil_check_results('kept.moods_score');
SELECT object, checked FROM distil_check_results('kept.parts');
SELECT object, checked FROM distil_check_results('kept.live');

-- the definition rounds otherwise
SET distilbert.force_isa = 'scalar';
SELECT object, checked, differ > 0 AS differ, difference > 0 AND difference < 1e-5 AS little FROM distil_check_results('kept."Moods"') WHERE difference IS NOT NULL ORDER BY object;
RESET distilbert.force_isa;

-- another model under the name: everything is told, and mended as the remedies say
SELECT name FROM distil_load_model('distilbert-sentiment', :'fixtures' || '/bert-sentiment3', replace => true, force => true);
SELECT "table", object, checked, differ > 0 AS differ, difference > 0.01 AS much FROM distil_check_results() ORDER BY "table"::text, object;
ALTER TABLE kept."Moods" DROP CONSTRAINT sure;
SELECT DISTINCT remedy FROM distil_check_results('kept."Moods"') WHERE differ > 0 AND remedy IS NOT NULL ORDER BY remedy \gexec
SELECT object, checked, differ FROM distil_check_results('kept."Moods"') ORDER BY object;

-- whose they are
CREATE ROLE distil_checker;
GRANT USAGE ON SCHEMA kept TO distil_checker;
SET ROLE distil_checker;
SELECT count(*) FROM distil_check_results();
SELECT * FROM distil_check_results('kept.good');
CREATE TEMP TABLE own (body text);
CREATE INDEX own_index ON own (distil_sentiment(body, 'distilbert-sentiment'));
INSERT INTO own VALUES ('good'), ('bad'), (NULL);
SELECT object, checked, differ FROM distil_check_results();
RESET ROLE;
DROP TABLE own;
-- what a table's owner put into an index runs as he, not as who checks
CREATE FUNCTION kept.who() RETURNS real LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE NOTICE 'run as %', current_user; RETURN 0; END $$;
ALTER TABLE kept.good OWNER TO distil_checker;
SET client_min_messages = warning;
CREATE INDEX good_who ON kept.good ((distil_sentiment(body, 'distilbert-sentiment') + kept.who()));
RESET client_min_messages;
SELECT object, checked > 0 AS checked, differ FROM distil_check_results('kept.good_who', 1);

SELECT * FROM distil_check_results(NULL, 0);
SELECT * FROM distil_check_results(NULL, NULL);
SELECT * FROM distil_check_results(1::oid);

SET client_min_messages = warning;
DROP SCHEMA kept CASCADE;
DROP ROLE distil_checker;
SELECT bool_and(distil_drop_model(name)) AS dropped FROM distil_models WHERE NOT builtin;

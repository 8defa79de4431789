-- models that objects of the database name are neither dropped nor replaced, unless force is given
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner distilbert-base'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.load(name text, path text, force boolean DEFAULT false) RETURNS text LANGUAGE sql AS
	$$ SELECT m.name FROM distil_load_model(name, current_setting('test.fixtures') || path, replace => true, force => force) AS m $$;
SELECT set_config('test.fixtures', :'fixtures', false) <> '' AS set;
SELECT pg_temp.load('m', 'distilbert-sentiment'), pg_temp.load('n', 'distilbert-sentiment');

-- nothing names it
CREATE TABLE free (body text, other real GENERATED ALWAYS AS (distil_sentiment(body, 'n')) STORED, label text DEFAULT 'm' CHECK (label <> 'm or so'));
CREATE VIEW free_too AS SELECT distil_score(body, 'n', 'm') FROM free;
SELECT distil_drop_model('m');
SELECT pg_temp.load('m', 'distilbert-sentiment');

-- everything does
CREATE TABLE post (
	id int, body text, mood real GENERATED ALWAYS AS (distil_sentiment(body, 'm')) STORED,
	word text DEFAULT distil_sentiment_label('good', model => 'm'),
	CONSTRAINT kind CHECK (distil_score(model => 'm', text => body, label => 'POSITIVE') > -1));
CREATE INDEX post_expression ON post (distil_sentiment(body, 'm'));
CREATE INDEX post_predicate ON post (id) WHERE distil_classify(body, 'm'::varchar, 0.5) IS NOT NULL;
CREATE INDEX post_name ON post (distil_sentiment(body, 'm'::name));
CREATE INDEX post_built ON post (distil_sentiment(body, lower('M') || ''));
CREATE INDEX post_other ON post (distil_sentiment(body, 'n'));
CREATE INDEX post_case ON post (distil_sentiment(body, CASE WHEN id > 7 THEN 'm' ELSE 'n' END));
CREATE INDEX post_array ON post ((distil_sentiment(ARRAY[body], 'm')));
CREATE TABLE parted (body text) PARTITION BY LIST (distil_sentiment_label(body, 'm'));
CREATE STATISTICS post_statistics ON distil_sentiment(body, 'm'), id FROM post;
CREATE VIEW good AS SELECT id FROM post WHERE id IN (SELECT id FROM post WHERE distil_sentiment(body, 'm') > 0);
CREATE MATERIALIZED VIEW entities AS SELECT e.label FROM post, distil_scores(body, 'm') AS e;
CREATE RULE logged AS ON INSERT TO post DO ALSO SELECT distil_uncertainty(NEW.body, 'm');
CREATE POLICY friendly ON post USING (distil_sentiment(body, 'm') > 0) WITH CHECK (true);
CREATE POLICY kind ON post WITH CHECK (distil_sentiment(body, 'm') > 0);
CREATE TRIGGER moderated BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION distil_moderate('label=NEGATIVE', 'model=m', 'column=body');
CREATE TRIGGER moderated_other BEFORE INSERT ON post FOR EACH ROW EXECUTE FUNCTION distil_moderate('label=m', 'model=n', 'column=body');
CREATE TRIGGER condition AFTER INSERT ON post FOR EACH ROW WHEN (distil_sentiment(NEW.body, 'm') < 0) EXECUTE FUNCTION suppress_redundant_updates_trigger();
CREATE FUNCTION mood(text) RETURNS real LANGUAGE sql RETURN distil_sentiment($1, 'm');
CREATE FUNCTION mood2(text) RETURNS real LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT distil_sentiment($1, 'm'); END;
CREATE FUNCTION mood3(text, real DEFAULT distil_sentiment('x', 'm')) RETURNS real LANGUAGE sql AS 'SELECT $2';
CREATE DOMAIN friendly AS text CHECK (distil_sentiment(VALUE, 'm') > 0);
CREATE DOMAIN wordy AS text DEFAULT distil_sentiment_label('x', 'm');
SELECT distil_drop_model('m');
\set VERBOSITY terse
SELECT pg_temp.load('m', 'distilbert-stars');
\set VERBOSITY default
SELECT pg_temp.load('m', 'distilbert-sentiment') AS same_content;
SELECT distil_drop_model('nothing', true, false), distil_drop_model('nothing', if_exists => true);

-- thousands of objects: the list is cut
DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE VIEW v%s AS SELECT distil_sentiment(''x'', ''many'')', i); END LOOP; END $$;
SELECT pg_temp.load('many', 'distilbert-sentiment');
DO $$
DECLARE detail text;
BEGIN
	PERFORM distil_drop_model('many');
EXCEPTION WHEN dependent_objects_still_exist THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RAISE WARNING '% lines, % at last', cardinality(string_to_array(detail, chr(10))), substring(detail FROM '[^\n]*$');
END $$;
DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('DROP VIEW v%s', i); END LOOP; END $$;
SELECT distil_drop_model('many');

-- training into the name, at once
\set VERBOSITY terse
SELECT distil_train('m', 'SELECT body, kind FROM nothing', 'distilbert-sentiment', replace => true);
SELECT distil_pretrain('m', 'SELECT body FROM nothing', 'distilbert-sentiment', replace => true);
SELECT distil_distill('m', 'distilbert-sentiment', 'SELECT body FROM nothing', replace => true);
SELECT distil_train('m', 'SELECT body, kind FROM nothing', 'distilbert-sentiment', replace => true, force => true);
-- a model in the place of an installed one, whatever its name
SELECT min(name) AS name FROM distil_models WHERE builtin \gset
CREATE VIEW installed AS SELECT distil_sentiment('x', :'name');
\set VERBOSITY sqlstate
SELECT pg_temp.load(:'name', 'distilbert-stars');
DROP VIEW installed;
\set VERBOSITY default

-- all the same
SELECT pg_temp.load('m', 'distilbert-stars', true);
SELECT distil_drop_model('m', force => true);
-- names of models that are not there stop nothing, as in a restore; nor do they stop what rolls back
SELECT pg_temp.load('m', 'distilbert-sentiment');
SELECT distil_drop_model('m', force => NULL);
DROP TABLE post, parted, free CASCADE;
DROP FUNCTION mood, mood2, mood3;
DROP DOMAIN friendly, wordy;
SELECT distil_drop_model('m'), distil_drop_model('n');

-- functions that a user named so, and calls that compute names, are not executed
SELECT pg_temp.load('m', 'distilbert-sentiment');
CREATE FUNCTION trap(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE VIEW trapped AS SELECT distil_sentiment('x', trap('m')) AS a, distil_sentiment('x', lower('n') || trap('n')) AS b;
SELECT distil_drop_model('m');
DROP VIEW trapped;
CREATE VIEW trapped AS SELECT distil_sentiment('x', lower('n') || trap('n'));
SELECT distil_drop_model('m');
-- nor do names in other arguments, or of other functions, count
SELECT pg_temp.load('m', 'distilbert-sentiment');
CREATE VIEW others AS SELECT distil_score('m', 'n', 'm'), lower('m'), distil_embed('m', model => 'n');
SELECT distil_drop_model('m');
DROP VIEW others;
-- built-in functions that raise make no name, and stop nothing
SELECT pg_temp.load('m', 'distilbert-sentiment');
CREATE VIEW raises AS SELECT distil_sentiment('x', chr(0) || '') AS a, distil_sentiment('x', repeat('x', 7 / 0)) AS b;
CREATE VIEW names AS SELECT distil_sentiment('x', chr(0) || '') AS a, distil_sentiment('x', chr(109) || '') AS b;
SELECT distil_drop_model('m');
DROP VIEW names;
SELECT distil_drop_model('m');
DROP VIEW raises;
DROP FUNCTION trap CASCADE;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

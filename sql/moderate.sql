-- distil_moderate: texts that are rejected, flagged or masked as they are written
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-multilabel distilbert-sentiment bert-ner'
\set ECHO none
\i :setup
\set ECHO all
-- as the trigger reads
SET distilbert.long_text = 'window';

-- one label's score, and the best label if it is sure
SELECT bool_and(s.score = distil_score(body, m, s.label)) AS same, count(*) > 50 AS many
FROM golden, unnest(ARRAY['distilbert-multilabel', 'distilbert-sentiment']) AS m, distil_scores(body, m) AS s WHERE model = 'bert-ner';
SELECT bool_and(distil_classify(body, m, t::real) IS NOT DISTINCT FROM CASE WHEN s.score >= t::real THEN s.label END) AS same,
	count(distil_classify(body, m, t::real)) < count(*) AS some_are_not
FROM golden, unnest(ARRAY['distilbert-multilabel', 'distilbert-sentiment']) AS m, unnest(ARRAY[0, 0.6, 0.8, 1]) AS t,
	LATERAL (SELECT * FROM distil_scores(body, m) LIMIT 1) AS s
WHERE model = 'bert-ner';
SELECT distil_classify(array_agg(body ORDER BY n), 'distilbert-sentiment', 0.8) = array_agg(distil_classify(body, 'distilbert-sentiment', 0.8) ORDER BY n) AS same,
	distil_score(array_agg(body ORDER BY n), 'distilbert-sentiment', 'POSITIVE') = array_agg(distil_score(body, 'distilbert-sentiment', 'POSITIVE') ORDER BY n) AS scores
FROM golden WHERE model = 'bert-ner';
SELECT distil_score(NULL, 'distilbert-sentiment', 'POSITIVE') IS NULL AS no_text, distil_classify('', 'distilbert-sentiment', 0) IS NOT NULL AS empty;
SELECT distil_score('x', 'distilbert-sentiment', 'nothing');
SELECT distil_classify('x', 'distilbert-sentiment', 1.5);
SELECT distil_classify('x', 'bert-ner', 0.5);
SELECT distil_score('x', 'bert-ner', 'PER');
SELECT name, labels FROM distil_models WHERE NOT builtin ORDER BY name;

-- a text that the model finds positive and one that it does not
SELECT body AS good FROM golden WHERE model = 'bert-ner' AND body <> '' ORDER BY distil_score(body, 'distilbert-sentiment', 'POSITIVE') DESC, n LIMIT 1 \gset
SELECT body AS bad FROM golden WHERE model = 'bert-ner' AND body <> '' ORDER BY distil_score(body, 'distilbert-sentiment', 'NEGATIVE') DESC, n LIMIT 1 \gset

-- reject, for each row and for each statement
CREATE TABLE post (id int, body varchar(300), flagged bool, score real, label text, public text);
CREATE TRIGGER reject BEFORE INSERT OR UPDATE OF body ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0.8');
INSERT INTO post VALUES (1, :'good'), (2, NULL);
SELECT set_config('test.bad', :'bad', false) IS NOT NULL AS set;
DO $$
DECLARE state text; detail text; tab text; col text;
BEGIN
	INSERT INTO post VALUES (3, current_setting('test.bad'));
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, tab = TABLE_NAME, col = COLUMN_NAME;
	RAISE NOTICE '%: % (%, column %)', state, regexp_replace(detail, '0\.\d+', '0.x'), tab, col;
END $$;
UPDATE post SET id = 4 WHERE id = 1;
UPDATE post SET body = :'bad' WHERE id = 4;
DROP TRIGGER reject ON post;
CREATE TRIGGER reject AFTER INSERT ON post REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0.8');
SELECT distil_stats_reset();
INSERT INTO post SELECT i, :'good' || i FROM generate_series(10, 60) AS i WHERE distil_score(:'good' || i, 'distilbert-sentiment', 'NEGATIVE') < 0.8;
INSERT INTO post SELECT i, CASE WHEN i = 40 THEN :'bad' ELSE :'good' END FROM generate_series(1, 50) AS i;
SELECT count(*) > 2 AS inserted, count(*) FILTER (WHERE body = :'bad') AS bad FROM post;
DROP TRIGGER reject ON post;
TRUNCATE post;

-- flag: by the type of the column
CREATE TRIGGER flag1 BEFORE INSERT ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0.8', 'action=flag', 'target=flagged');
CREATE TRIGGER flag2 BEFORE INSERT ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'action=flag', 'target=score');
CREATE TRIGGER flag3 BEFORE INSERT ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-multilabel', 'threshold=0.6', 'action=flag', 'target=label');
INSERT INTO post SELECT n, body FROM golden WHERE model = 'bert-ner' AND length(body) < 300;
INSERT INTO post VALUES (1000, NULL, true, 1, 'x');
SELECT bool_and(flagged = (distil_score(body, 'distilbert-sentiment', 'NEGATIVE') >= 0.8)) AS booleans, count(DISTINCT flagged) AS kinds,
	bool_and(score = distil_score(body, 'distilbert-sentiment', 'NEGATIVE')) AS scores,
	bool_and(label IS NOT DISTINCT FROM distil_classify(body, 'distilbert-multilabel', 0.6)) AS labels
FROM post WHERE body IS NOT NULL;
SELECT id, flagged, score, label FROM post WHERE body IS NULL;
DROP TRIGGER flag1 ON post;
DROP TRIGGER flag2 ON post;
DROP TRIGGER flag3 ON post;
TRUNCATE post;

-- mask: entities, or all of it
CREATE TRIGGER mask BEFORE INSERT OR UPDATE ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=bert-ner', 'threshold=0', 'action=mask', 'target=public');
INSERT INTO post SELECT n, body FROM golden WHERE model = 'bert-ner' AND length(body) < 300;
SELECT bool_and(public = distil_mask(body, 'bert-ner')) AS same, count(*) > 5 AS many FROM post;
DROP TRIGGER mask ON post;
CREATE TRIGGER mask BEFORE INSERT OR UPDATE ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0.8', 'action=mask');
INSERT INTO post VALUES (500, :'bad'), (501, :'good');
SELECT id, body = :'good' AS unchanged, body = '[removed]' AS removed FROM post WHERE id >= 500 ORDER BY id;
DROP TRIGGER mask ON post;
CREATE TRIGGER mask BEFORE INSERT OR UPDATE ON post FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0.8', 'action=mask', 'mask=<{label}>');
INSERT INTO post VALUES (502, :'bad') RETURNING body;
DROP TRIGGER mask ON post;

-- constraints
ALTER TABLE post ADD CONSTRAINT friendly CHECK (distil_score(body, 'distilbert-sentiment', 'NEGATIVE') < 0.8) NOT VALID;
INSERT INTO post VALUES (600, :'good');
DO $$
BEGIN
	INSERT INTO post VALUES (601, current_setting('test.bad'));
EXCEPTION WHEN check_violation THEN
	RAISE NOTICE '%', SQLERRM;
END $$;
DROP TABLE post;

-- settings of the session let nothing through
CREATE TABLE comment (body text, lower_body text GENERATED ALWAYS AS (lower(body)) STORED);
CREATE TRIGGER reject BEFORE INSERT ON comment FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=POSITIVE', 'threshold=0');
CREATE TRIGGER reject_all AFTER INSERT ON comment REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=POSITIVE', 'threshold=0');
\set VERBOSITY sqlstate
SET distilbert.long_text = error;
SET distilbert.on_error = 'null';
INSERT INTO comment VALUES (repeat('x ', 1000));
ALTER TABLE comment DISABLE TRIGGER reject;
INSERT INTO comment VALUES (repeat('x ', 1000));
RESET distilbert.on_error;
RESET distilbert.long_text;
\set VERBOSITY default
DROP TRIGGER reject ON comment;
DROP TRIGGER reject_all ON comment;

-- nor do generated columns, which BEFORE triggers do not see
CREATE TRIGGER reject BEFORE INSERT ON comment FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=lower_body', 'model=distilbert-sentiment', 'label=POSITIVE', 'threshold=0');
INSERT INTO comment VALUES ('x');
DROP TRIGGER reject ON comment;
CREATE TRIGGER reject AFTER INSERT ON comment FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=lower_body', 'model=distilbert-sentiment', 'label=POSITIVE', 'threshold=0');
\set VERBOSITY sqlstate
INSERT INTO comment VALUES ('x');
\set VERBOSITY default
SELECT count(*) FROM comment;
DROP TABLE comment;

-- types that are taken for text, as functions on text take them: one like citext, name, char(n), "char", domains over them
CREATE TYPE cistring;
SET client_min_messages = warning;
CREATE FUNCTION cistring_in(cstring) RETURNS cistring LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION cistring_out(cistring) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
RESET client_min_messages;
CREATE TYPE cistring (input = cistring_in, output = cistring_out, category = 'S', collatable = true);
CREATE CAST (cistring AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE DOMAIN short AS cistring CHECK (length(value) < 300);
CREATE DOMAIN shorter AS short;
CREATE DOMAIN chars AS char(300);
CREATE DOMAIN texts AS text[];
CREATE TABLE disguise (a cistring, b name, c char(300), d chars, e short, f shorter, g varchar, flag bool, label cistring, public shorter, score real,
	one "char", list text[], list2 texts, doc jsonb);
DO $$
DECLARE
	col text; same bool; n int := 0; terse name := left(current_setting('test.bad'), 60);
	moderate text := 'CREATE TRIGGER %s INSERT ON disguise %s EXECUTE FUNCTION
		distil_moderate(''column=%s'', ''model=distilbert-sentiment'', ''label=NEGATIVE'', %s)';
BEGIN
	FOREACH col IN ARRAY '{a,b,c,d,e,f,g}'::text[] LOOP
		EXECUTE format(moderate, 't1 BEFORE', 'FOR EACH ROW', col, '''action=flag'', ''target=score''');
		EXECUTE format(moderate, 't2 BEFORE', 'FOR EACH ROW', col, '''threshold=0'', ''action=mask'', ''target=public''');
		EXECUTE format('INSERT INTO disguise (%s) VALUES (%L), (''''), (NULL)', col, terse);
		EXECUTE format('SELECT bool_and(score IS NOT DISTINCT FROM distil_score(%1$s::text, ''distilbert-sentiment'', ''NEGATIVE'')
			AND public::text IS NOT DISTINCT FROM CASE WHEN %1$s::text IS NOT NULL THEN ''[removed]'' END) FROM disguise', col) INTO same;
		RAISE NOTICE '%: %', col, same;
		TRUNCATE disguise;
		DROP TRIGGER t1 ON disguise;
		DROP TRIGGER t2 ON disguise;
		EXECUTE format(moderate, 't1 AFTER', 'REFERENCING NEW TABLE AS new FOR EACH STATEMENT', col, '''threshold=0''');
		BEGIN
			EXECUTE format('INSERT INTO disguise (%s) VALUES (%L)', col, terse);
		EXCEPTION WHEN check_violation THEN n := n + 1;
		END;
		DROP TRIGGER t1 ON disguise;
	END LOOP;
	RAISE NOTICE '% rejected', n;
END $$;
-- targets, too: their domains are checked
CREATE TRIGGER t BEFORE INSERT ON disguise FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=a', 'model=distilbert-sentiment', 'label=NEGATIVE',
	'threshold=0', 'action=flag', 'target=label');
INSERT INTO disguise (a) VALUES ('x') RETURNING label;
DROP TRIGGER t ON disguise;
CREATE FUNCTION pg_temp.disguised(col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE msg text; hint text;
BEGIN
	EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON disguise FOR EACH ROW EXECUTE FUNCTION distil_moderate(''column=%s'',
		''model=distilbert-sentiment'', ''label=NEGATIVE'', ''threshold=0'', ''action=mask'', ''target=public'', ''mask=%s'')', col, repeat('x', 300));
	INSERT INTO disguise DEFAULT VALUES;
	EXECUTE format('INSERT INTO disguise (%s) VALUES (''x'')', col);
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS msg = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', msg, nullif(hint, ''));
END $$;
SELECT col, pg_temp.disguised(col) FROM unnest('{a,one,list,list2,doc,score}'::text[]) AS col;
DROP TABLE disguise;
DROP DOMAIN texts, chars, shorter, short;
DROP CAST (cistring AS text);
\set VERBOSITY terse
DROP TYPE cistring CASCADE;
\set VERBOSITY default

-- texts that a cast makes are not kept
CREATE TYPE long AS (n int);
CREATE TABLE peak (bytes bigint);
CREATE FUNCTION long_text(long) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO peak SELECT sum(total_bytes) FROM pg_backend_memory_contexts;
	RETURN rpad('good', 200000);
END $$;
CREATE CAST (long AS text) WITH FUNCTION long_text(long) AS IMPLICIT;
CREATE TABLE longs (body long);
CREATE TRIGGER m AFTER INSERT ON longs REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
INSERT INTO longs SELECT ROW(i)::long FROM generate_series(1, 100) AS i;
SELECT count(*), max(bytes) - min(bytes) < 8000000 AS few FROM peak;
DROP TABLE longs;

-- nor do casts that use the model get in the way of what is judged
CREATE OR REPLACE FUNCTION long_text(long) RETURNS text LANGUAGE sql AS
	$$ SELECT distil_sentiment_label('film ' || ($1).n, 'distilbert-sentiment') || ' film ' || ($1).n $$;
SELECT quote_literal('threshold=' || max(distil_score(long_text(ROW(i)::long), 'distilbert-sentiment', 'NEGATIVE'))) AS highest
FROM generate_series(1, 100) AS i \gset
CREATE TABLE longs (body long);
CREATE TRIGGER m AFTER INSERT ON longs REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', :highest);
SET distilbert.cache_size = 0;
\set VERBOSITY terse
INSERT INTO longs SELECT ROW(i)::long FROM generate_series(1, 100) AS i;
RESET distilbert.cache_size;
DROP TABLE longs, peak;
DROP TYPE long CASCADE;
\set VERBOSITY default

-- arguments that are wrong
CREATE TABLE wrong (id int, body text, t text, d date);
CREATE FUNCTION pg_temp.try(VARIADIC args text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE msg text; detail text; hint text;
BEGIN
	EXECUTE format('CREATE TRIGGER w BEFORE INSERT ON wrong FOR EACH ROW EXECUTE FUNCTION distil_moderate(%s)',
		(SELECT string_agg(quote_literal(a), ', ') FROM unnest(args) AS a));
	INSERT INTO wrong VALUES (1, 'x');
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS msg = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', msg, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT pg_temp.try('column=body');
SELECT pg_temp.try('model=distilbert-sentiment');
SELECT pg_temp.try('column=nothing', 'model=distilbert-sentiment');
SELECT pg_temp.try('column=id', 'model=distilbert-sentiment');
SELECT split_part(pg_temp.try('column=body', 'model=nobody'), ', or use', 1) AS try;
SELECT pg_temp.try('column=body', 'model=distilbert-sentiment');
SELECT pg_temp.try('column=body', 'model=distilbert-sentiment', 'label=nothing');
SELECT pg_temp.try('column=body', 'model=bert-ner', 'label=nothing');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'threshold=2');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'threshold=high');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'action=delete');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'action=flag');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'action=flag', 'target=d');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'action=reject', 'target=t');
SELECT pg_temp.try('column=body', 'model=distilbert-multilabel', 'color=red');
SELECT pg_temp.try('body');
SELECT pg_temp.try('column=body', 'model=bert-ner', 'column=t');
SELECT distil_moderate();
CREATE TRIGGER late AFTER INSERT ON wrong FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=bert-ner', 'action=mask');
INSERT INTO wrong VALUES (1, 'x');
DROP TRIGGER late ON wrong;
CREATE TRIGGER late AFTER INSERT ON wrong FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=bert-ner');
INSERT INTO wrong VALUES (1, 'x');
DROP TRIGGER late ON wrong;
CREATE TRIGGER late BEFORE DELETE ON wrong FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=bert-ner');
INSERT INTO wrong VALUES (1, 'x');
DELETE FROM wrong;
DROP TABLE wrong;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

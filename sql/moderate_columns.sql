-- distil_moderate: columns that a trigger's arguments name are not dropped without it, and new names are followed
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

CREATE TABLE forum (id int, body text, unkind real, shown text);
CREATE TRIGGER flag BEFORE INSERT OR UPDATE ON forum FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'action=flag', 'target=unkind');
CREATE TRIGGER reject AFTER INSERT ON forum REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
CREATE TRIGGER misspelt AFTER INSERT ON forum FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=bodi', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
CREATE TRIGGER misspelt BEFORE INSERT ON forum FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'action=flag', 'target=Unkind');
ALTER TABLE forum DROP COLUMN body;
ALTER TABLE forum DROP COLUMN unkind;
ALTER TABLE forum ALTER COLUMN body TYPE varchar;
ALTER TABLE forum DROP COLUMN shown;

-- names with quotes, and names that change places
ALTER TABLE forum RENAME COLUMN body TO "A text's \ body = ";
SELECT tgname, substring(pg_get_triggerdef(oid) FROM '\((.*)\)$') AS arguments FROM pg_trigger WHERE tgrelid = 'forum'::regclass ORDER BY tgname;
INSERT INTO forum VALUES (1, 'I hate it'), (2, 'love');
ALTER TABLE forum RENAME COLUMN "A text's \ body = " TO t;
ALTER TABLE forum RENAME COLUMN id TO body;
ALTER TABLE forum RENAME COLUMN unkind TO score;
ALTER TABLE forum RENAME TO forum2;
INSERT INTO forum2 VALUES (3, 'I hate it');
SELECT body, t, score IS NOT NULL AS scored FROM forum2 ORDER BY body;

-- a new definition of the trigger, in one session with the old
CREATE OR REPLACE TRIGGER flag BEFORE INSERT ON forum2 FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=t', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
ALTER TABLE forum2 DROP COLUMN t;
ALTER TABLE forum2 DROP COLUMN score;
BEGIN;
ALTER TABLE forum2 DROP COLUMN t CASCADE;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'forum2'::regclass;
INSERT INTO forum2 VALUES (4);
ROLLBACK;

-- columns go by other commands, too
CREATE DOMAIN short AS text;
ALTER TABLE forum2 ADD s short;
CREATE TRIGGER short BEFORE INSERT ON forum2 FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=s', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
DROP DOMAIN short;
DROP DOMAIN short CASCADE;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgrelid = 'forum2'::regclass;
DROP TABLE forum2;

-- partitions, those with other places of the columns and later ones; tables that inherit
CREATE TABLE page (id int, body text) PARTITION BY LIST (id);
CREATE TABLE page1 (body text, id int);
ALTER TABLE page ATTACH PARTITION page1 FOR VALUES IN (1);
CREATE TRIGGER m BEFORE INSERT ON page FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=0');
CREATE TABLE page2 PARTITION OF page FOR VALUES IN (2);
ALTER TABLE page RENAME COLUMN body TO t;
INSERT INTO page VALUES (1, NULL), (2, NULL);
\set VERBOSITY sqlstate
INSERT INTO page VALUES (1, 'hate');
INSERT INTO page VALUES (2, 'hate');
\set VERBOSITY default
ALTER TABLE page DROP COLUMN t;
ALTER TABLE page DETACH PARTITION page2;
ALTER TABLE page2 DROP COLUMN t;
CREATE TABLE general (body text);
CREATE TABLE special (id int) INHERITS (general);
CREATE TRIGGER m BEFORE INSERT ON special FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
ALTER TABLE general RENAME COLUMN body TO t;
ALTER TABLE general DROP COLUMN t;
INSERT INTO special VALUES ('love');
DROP TABLE page, page2, special, general;

-- a table of a type
CREATE TYPE note AS (id int, body text);
CREATE TABLE notes OF note;
CREATE TRIGGER m BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
ALTER TYPE note RENAME ATTRIBUTE body TO t CASCADE;
INSERT INTO notes VALUES (1, 'love');
DROP TABLE notes;
DROP TYPE note;

-- where no event trigger saw the trigger come, its first row tells
CREATE SCHEMA moderated CREATE TABLE t (body text)
	CREATE TRIGGER m BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
INSERT INTO moderated.t VALUES ('love');
ALTER TABLE moderated.t DROP COLUMN body;
\set VERBOSITY terse
DROP SCHEMA moderated CASCADE;
SELECT distilbert.moderated_columns();
SELECT distil_drop_model('distilbert-sentiment');

-- Checkpoints as a user meets them: what is there when nothing is, names, arguments, NULL.
-- test/t/035_resume.pl interrupts trainings.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SELECT model, rolname, command, epoch, epochs, step, steps, seconds, bytes, saved_at FROM distil_checkpoints;
SELECT pid, datid, datname, usesysid, usename, command, model, phase, epoch, epochs, step, steps, loss, "rows", memory_bytes,
	started_at, seconds, seconds_left, checkpoint_at FROM distil_progress WHERE datname = current_database();
SELECT distil_drop_checkpoint('nothing'), distil_drop_checkpoint(''), distil_drop_checkpoint('no/t/h ing'), distil_drop_checkpoint(NULL) IS NULL;
CREATE TEMP TABLE tickets AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body, i % 2 AS label
FROM generate_series(1, 8) i;

-- a training sees itself, in all phases but the last; its query may look
CREATE TEMP TABLE seen AS SELECT * FROM distil_progress WITH NO DATA;
CREATE FUNCTION look() RETURNS text LANGUAGE plpgsql AS
$$BEGIN INSERT INTO seen SELECT * FROM distil_progress WHERE pid = pg_backend_pid(); RETURN 'soup'; END$$;
\set VERBOSITY terse
SET client_min_messages = warning;
SELECT count(*) FROM distil_train('m', 'SELECT look(), label FROM tickets ORDER BY id', 'distilbert-base', epochs => 2, validation => 0);
SELECT DISTINCT datname = current_database() AS here, usename = current_user AS mine, command, model, phase, epoch, step, loss, "rows" < 8 AS not_all FROM seen;

-- without a checkpoint resume begins at the beginning
SELECT epoch, step FROM distil_train('m', 'SELECT body, label FROM tickets ORDER BY id', 'distilbert-base', epochs => 2,
	validation => 0, learning_rate => 0, dropout => 0, replace => true, resume => true);
SELECT distil_train('m', 'SELECT body, label FROM tickets ORDER BY id', 'distilbert-base', resume => NULL);
SELECT distil_train('m', 'SELECT body, label FROM tickets ORDER BY id', 'distilbert-base', resume => true);

-- settings
SHOW distilbert.checkpoint_interval;
SHOW distilbert.checkpoint_space;
\set VERBOSITY sqlstate
-- the message differs by version
SET distilbert.checkpoint_interval = '-1';
\set VERBOSITY default
SET distilbert.checkpoint_interval = '10 min';
SHOW distilbert.checkpoint_interval;
SET distilbert.checkpoint_interval = 0;
SELECT epoch, step FROM distil_train('m', 'SELECT body, label FROM tickets ORDER BY id', 'distilbert-base', epochs => 1, replace => true, resume => true);
DROP FUNCTION look();

-- models that come over the connection
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

-- the same content as from a directory, whatever the parts are and in whatever order they come
CREATE TABLE piece AS
	SELECT file, part, substring(data FROM (part - 1) * size + 1 FOR size) AS data
	FROM distil_export_model('distilbert-sentiment'), LATERAL (SELECT CASE WHEN length(data) > 5000 THEN 7001 ELSE 5000 END AS size) AS s,
		generate_series(1, (length(data) + size - 1) / size) AS part;
SELECT count(DISTINCT file) AS files, count(*) > 10 AS many FROM piece;
SELECT count(distil_upload_part('sent', file, part, data)) = count(*) AS all FROM (SELECT * FROM piece ORDER BY md5(file || part)) AS p;
SELECT name, uploader = current_user AS mine, files, parts = (SELECT count(*) FROM piece) AS all_parts, bytes = (SELECT sum(length(data)) FROM piece) AS all_bytes,
	first_part_at < last_part_at AS ordered FROM distil_uploads;
-- again, the same: what a client does that has lost its connection
SELECT bool_and(distil_upload_part('sent', file, part, data) = (SELECT sum(length(data)) FROM piece)) AS same FROM piece;
SELECT distil_upload_part('sent', 'config.json', 1, '{}');
SELECT name, task, labels FROM distil_upload_finish('sent');
SELECT count(*) AS left FROM distil_uploads;
SELECT a.sha256 = b.sha256 AND a.bytes = b.bytes AS same FROM distil_models a, distil_models b WHERE a.name = 'sent' AND b.name = 'distilbert-sentiment';
SELECT distil_sentiment('a lovely film', 'sent') = distil_sentiment('a lovely film', 'distilbert-sentiment') AS same;

-- the arguments of distil_load_model
SELECT bool_and(distil_upload_part('sent', file, part, data) > 0) FROM piece;
SELECT name FROM distil_upload_finish('sent');
SELECT bool_and(distil_upload_part('sent', file, part, data) > 0) FROM piece;
SELECT name FROM distil_upload_finish('sent', "precision" => 'int8');
SELECT name FROM distil_upload_finish('sent', task => 'entities', replace => true);
SELECT name FROM distil_upload_finish('sent', task => 'nothing');
SELECT name FROM distil_upload_finish('sent', "precision" => 'int4');
SELECT name, precision, task FROM distil_upload_finish('sent', "precision" => 'int8', replace => true, task => 'classify');
SELECT name FROM distil_upload_finish('sent');
SELECT count(*) AS left FROM distil_uploads;
SELECT distil_drop_model('sent');

-- parts that are missing, first, in between and last; nothing is half made, and sending goes on
SELECT count(distil_upload_part('sent', file, part, data)) > 0 AS sent FROM piece WHERE file <> 'config.json' AND NOT (file = 'model.safetensors' AND part IN (1, 4, 5, 6));
SELECT name FROM distil_upload_finish('sent');
SELECT distil_upload_part('sent', file, part, data) > 0 AS sent FROM piece WHERE file = 'model.safetensors' AND part = 1;
SELECT name FROM distil_upload_finish('sent');
SELECT distil_upload_part('sent', file, part, data) > 0 AS sent FROM piece WHERE file = 'model.safetensors' AND part IN (4, 5, 6);
SELECT name FROM distil_upload_finish('sent');
SELECT distil_upload_part('sent', file, part, data) > 0 AS sent FROM piece WHERE file = 'config.json';
BEGIN;
DELETE FROM distilbert.upload_part WHERE file = 'model.safetensors' AND part = (SELECT max(part) FROM piece WHERE file = 'model.safetensors');
\set VERBOSITY sqlstate
SELECT name FROM distil_upload_finish('sent');
\set VERBOSITY default
ROLLBACK;
SELECT count(*) FROM distil_models WHERE name = 'sent';
SELECT distil_upload_cancel('sent'), distil_upload_cancel('sent');

-- bad input
SELECT distil_upload_part('a b', 'config.json', 1, '');
SELECT distil_upload_part('sent', f, 1, '') FROM unnest(ARRAY['/etc/passwd']) AS f;
CREATE FUNCTION pg_temp.try(file text, part int, data bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN distil_upload_part('sent', file, part, data);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT f, pg_temp.try(f, 1, '') FROM unnest(ARRAY['', '..', '../x', 'a/../b', 'a/./b', 'a//b', 'a/', E'a\nb', 'a\b', '1_Pooling/config.json', '.gitattributes', NULL]) AS f;
SELECT left(pg_temp.try(repeat('x', 256), 1, ''), 40);
SELECT p, pg_temp.try('config.json', p, '') FROM unnest(ARRAY[0, -1, NULL, 2147483647]) AS p;
SELECT pg_temp.try('config.json', 1, NULL);
SELECT distil_upload_part('sent', 'config.json', 1, decode(repeat('00', 16 * 1024 * 1024 + 1), 'hex'));
SELECT distil_upload_part('sent', 'config.json', 1, decode(repeat('00', 16 * 1024 * 1024), 'hex')) - 16 * 1024 * 1024 AS more;
SELECT distil_upload_cancel('sent');
SELECT name FROM distil_upload_finish(NULL);
SELECT distil_upload_cancel(NULL);
SELECT name FROM distil_upload_finish('sentiment-en-v1');

-- a bound for all uploads
SET distilbert.upload_limit = '2MB';
SELECT distil_upload_part('one', 'a', 1, decode(repeat('00', 1024 * 1024), 'hex'));
SELECT distil_upload_part('two', 'a', 1, decode(repeat('00', 1024 * 1024 - 1), 'hex'));
SELECT distil_upload_part('two', 'a', 2, '\x0102');
SELECT distil_upload_part('two', 'a', 2, '\x01');
SELECT name, parts, bytes FROM distil_uploads ORDER BY name;
SELECT distil_upload_cancel('one'), distil_upload_cancel('two');
RESET distilbert.upload_limit;

-- abandoned ones go when somebody sends a part: a day after their last one
SELECT distil_upload_part('old', 'a', p, '\x01') FROM generate_series(1, 2) AS p;
SELECT distil_upload_part('late', 'a', p, '\x01') FROM generate_series(1, 2) AS p;
UPDATE distilbert.upload_part SET sent_at = sent_at - interval '25 hours' WHERE name = 'old' OR part = 1;
SELECT distil_upload_part('new', 'a', 1, '\x01');
SELECT name, parts FROM distil_uploads ORDER BY name;

-- everybody's are their own; who may do it
CREATE ROLE regress_uploader;
SET ROLE regress_uploader;
SELECT distil_upload_part('late', 'a', 1, '\x02');
SELECT * FROM distil_uploads;
RESET ROLE;
GRANT EXECUTE ON FUNCTION distil_upload_part, distil_upload_finish, distil_upload_cancel TO regress_uploader;
SET ROLE regress_uploader;
SELECT distil_upload_part('late', 'a', 1, '\x02');
SELECT name, uploader, parts FROM distil_uploads;
SELECT distil_upload_cancel('new'), distil_upload_cancel('late');
SET distilbert.upload_limit = 1;
RESET ROLE;
SELECT name, parts FROM distil_uploads ORDER BY name;
SELECT distil_upload_cancel(name) FROM distil_uploads ORDER BY name;
REVOKE ALL ON FUNCTION distil_upload_part, distil_upload_finish, distil_upload_cancel FROM regress_uploader;
DROP ROLE regress_uploader;

BEGIN READ ONLY;
SELECT distil_upload_part('late', 'a', 1, '\x02');
ROLLBACK;
DROP TABLE piece;
SELECT distil_drop_model('distilbert-sentiment');

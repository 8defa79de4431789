-- distil_load_model, distil_drop_model, distil_models and the pack files
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm -f distilbert/*.pack';
SET distilbert.model_path = :'fixtures';

-- the packs of this test's models, by the hash in their names
CREATE FUNCTION pg_temp.packs(prefix text) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_ls_dir('distilbert', true, false) AS f WHERE starts_with(f, prefix) AND f LIKE '%.pack'
$$;

-- a row says what was loaded, the view says the same
SELECT name, task, architecture, labels, layers, hidden_size, parameters, max_tokens,
	precision, bytes > parameters * 4 AS bytes, length(sha256) AS sha256, builtin,
	loaded_at BETWEEN now() AND clock_timestamp() AS loaded_at
FROM distil_load_model('first', 'distilbert-sentiment');
SELECT name, task, architecture, labels, builtin, loaded_at < now() AS loaded_at
FROM distil_models WHERE NOT builtin;
SELECT name, file, count(*) FROM distilbert.model_chunk GROUP BY name, file ORDER BY name, file;
SELECT loaded_by = current_user AS loaded_by FROM distilbert.model;

-- the same again: nothing happens; other content: only if told so
SELECT name, task FROM distil_load_model('first', 'distilbert-sentiment');
SELECT name, task FROM distil_load_model('first', 'distilbert-sentiment', replace => true);
SELECT name, task FROM distil_load_model('first', 'distilbert-stars');
SELECT name, task FROM distil_load_model('first', 'distilbert-sentiment', 'classify');
SELECT name, task, labels FROM distil_load_model('first', 'distilbert-stars', replace => true);
SELECT count(DISTINCT file) AS files FROM distilbert.model_chunk;

-- what each architecture is for, and what it can be loaded for
SELECT m, t.task, t.labels, t.max_tokens
FROM unnest('{bert-base-cased,bert-mlm,bert-ner,bert-sentence,distilbert-nli,distilbert-qa,distilbert-regression,distilbert-sharded,electra-base,electra-qa,electra-sentiment}'::text[]) AS m,
	LATERAL distil_load_model(m, m) AS t
ORDER BY m;
SELECT task, labels FROM distil_load_model('embedder', 'distilbert-sentiment', 'embed');
SELECT task, labels FROM distil_load_model('classifier', 'distilbert-sentiment', task => 'classify');
SELECT task FROM distil_load_model('x', 'distilbert-sentiment', 'entities');
SELECT task FROM distil_load_model('x', 'distilbert-base', 'classify');
SELECT task FROM distil_load_model('x', 'distilbert-nli', 'sentiment');
SELECT task FROM distil_load_model('x', 'distilbert-nli', 'summarize');

-- one content under two names: two rows, one pack, which the last one takes along
SELECT a.sha256 = b.sha256 AS same FROM distil_load_model('one', 'bert-sentiment3') AS a, distil_load_model('two', 'bert-sentiment3') AS b;
SELECT left(sha256, 16) AS one FROM distil_models WHERE name = 'one' \gset
SELECT distil_sentiment('a', 'one') = distil_sentiment('a', 'two') AS same;
SELECT distil_drop_model('one'), pg_temp.packs(:'one');
SELECT pg_temp.packs(:'one');
SELECT distil_drop_model('two');
SELECT pg_temp.packs(:'one');

-- names and arguments
SELECT name FROM distil_load_model('Org/model-1.0_a', 'distilbert-sentiment');
SELECT distil_load_model('', 'distilbert-sentiment');
SELECT distil_load_model('../x', 'distilbert-sentiment');
SELECT distil_load_model('a b', 'distilbert-sentiment');
SELECT distil_load_model(repeat('n', 64), 'distilbert-sentiment');
SELECT distil_load_model(NULL, 'distilbert-sentiment');
SELECT distil_load_model('x', NULL);
SELECT distil_load_model('x', '');
SELECT distil_load_model('x', 'no such folder');
SELECT distil_load_model('x', '../fixtures/distilbert-sentiment');
SELECT distil_load_model('x', 'distilbert-sentiment/config.json');
SET distilbert.model_path = 'relative';
SET distilbert.model_path = '';
SELECT distil_load_model('x', 'distilbert-sentiment');
SET distilbert.model_path = :'fixtures';
SET distilbert.long_text = 'ignore';
SET distilbert.no_such_setting = 1;

-- unknown models
SELECT distil_sentiment('a', 'Org/modle-1.0_a');
SELECT distil_drop_model('embeder');
SELECT distil_drop_model('embeder', if_exists => true);
SELECT distil_drop_model(NULL);
SELECT distil_drop_model('classifier');
SELECT distil_sentiment('a', '');

-- a transaction sees its own load, and nothing of it stays after ROLLBACK
BEGIN;
SELECT left(sha256, 16) AS multi FROM distil_load_model('multi', 'distilbert-multilabel') \gset
SELECT distil_classify('a', 'multi') IS NOT NULL AS answers, pg_temp.packs(:'multi');
ROLLBACK;
SELECT distil_classify('a', 'multi');
SELECT count(*) FROM distilbert.model_chunk WHERE name = 'multi';
SELECT pg_temp.packs(:'multi');

-- nor after ROLLBACK TO
BEGIN;
SAVEPOINT a;
SELECT name FROM distil_load_model('multi', 'distilbert-multilabel');
SELECT distil_classify('a', 'multi') IS NOT NULL AS answers;
ROLLBACK TO a;
SELECT pg_temp.packs(:'multi');
SAVEPOINT b;
SELECT name FROM distil_load_model('multi', 'distilbert-multilabel');
SELECT distil_classify('a', 'multi') IS NOT NULL AS answers;
RELEASE b;
COMMIT;
SELECT distil_classify('a', 'multi') IS NOT NULL AS answers, pg_temp.packs(:'multi');

-- a drop that is rolled back has not happened
BEGIN;
SELECT distil_drop_model('multi');
SELECT distil_classify('a', 'multi');
ROLLBACK;
SELECT distil_classify('a', 'multi') IS NOT NULL AS answers, pg_temp.packs(:'multi');

-- a statement keeps to its snapshot: the old content for a cursor that is open
BEGIN;
SELECT distil_sentiment('a', 'first') AS before \gset
DECLARE c CURSOR FOR SELECT distil_sentiment(b, 'first') = :'before'::real AS old FROM (VALUES ('a'), ('a'), ('a')) AS v (b);
FETCH 1 FROM c;
SELECT name FROM distil_load_model('first', 'distilbert-sentiment', replace => true);
SELECT distil_sentiment('a', 'first') = :'before'::real AS old;
FETCH 2 FROM c;
ROLLBACK;
BEGIN ISOLATION LEVEL REPEATABLE READ;
DECLARE c CURSOR FOR SELECT distil_sentiment(b, 'first') = :'before'::real AS old FROM (VALUES ('a'), ('a')) AS v (b);
SELECT distil_drop_model('first');
FETCH 1 FROM c;
ROLLBACK;

-- constants are folded with the snapshot from before the load; exceptions caught
DO $$
DECLARE
	score real;
BEGIN
	FOR i IN 1 .. 3 LOOP
		BEGIN
			PERFORM distil_load_model('again', 'bert-sentiment3');
			score := distil_sentiment('a', 'again');
			RAISE EXCEPTION 'undo %', i;
		EXCEPTION WHEN raise_exception THEN
			RAISE NOTICE '% after a score of %', sqlerrm, pg_typeof(score);
		END;
	END LOOP;
	RAISE NOTICE 'still there: %', EXISTS (SELECT FROM distil_models WHERE name = 'again');
END $$;
SELECT pg_temp.packs(:'one');

-- packs are a cache: lost, empty and damaged ones are made again
SELECT sha256 AS hash, distil_sentiment('lost and found', name) AS score FROM distil_models WHERE name = 'first' \gset
SELECT set_config('test.pack', f, false) ~ :'hash' AS found FROM pg_ls_dir('distilbert') AS f WHERE starts_with(f, :'hash');
CREATE FUNCTION write_file(path text, content bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	lo oid := lo_from_bytea(0, content);
BEGIN
	PERFORM lo_export(lo, path);
	PERFORM lo_unlink(lo);
END $$;
SELECT 'distilbert/' || current_setting('test.pack') AS pack \gset
SELECT pg_read_binary_file(:'pack') AS good \gset
\c -
SELECT write_file(:'pack', '');
SELECT distil_sentiment('lost and found', 'first') = :'score'::real AS same,
	pg_read_binary_file(:'pack') = :'good' AS rebuilt;
\c -
SELECT write_file(:'pack', substr(:'good'::bytea, 1, length(:'good'::bytea) / 2));
SELECT distil_sentiment('lost and found', 'first') = :'score'::real AS same,
	pg_read_binary_file(:'pack') = :'good' AS rebuilt;
\c -
SELECT write_file(:'pack', overlay(:'good'::bytea PLACING '\xffffffffffffffff' FROM 65));
SELECT write_file(:'pack' || '.1.tmp', 'left behind by a builder that died');
SELECT distil_sentiment('lost and found', 'first') = :'score'::real AS same,
	pg_read_binary_file(:'pack') = :'good' AS rebuilt;
SELECT count(*) AS left_behind FROM pg_ls_dir('distilbert') AS f WHERE f LIKE '%.tmp';
DROP FUNCTION write_file;

-- rows that somebody tampered with are not served under their old hash
\c -
UPDATE distilbert.model_chunk SET data = set_byte(data, 50000, 1 + get_byte(data, 50000) % 2) WHERE name = 'first' AND file = 'model.safetensors';
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm -f distilbert/*.pack';
SELECT distil_sentiment('a', 'first');
SELECT count(*) AS packs FROM pg_ls_dir('distilbert') AS f WHERE f LIKE '%.pack';
DELETE FROM distilbert.model_chunk WHERE name = 'first' AND file = 'model.safetensors';
SELECT distil_sentiment('a', 'first');
DELETE FROM distilbert.model WHERE name = 'first';
SELECT distil_sentiment('a', 'first');

-- read-only transactions
BEGIN READ ONLY;
SELECT distil_load_model('x', 'distilbert-sentiment');
ROLLBACK;
BEGIN READ ONLY;
SELECT distil_drop_model('embedder');
ROLLBACK;

SELECT name, distil_drop_model(name) FROM distil_models WHERE NOT builtin ORDER BY name;
DELETE FROM distilbert.model_chunk WHERE name = 'first';
SELECT (SELECT count(*) FROM distilbert.model) AS rows, (SELECT count(*) FROM distilbert.model_chunk) AS chunks;

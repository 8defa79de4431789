-- Pretraining: texts without labels teach a model to fill masks.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-mlm bert-mlm-untied distilbert-base bert-sentence bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE notes (id int, body text, n int);
INSERT INTO notes SELECT i, 'the soup was warm and the film was long', i FROM generate_series(1, 50) i;

-- a model learns what it reads, and fills masks then
CREATE TEMP TABLE log AS SELECT * FROM distil_pretrain('cook', 'SELECT body FROM notes', 'distilbert-mlm',
	epochs => 40, learning_rate => 0.01, batch_size => 10, dropout => 0);
SELECT count(*), max(step), array_agg(DISTINCT metric) AS metrics, bool_and(value BETWEEN 0 AND 1) AS shares,
	max(train_loss) FILTER (WHERE epoch > 35) < max(train_loss) / 4 AS learnt,
	max(eval_loss) FILTER (WHERE epoch > 35) < max(eval_loss) / 4 AS holds,
	bool_and(value > 0.8) FILTER (WHERE epoch > 35) AS right
FROM log;
SELECT token, mask FROM distil_fill_mask('the [MASK] was warm and the [MASK] was long', 'cook', 1);
SELECT name, task, architecture, labels, layers, "precision", builtin FROM distil_models WHERE name = 'cook';
SELECT file, length(data) > 100 FROM distil_export_model('cook');
SELECT key, value FROM distil_export_model('cook'), jsonb_each(convert_from(data, 'UTF8')::jsonb)
WHERE file = 'config.json' AND key IN ('architectures', 'id2label', 'problem_type', 'dtype', 'tie_word_embeddings') ORDER BY key;

-- any base: another family, an output layer of its own, without a head, with another one
SELECT base, (SELECT count(*) FROM distil_pretrain('of-' || base, 'SELECT body FROM notes', base, epochs => 2, validation => 0)) AS rows
FROM unnest('{bert-mlm-untied,distilbert-base,bert-sentence,bert-ner}'::text[]) AS base;

SELECT name, architecture, (SELECT count(*) FROM distil_fill_mask('the [MASK] was warm', name)) FROM distil_models WHERE name LIKE 'of-%' ORDER BY name;

-- the same seed gives the same model, another one another; whole words are another task
SELECT count(*) FROM distil_pretrain('a', 'SELECT body FROM notes', 'distilbert-mlm');
SELECT count(*) FROM distil_pretrain('b', 'SELECT body FROM notes', 'distilbert-mlm');
SELECT count(*) FROM distil_pretrain('c', 'SELECT body FROM notes', 'distilbert-mlm', seed => 7);
SELECT count(*) FROM distil_pretrain('d', 'SELECT body FROM notes', 'distilbert-mlm', whole_word => true);
SELECT count(*) FROM distil_pretrain('e', 'SELECT body FROM notes', 'distilbert-mlm', mask_share => 0.5);
SELECT count(DISTINCT sha256), (SELECT sha256 FROM distil_models WHERE name = 'a') = (SELECT sha256 FROM distil_models WHERE name = 'b') AS same
FROM distil_models WHERE name IN ('a', 'b', 'c', 'd', 'e');

-- a base for what follows: its encoder is taken, its head is not
SELECT count(*) FROM distil_train('next', 'SELECT body, n % 2 FROM notes', 'cook', epochs => 1);
SELECT architecture, labels FROM distil_models WHERE name = 'next';
SELECT count(*) FROM distil_pretrain('again', 'SELECT body FROM notes', 'next', epochs => 1);
SELECT array_length(distil_embed('soup', 'cook'), 1);

-- early stopping: nothing can get better where nothing is learnt
SELECT count(*) FROM distil_pretrain('stopped', 'SELECT body FROM notes', 'distilbert-mlm', epochs => 9, learning_rate => 0,
	early_stopping => 2);

-- all of a long text is read, in pieces that begin where words do; what is left out is told
SET client_min_messages = notice;
DO $$ BEGIN PERFORM distil_pretrain('long', 'SELECT repeat(''soup '', 100)', 'distilbert-mlm', max_tokens => 12, validation => 0, learning_rate => 0); END $$;
DO $$ BEGIN PERFORM distil_pretrain('long', 'SELECT repeat(''soup '', 10) FROM generate_series(1, 20)', 'distilbert-mlm', max_tokens => 7,
	validation => 0.1, learning_rate => 0, epochs => 1, mask_share => 0.99, replace => true); END $$;
DO $$ BEGIN PERFORM distil_pretrain('odd', $q$SELECT b::varchar(100000) FROM (VALUES (''), (NULL), ('soup'), ('[MASK]'), (repeat('x', 5000))) v (b)$q$,
	'distilbert-mlm', validation_query => 'SELECT ''film''', learning_rate => 0); END $$;
SET client_min_messages = warning;

-- refused: rows
SELECT distil_pretrain('x', 'SELECT body FROM notes WHERE false', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT NULL::text FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT '''' FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', validation_query => 'SELECT NULL::text');
SELECT distil_pretrain('x', 'SELECT id FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT body, id FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT body FROM no_such_table', 'distilbert-mlm');
SELECT distil_pretrain('x', '', 'distilbert-mlm');

-- refused: arguments
SELECT distil_pretrain(NULL, 'SELECT body FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', NULL, 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT body FROM notes', NULL);
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'no-such-model');
SELECT distil_pretrain('cook', 'SELECT body FROM notes', 'distilbert-mlm');
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', mask_share => 1);
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', epochs => 0);
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', whole_word => NULL);
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', early_stopping => 1, validation => 0);

-- refused: a base whose vocabulary has no [MASK]
SET regress.fixtures = :'fixtures';
DO $$
DECLARE
	dir text := current_setting('data_directory') || '/distilbert_no_mask';
BEGIN
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', format(
		'cat >/dev/null; cp -r "%1$s/distilbert-base" "%2$s" && sed -i "s/^.MASK.$/masked/" "%2$s/vocab.txt"',
		current_setting('regress.fixtures'), dir));
	PERFORM distil_load_model('no-mask', dir);
	EXECUTE format('COPY (SELECT) TO PROGRAM %L', format('cat >/dev/null; rm -r "%s"', dir));
END $$;
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'no-mask');

-- refused: memory
SET distilbert.train_memory = '1MB';
SELECT distil_pretrain('x', 'SELECT body FROM notes', 'distilbert-mlm', batch_tokens => 1048576, batch_size => 4096);
RESET distilbert.train_memory;

-- undone with the transaction; others may not
BEGIN;
SELECT count(*) FROM distil_pretrain('gone', 'SELECT body FROM notes', 'distilbert-mlm');
ROLLBACK;
SELECT count(*) FROM distil_models WHERE name IN ('x', 'gone');
CREATE ROLE regress_distil_trainer;
SET ROLE regress_distil_trainer;
SELECT distil_pretrain('x', 'SELECT ''soup''', 'distilbert-mlm');
RESET ROLE;
DROP ROLE regress_distil_trainer;
SELECT bool_and(distil_drop_model(name)) AS dropped FROM distil_models WHERE NOT builtin;

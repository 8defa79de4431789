-- Pretraining: texts without labels teach a model to fill masks.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-mlm bert-mlm bert-mlm-untied distilbert-base bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE notes AS
	SELECT 'the soup was warm and the film was long' AS body FROM generate_series(1, 50);

-- a model learns what it reads
CREATE TEMP TABLE log AS SELECT * FROM distil_pretrain('cook', 'SELECT body FROM notes', 'distilbert-mlm',
	epochs => 30, learning_rate => 0.01, batch_size => 10, dropout => 0);
SELECT count(*), max(step), array_agg(DISTINCT metric) AS metrics, bool_and(value BETWEEN 0 AND 1) AS share,
	min(train_loss) FILTER (WHERE epoch > 25) < max(train_loss) / 4 AS learnt,
	min(eval_loss) FILTER (WHERE epoch > 25) < max(eval_loss) / 4 AS holds
FROM log;
SELECT token, mask FROM distil_fill_mask('the [MASK] was warm and the [MASK] was long', 'cook', 1);
SELECT name, task, architecture, labels, layers, "precision", builtin FROM distil_models WHERE name = 'cook';

-- Distillation of models that fill masks, as DistilBERT came about.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-mlm bert-mlm-untied distilbert-base bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE notes (id int, body text);
INSERT INTO notes SELECT i, CASE i % 2 WHEN 0 THEN 'the soup was warm and the film was long' ELSE 'a fresh bread and a good film' END
FROM generate_series(1, 60) i;

-- a teacher, and a student of half its layers
SELECT count(*) FROM distil_pretrain('cook', 'SELECT body FROM notes', 'distilbert-mlm', epochs => 40, learning_rate => 0.01, batch_size => 10, dropout => 0);
CREATE TEMP TABLE log AS SELECT * FROM distil_distill('small', teacher => 'cook', query => 'SELECT body FROM notes', epochs => 12,
	learning_rate => 0.01, batch_size => 10, dropout => 0, validation => 0.3, min_quality => 0.8);
SELECT count(*), array_agg(DISTINCT metric) AS metrics, min(teacher_value) = max(teacher_value) AND min(teacher_value) > 0.7 AS teacher,
	(array_agg(value ORDER BY epoch DESC))[1] > 0.7 AS student,
	(array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] / 2 AS learnt,
	(array_agg(eval_loss ORDER BY epoch DESC))[1] < (array_agg(eval_loss ORDER BY epoch))[1] AS holds
FROM log;
SELECT s.layers, t.layers AS teacher_layers, s.architecture, s.task, s.labels FROM distil_models s, distil_models t WHERE s.name = 'small' AND t.name = 'cook';
SELECT token, mask FROM distil_fill_mask('the [MASK] was warm and the [MASK] was long', 'small', 1);

-- who begins as the teacher knows what it says: nothing of the soft loss is left, nothing of the cosine's
SELECT train_loss < 0.01 AS starts_as_teacher, abs(value - teacher_value) < 0.05 AS as_good FROM distil_distill('same', 'cook', 'SELECT body FROM notes', layers => 2,
	epochs => 1, learning_rate => 0, dropout => 0, alpha_hard => 0);
SELECT train_loss > 0.1 AS true_tokens FROM distil_distill('same', 'distilbert-mlm', 'SELECT body FROM notes', layers => 2,
	epochs => 1, learning_rate => 0, dropout => 0, alpha_hard => 1, alpha_soft => 0, alpha_cosine => 0, replace => true);

-- masks are the same in all epochs: without learning and dropout nothing changes
SELECT count(*), count(DISTINCT eval_loss), max(train_loss) - min(train_loss) < 1e-4 AS same_masks FROM distil_distill('same', 'distilbert-mlm', 'SELECT body FROM notes',
	learning_rate => 0, dropout => 0, batch_size => 1, replace => true);

-- the same seed gives the same student, another one another
SELECT count(*) FROM distil_distill('a', 'distilbert-mlm', 'SELECT body FROM notes', epochs => 2);
SELECT count(*) FROM distil_distill('b', 'distilbert-mlm', 'SELECT body FROM notes', epochs => 2);
SELECT count(*) FROM distil_distill('c', 'distilbert-mlm', 'SELECT body FROM notes', epochs => 2, seed => 7);
SELECT count(DISTINCT sha256), (SELECT sha256 FROM distil_models WHERE name = 'a') = (SELECT sha256 FROM distil_models WHERE name = 'b') AS same
FROM distil_models WHERE name IN ('a', 'b', 'c');

-- other students and teachers: narrower, of all hidden states, of another base; an output layer of its own
SELECT count(*), (array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] AS learns
FROM distil_distill('narrow', 'distilbert-mlm', 'SELECT body FROM notes', layers => 2, hidden => 8, alpha_hidden => 1, alpha_attention => 1, epochs => 6,
	learning_rate => 0.01, dropout => 0);
SELECT count(*) FROM distil_distill('untied', 'bert-mlm-untied', 'SELECT body FROM notes', epochs => 2);
SELECT count(*) FROM distil_distill('untied8', 'bert-mlm-untied', 'SELECT body FROM notes', hidden => 8, epochs => 2);
SELECT count(*) FROM distil_distill('based', 'distilbert-mlm', 'SELECT body FROM notes', base => 'distilbert-base', layers => 1, epochs => 2);
SELECT name, architecture, layers, hidden_size, (SELECT count(*) FROM distil_fill_mask('the [MASK] was warm', name)) AS fills
FROM distil_models WHERE name IN ('narrow', 'untied', 'untied8', 'based') ORDER BY name;

-- a base for what follows
SELECT count(*) FROM distil_train('next', 'SELECT body, id % 2 FROM notes', 'small', epochs => 1);
SELECT architecture, layers FROM distil_models WHERE name = 'next';

-- all of a long text is read, in pieces; what is left out is told
SET client_min_messages = notice;
DO $$ BEGIN PERFORM distil_distill('long', 'distilbert-mlm', $q$SELECT b FROM (VALUES (''), (NULL), ('soup'), ('[MASK]'), (repeat('soup ', 100))) v (b)$q$,
	max_tokens => 12, validation => 0, learning_rate => 0, epochs => 1); END $$;
SET client_min_messages = warning;

-- refused
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT body, id FROM notes');
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT id FROM notes');
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT body FROM notes LIMIT 0');
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT ''''');
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT body FROM notes', base => 'bert-ner', alpha_cosine => 0);
SELECT distil_distill('x1', 'cook', 'SELECT body FROM notes', layers => 1, hidden => 8, epochs => 1, learning_rate => 0, min_quality => 0.99);
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT body FROM notes', alpha_soft => 0, alpha_hard => 0, alpha_cosine => 0);
SET distilbert.train_memory = '1MB';
SELECT distil_distill('x1', 'distilbert-mlm', 'SELECT body FROM notes');
RESET distilbert.train_memory;
SELECT count(*) FROM distil_models WHERE name = 'x1';

SELECT distil_drop_model(name) FROM distil_models
WHERE name IN ('cook', 'small', 'same', 'a', 'b', 'c', 'narrow', 'untied', 'untied8', 'based', 'next', 'long') ORDER BY name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

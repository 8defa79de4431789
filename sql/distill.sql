-- Distillation: what a student is, what it learns, what is refused.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base distilbert-sentiment bert-sentiment3 distilbert-multilabel distilbert-regression bert-ner bert-base-cased distilbert-mlm bert-sentence bert-cls distilbert-dense'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE tickets (id int, body text, team text, tags text[], stars int);
INSERT INTO tickets VALUES
	(1, 'the film was a delight', 'film', '{good,film}', 5), (2, 'warm soup and fresh bread', 'food', '{good}', 4),
	(3, 'the film was too long', 'film', '{bad,film}', 2), (4, 'cold soup, worst meal ever', 'food', '{bad}', 1),
	(5, 'a film about nothing', 'film', '{film}', 3), (6, 'soup of the day', 'food', '{}', 3),
	(7, 'what a film', 'film', '{film}', 5), (8, 'more soup please', 'food', '{good}', 5);
CREATE TEMP VIEW texts AS SELECT a.body || ' ' || b.body AS body FROM tickets a, tickets b;

-- a teacher, and a student of half its layers from texts without labels
SELECT count(*) FROM distil_train('team', 'SELECT body, team FROM tickets', 'bert-base-cased',
	epochs => 30, learning_rate => 0.01, batch_size => 4, dropout => 0, validation => 0);
CREATE TEMP TABLE log AS SELECT * FROM distil_distill('small', 'team', 'SELECT body FROM texts', epochs => 8, learning_rate => 0.005,
	dropout => 0, min_quality => 0.9);
SELECT count(*), max(epoch), bool_and(metric = 'agreement'), bool_and(teacher_value = 1), (array_agg(value ORDER BY epoch DESC))[1] >= 0.9 AS agrees,
	(array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] / 2 AS learnt,
	bool_and(eval_loss > 0 AND seconds >= 0)
FROM log;
SELECT s.layers, t.layers AS teacher_layers, s.parameters < t.parameters AS smaller, s.labels = t.labels AS same_labels, s.architecture, s.task
FROM distil_models s, distil_models t WHERE s.name = 'small' AND t.name = 'team';
SELECT count(*) FILTER (WHERE distil_classify(body, 'small') = distil_classify(body, 'team')) * 10 >= count(*) * 9 AS agrees FROM texts;
SELECT train_loss < 0.05 AS starts_as_teacher FROM distil_distill('same', 'team', 'SELECT body FROM tickets', layers => 2, epochs => 1,
	learning_rate => 0, dropout => 0, validation => 0);

-- the same seed gives the same student
SELECT count(*) FROM distil_distill('small2', 'team', 'SELECT body FROM texts', epochs => 8, learning_rate => 0.005, dropout => 0);
SELECT a.sha256 = b.sha256 AS same FROM distil_models a, distil_models b WHERE a.name = 'small' AND b.name = 'small2';

-- labels: of all rows, of some, of validation alone
SELECT metric, bool_and(teacher_value = 1) FROM distil_distill('x', 'team', 'SELECT body, team FROM tickets', epochs => 2, validation => 0.3, replace => true) GROUP BY 1;
SELECT metric, bool_and(teacher_value = 1) FROM distil_distill('x', 'team', $$SELECT body, CASE WHEN id % 2 = 0 THEN team END FROM tickets$$, epochs => 2,
	validation_query => 'SELECT body, team FROM tickets', replace => true) GROUP BY 1;
SELECT metric, min(teacher_value), bool_and(abs(value - 1) < 0.6) FROM distil_distill('x', 'team', 'SELECT body FROM texts', epochs => 1,
	validation_query => $$SELECT body, CASE team WHEN 'film' THEN 'food' ELSE team END FROM tickets$$, replace => true) GROUP BY 1;
SELECT metric FROM distil_distill('x', 'team', 'SELECT body, NULL FROM texts', epochs => 1, alpha_hard => 3, replace => true);

-- other students: narrower, of another vocabulary, of hidden states after each layer
SELECT count(*), (array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] AS learns
FROM distil_distill('narrow', 'team', 'SELECT body FROM texts', layers => 2, hidden => 16, alpha_hidden => 1, epochs => 6, learning_rate => 0.01, dropout => 0);
SELECT layers, hidden_size, labels FROM distil_models WHERE name = 'narrow';
SELECT count(*) FROM distil_distill('other', 'team', 'SELECT body FROM texts', base => 'distilbert-base', layers => 1, epochs => 2);
SELECT layers, labels, architecture FROM distil_models WHERE name = 'other';
SELECT count(*) FROM distil_distill('x', 'team', 'SELECT body FROM tickets', alpha_hidden => 1, alpha_cosine => 0, epochs => 1, replace => true);
SELECT distil_classify('warm soup', 'x') IS NOT NULL;
SELECT count(*), (array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] AS learns
FROM distil_distill('x', 'team', 'SELECT body FROM texts', layers => 2, hidden => 16, alpha_hidden => 1, alpha_attention => 1, epochs => 6,
	learning_rate => 0.01, dropout => 0, replace => true);

-- other teachers: several labels, a number, tokens, pairs of texts
SELECT metric, count(*), bool_and(value BETWEEN 0 AND 1) FROM distil_distill('tags', 'distilbert-multilabel', 'SELECT body FROM texts', epochs => 2) GROUP BY 1;
SELECT s.labels = t.labels AS same_labels FROM distil_models s, distil_models t WHERE s.name = 'tags' AND t.name = 'distilbert-multilabel';
SELECT metric, count(*), bool_and(value <= 1) FROM distil_distill('number', 'distilbert-regression', 'SELECT body FROM texts', epochs => 2) GROUP BY 1;
SELECT metric, min(teacher_value) > 0 FROM distil_distill('x', 'distilbert-regression', 'SELECT body, stars FROM tickets', epochs => 1, replace => true) GROUP BY 1;
SELECT metric, count(*), bool_and(value BETWEEN 0 AND 1) FROM distil_distill('ner', 'bert-ner', 'SELECT body FROM texts', epochs => 2) GROUP BY 1;
SELECT architecture, layers FROM distil_models WHERE name = 'ner';
-- texts given in words, without tags or with some
SELECT metric, count(*) FROM distil_distill('x', 'bert-ner', $$SELECT string_to_array(body, ' '), NULL::text[] FROM texts$$, epochs => 1, replace => true) GROUP BY 1;
SELECT metric, count(*) FROM distil_distill('x', 'bert-ner', $$SELECT string_to_array(body, ' '), CASE WHEN id = 1 THEN '{O,B-PER,O,O,O}'::text[] END FROM tickets$$,
	epochs => 1, replace => true, validation_query => $$SELECT ARRAY['Anna', 'left'], ARRAY['B-PER', 'O']$$) GROUP BY 1;
SELECT count(*) FROM distil_distill('x', 'bert-sentiment3', 'SELECT a.body, b.body, NULL FROM tickets a, tickets b', epochs => 1, replace => true);
SELECT task, labels FROM distil_models WHERE name = 'x';

-- embeddings: vectors near the teacher's
SELECT metric, count(*), (array_agg(value ORDER BY epoch DESC))[1] > 0.9 AS near, min(teacher_value) FROM distil_distill('vectors', 'bert-sentence', 'SELECT body FROM texts',
	epochs => 6, learning_rate => 0.005, dropout => 0) GROUP BY 1;
SELECT task, layers, dimensions FROM distil_models WHERE name = 'vectors';
SELECT avg(distilbert.cosine(distil_embed(body, 'vectors'), distil_embed(body, 'bert-sentence'))) > 0.9 AS near FROM texts;
SELECT count(*) FROM distil_distill('x', 'bert-sentence', 'SELECT body FROM texts', base => 'bert-cls', alpha_cosine => 0, epochs => 1, replace => true);
SELECT task, layers, dimensions FROM distil_models WHERE name = 'x';
SELECT count(*) FROM distil_distill('x', 'bert-cls', 'SELECT body FROM texts', alpha_hidden => 1, alpha_attention => 1, epochs => 1, replace => true);
SELECT task, layers, dimensions FROM distil_models WHERE name = 'x';
SELECT distil_distill('x1', 'distilbert-dense', 'SELECT body FROM texts');
SELECT distil_distill('x1', 'bert-cls', 'SELECT body FROM texts', hidden => 8);
SELECT distil_distill('x1', 'bert-cls', 'SELECT body, team FROM tickets');

-- the gate: no model but an error
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', layers => 1, hidden => 8, epochs => 1, learning_rate => 0, min_quality => 1,
	validation_query => $$SELECT body, team FROM tickets$$);
SELECT count(*) FROM distil_models WHERE name = 'x1';
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', min_quality => 0.97, validation => 0);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', min_quality => 97);

-- refused
SELECT distil_distill('x1', 'teem', 'SELECT body FROM texts');
SELECT distil_distill('small', 'team', 'SELECT body FROM texts');
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', layers => 3);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', layers => 0);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', hidden => 15);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', hidden => 16, base => 'distilbert-base');
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', base => 'distilbert-base', alpha_cosine => 1);
SELECT distil_distill('x1', 'bert-ner', 'SELECT body FROM texts', base => 'distilbert-base');
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', base => 'no-such-model');
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts LIMIT 0');
SELECT distil_distill('x1', 'team', 'SELECT NULL::text FROM texts');
SELECT distil_distill('x1', 'team', 'SELECT id FROM tickets');
SELECT distil_distill('x1', 'team', 'SELECT body, team, team, team FROM tickets');
SELECT distil_distill('x1', 'team', 'SELECT body, tags FROM tickets');
SELECT distil_distill('x1', 'team', $$SELECT body, 'drink' FROM tickets$$);
SELECT distil_distill('x1', 'distilbert-multilabel', 'SELECT body, team FROM tickets');
SELECT distil_distill('x1', 'distilbert-regression', 'SELECT body, team FROM tickets');
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', alpha_soft => 0, alpha_cosine => 0);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', alpha_soft => 0, alpha_hard => 0, alpha_cosine => 0);
SELECT distil_distill('x1', 'team', 'SELECT body FROM texts', temperature => 0);
SELECT distil_distill('x1', NULL, 'SELECT body FROM texts');
SELECT distil_distill('x1', 'team', NULL);
SET distilbert.train_memory = '1MB';
SELECT distil_distill('x1', 'team', $$SELECT repeat('soup ', 60) FROM generate_series(1, 10000) i$$);
RESET distilbert.train_memory;
CREATE ROLE regress_distil_trainer;
SET ROLE regress_distil_trainer;
SELECT distil_distill('x1', 'team', 'SELECT 1::text');
RESET ROLE;
DROP ROLE regress_distil_trainer;

-- texts of any kind; what is told
SELECT count(*) FROM distil_distill('odd', 'team', $$SELECT b FROM (VALUES (''), (repeat('soup ', 10000)), ('x'), (NULL)) v (b)$$, epochs => 1);
SET client_min_messages = notice;
SELECT count(*) FROM distil_distill('x', 'team', 'SELECT body FROM tickets', epochs => 1, learning_rate => 0, layers => 2, dropout => 0, replace => true);
SET client_min_messages = warning;

SELECT distil_drop_model(name) FROM distil_models
WHERE name IN ('team', 'small', 'small2', 'same', 'x', 'narrow', 'other', 'tags', 'number', 'ner', 'odd', 'vectors') ORDER BY name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

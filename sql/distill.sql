-- Distillation: what a student is, what it learns, what is refused.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base distilbert-sentiment bert-sentiment3 distilbert-multilabel distilbert-regression bert-ner bert-base-cased distilbert-qa distilbert-mlm'
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

-- Distillation of models that find answers.  Figures depend on the processor's last bits, so
-- they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-qa distilbert-base bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE questions (id int, question text, context text);
INSERT INTO questions
SELECT i, (ARRAY['Who is warm?', 'Where is Anna?', 'What was long?'])[i % 3 + 1],
	(ARRAY['Anna is in Berlin', 'the soup was warm', 'the film was long and good', 'a fresh bread', 'he lives in Paris with Anna'])[i % 5 + 1]
FROM generate_series(1, 60) i;

-- who begins as the teacher knows what it says: nothing of the soft loss is left, and it finds the same answers
SELECT train_loss < 1e-5 AS starts_as_teacher, metric, value, teacher_value
FROM distil_distill('same', 'distilbert-qa', 'SELECT question, context FROM questions', layers => 2, epochs => 1, learning_rate => 0, dropout => 0);
SELECT count(*) > 20 AS some, bool_and(a.answer = b.answer AND abs(a.score - b.score) < 1e-5) AS same
FROM questions, LATERAL distil_answer(question, context, 'distilbert-qa') AS a, LATERAL distil_answer(question, context, 'same') AS b;

-- a student of half the layers; a narrow one, which begins at random, with all that can be compared; one of another base
CREATE TEMP TABLE log AS
	SELECT 'half' AS student, * FROM distil_distill('half', 'distilbert-qa', 'SELECT question, context FROM questions', epochs => 60,
		batch_size => 8, learning_rate => 0.01, dropout => 0, validation => 0.3, alpha_cosine => 0, min_quality => 0.3)
	UNION ALL SELECT 'narrow', * FROM distil_distill('narrow', 'distilbert-qa', 'SELECT question, context FROM questions', layers => 2, hidden => 8,
		alpha_hidden => 0.1, alpha_attention => 0.1, epochs => 60, batch_size => 8, learning_rate => 0.01, dropout => 0, validation => 0.3)
	UNION ALL SELECT 'based', * FROM distil_distill('based', 'distilbert-qa', 'SELECT question, context FROM questions', base => 'distilbert-base', layers => 1,
		alpha_cosine => 0, epochs => 60, batch_size => 8, learning_rate => 0.01, dropout => 0, validation => 0.3);
SELECT student, count(*), array_agg(DISTINCT metric) AS metrics, min(teacher_value) = 1 AND max(teacher_value) = 1 AS teacher,
	(array_agg(train_loss ORDER BY epoch DESC))[1] < (array_agg(train_loss ORDER BY epoch))[1] / 4 AS learns,
	(array_agg(eval_loss ORDER BY epoch DESC))[1] < (array_agg(eval_loss ORDER BY epoch))[1] / 4 AS holds,
	max(value) > 0.3 AS answers_alike
FROM log GROUP BY student ORDER BY student;
SELECT name, architecture, task, layers, hidden_size, labels FROM distil_models WHERE name IN ('half', 'narrow', 'based') ORDER BY name;
SELECT c ->> 'architectures' AS architectures, c ? 'id2label' AS labels
FROM distil_export_model('half'), LATERAL (SELECT convert_from(data, 'UTF8')::jsonb AS c) AS j WHERE file = 'config.json';

-- the same seed gives the same student, another one another
SELECT count(*) FROM distil_distill('a', 'distilbert-qa', 'SELECT question, context FROM questions', epochs => 2);
SELECT count(*) FROM distil_distill('b', 'distilbert-qa', 'SELECT question, context FROM questions', epochs => 2);
SELECT count(*) FROM distil_distill('c', 'distilbert-qa', 'SELECT question, context FROM questions', epochs => 2, seed => 7);
SELECT count(DISTINCT sha256), (SELECT sha256 FROM distil_models WHERE name = 'a') = (SELECT sha256 FROM distil_models WHERE name = 'b') AS same
FROM distil_models WHERE name IN ('a', 'b', 'c');

-- what is left out is told, what is long is cut; a query of validation; empty texts are texts
SET client_min_messages = notice;
DO $$ BEGIN PERFORM distil_distill('rest', 'distilbert-qa',
	$q$SELECT * FROM (VALUES (NULL, 'a'), ('a', NULL), ('', ''), ('Where?', 'in Berlin'), ('Who?', repeat('soup ', 100))) v (q, c)$q$,
	validation_query => 'SELECT question, context FROM questions LIMIT 5', max_tokens => 32, epochs => 1, layers => 2, learning_rate => 0); END $$;
SET client_min_messages = warning;

-- refused
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT context FROM questions');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context, NULL FROM questions');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, id FROM questions');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context FROM questions LIMIT 0');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, NULL::text FROM questions');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context FROM questions', validation_query => 'SELECT context FROM questions');
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context FROM questions', base => 'bert-ner', alpha_cosine => 0);
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context FROM questions', alpha_soft => 0, alpha_cosine => 0);
SELECT distil_distill('x1', 'distilbert-qa', 'SELECT question, context FROM questions', layers => 1, hidden => 8, epochs => 1, learning_rate => 0, min_quality => 0.99);
SELECT count(*) FROM distil_models WHERE name = 'x1';

SELECT bool_and(distil_drop_model(name)) AS dropped FROM unnest('{same,half,narrow,based,a,b,c,rest}'::text[]) AS name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- Training: what is learnt, what is returned, what is refused.  Figures depend on the
-- processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-sentiment distilbert-base bert-base-cased bert-ner'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE tickets (id int, body text, team text, urgent boolean, tags text[], stars int);
INSERT INTO tickets VALUES
	(1, 'the film was a delight', 'film', true, '{good,film}', 5),
	(2, 'warm soup and fresh bread', 'food', false, '{good}', 4),
	(3, 'the film was too long', 'film', false, '{bad,film}', 2),
	(4, 'cold soup, worst meal ever', 'food', true, '{bad}', 1),
	(5, 'a film about nothing', 'film', false, '{film}', 3),
	(6, 'soup of the day', 'food', false, '{}', 3),
	(7, 'what a film', 'film', true, '{film}', 5),
	(8, 'more soup please', 'food', true, '{good}', 5),
	(9, NULL, 'food', true, '{good}', 5),
	(10, 'no team', NULL, NULL, NULL, NULL);

-- one label: text
CREATE TEMP TABLE log AS SELECT * FROM distil_train('team', 'SELECT body, team FROM tickets', 'distilbert-sentiment',
	epochs => 30, learning_rate => 0.01, batch_size => 4, dropout => 0, validation => 0);
SELECT count(*), min(epoch), max(epoch), max(step), bool_and(eval_loss IS NULL AND metric IS NULL AND value IS NULL),
	(array_agg(train_loss ORDER BY epoch DESC))[1] < 0.1 AS learnt, bool_and(seconds >= 0)
FROM log;
SELECT name, task, architecture, labels, layers, "precision", builtin FROM distil_models WHERE name = 'team';
SELECT id, distil_classify(body, 'team') FROM tickets ORDER BY id;
SELECT * FROM distil_evaluate('team', 'SELECT body, team FROM tickets') WHERE label <> '(calibration error)';
SELECT file, length(data) > 100 FROM distil_export_model('team');
SELECT key, value FROM distil_export_model('team'), jsonb_each(convert_from(data, 'UTF8')::jsonb)
WHERE file = 'config.json' AND key IN ('architectures', 'id2label', 'label2id', 'problem_type', 'dtype', 'n_layers', 'dropout') ORDER BY key;

-- integers and booleans name classes, too; the base's head is not theirs
SELECT count(*) FROM distil_train('stars', 'SELECT body, stars FROM tickets', 'bert-base-cased', epochs => 1, validation => 0.2);
SELECT labels, architecture FROM distil_models WHERE name = 'stars';
SELECT count(*) FROM distil_train('urgent', 'SELECT body, urgent FROM tickets', 'bert-ner', epochs => 1);
SELECT labels, architecture FROM distil_models WHERE name = 'urgent';

-- the same seed gives the same model, another one another
SELECT count(*) FROM distil_train('urgent2', 'SELECT body, urgent FROM tickets', 'bert-ner', epochs => 1);
SELECT count(*) FROM distil_train('urgent3', 'SELECT body, urgent FROM tickets', 'bert-ner', epochs => 1, seed => 7);
SELECT a.sha256 = b.sha256 AS same, a.sha256 = c.sha256 AS other
FROM distil_models a, distil_models b, distil_models c WHERE (a.name, b.name, c.name) = ('urgent', 'urgent2', 'urgent3');

-- several labels
SELECT metric, count(*) FROM distil_train('tags', 'SELECT body, tags FROM tickets', 'distilbert-base', epochs => 40,
	learning_rate => 0.01, batch_size => 4, dropout => 0, validation_query => 'SELECT body, tags FROM tickets') GROUP BY 1;
SELECT labels FROM distil_models WHERE name = 'tags';
SELECT t.id, array_agg(s.label ORDER BY s.label) FILTER (WHERE s.score > 0.5) AS tags
FROM tickets t, distil_scores(t.body, 'tags') s GROUP BY t.id ORDER BY t.id;
SELECT * FROM distil_evaluate('tags', 'SELECT body, tags FROM tickets') WHERE label <> '(calibration error)';

-- numbers
SELECT metric, min(value) < max(value) / 2 AS better FROM distil_train('rating', 'SELECT body, stars FROM tickets', 'distilbert-base',
	task => 'regression', epochs => 60, learning_rate => 0.01, batch_size => 4, dropout => 0,
	validation_query => 'SELECT body, stars::numeric FROM tickets') GROUP BY 1;
SELECT abs(corr(t.stars, s.score) - (SELECT value FROM distil_evaluate('rating', 'SELECT body, stars FROM tickets') WHERE label = '(pearson)')) < 1e-6 AS same FROM tickets t, distil_scores(t.body, 'rating') s;
SELECT label, value > 0.9 AS high, value < 0.5 AS low, support FROM distil_evaluate('rating', 'SELECT body, stars FROM tickets');

-- pairs of texts, where it matters which is which
SELECT metric, (array_agg(value ORDER BY epoch DESC))[1] AS accuracy FROM distil_train('pairs',
	$$SELECT a, b, CASE WHEN a = 'warm soup' THEN 'soup first' ELSE 'film first' END FROM (VALUES ('warm soup', 'a film'), ('a film', 'warm soup')) AS v (a, b)$$,
	'bert-base-cased', epochs => 40, learning_rate => 0.01, dropout => 0, validation_query =>
	$$SELECT a::varchar, b::name, CASE WHEN a = 'warm soup' THEN 'soup first' ELSE 'film first' END FROM (VALUES ('warm soup', 'a film'), ('a film', 'warm soup'), (NULL, 'x'), ('x', NULL)) AS v (a, b)$$) GROUP BY 1;
SELECT * FROM distil_evaluate('pairs', $$VALUES ('warm soup', 'a film', 'soup first'), ('a film', 'warm soup', 'film first')$$) WHERE label <> '(calibration error)';
SELECT distil_train('x', 'SELECT body, body, team FROM tickets', 'distilbert-base', validation_query => 'SELECT body, team FROM tickets');
SELECT distil_train('x', 'SELECT body, id, team FROM tickets', 'distilbert-base');
SELECT distil_train('x', $$SELECT body, body, '[]'::jsonb FROM tickets$$, 'distilbert-base', task => 'entities');

-- trained on: labels that the base has keep its head and order, so the loss begins low
SELECT train_loss < 0.2 AS kept FROM distil_train('team2', $$SELECT body, team FROM tickets$$, 'team', epochs => 1,
	learning_rate => 0, dropout => 0, validation => 0);

-- the head alone, the layers alone
SELECT count(*) FROM distil_train('head', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 2, head_only => true);
SELECT count(*) FROM distil_train('layers', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 2, freeze_embeddings => true);

-- class_weights
SELECT count(*) FROM distil_train('w', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 1, class_weights => 'balanced');
SELECT count(*) FROM distil_train('w', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 1, class_weights => '{"film": 2.5}', replace => true);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', class_weights => '{"flim": 2}');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', class_weights => '{"film": 0}');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', class_weights => '[1, 2]');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', class_weights => 'balance');
SELECT distil_train('x', 'SELECT body, tags FROM tickets', 'distilbert-base', class_weights => 'balanced');

-- early stopping needs something to look at, and stops
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', validation => 0, early_stopping => 2);
SELECT count(*) < 50 AS stopped FROM distil_train('early', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 50,
	learning_rate => 0.02, early_stopping => 2, validation_query => $$SELECT body, CASE team WHEN 'film' THEN 'food' ELSE 'film' END FROM tickets$$);

-- sentiment
SELECT count(*) FROM distil_train('mood', $$SELECT body, CASE WHEN stars > 3 THEN 'positive' ELSE 'negative' END FROM tickets$$,
	'distilbert-base', task => 'sentiment', epochs => 1);
SELECT task, labels FROM distil_models WHERE name = 'mood';
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', task => 'sentiment');

-- refused: names
SELECT distil_train('team', 'SELECT body, team FROM tickets', 'distilbert-base');
SELECT distil_train('a b', 'SELECT body, team FROM tickets', 'distilbert-base');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-bse');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', task => 'summarize');

-- refused: rows
SELECT distil_train('x', 'SELECT body, team FROM tickets WHERE false', 'distilbert-base');
SELECT distil_train('x', 'SELECT NULL::text, team FROM tickets', 'distilbert-base');
SELECT distil_train('x', 'SELECT body, NULL::text FROM tickets', 'distilbert-base');
SELECT distil_train('x', $$SELECT body, team FROM tickets WHERE team = 'film'$$, 'distilbert-base');
SELECT distil_train('x', $$SELECT body, '{}'::text[] FROM tickets$$, 'distilbert-base');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', validation_query => $$SELECT 'a', 'unseen'$$);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', validation_query => 'SELECT body, team FROM tickets LIMIT 0');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', validation_query => 'SELECT body, tags FROM tickets');

-- refused: queries
SELECT distil_train('x', 'SELECT body FROM tickets', 'distilbert-base');
SELECT distil_train('x', 'SELECT id, team FROM tickets', 'distilbert-base');
SELECT distil_train('x', 'SELECT body, stars::real FROM tickets', 'distilbert-base');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', task => 'regression');
SELECT distil_train('x', $$SELECT body, 'NaN'::real FROM tickets$$, 'distilbert-base', task => 'regression');
SELECT distil_train('x', 'SELECT body, team FROM no_such_table', 'distilbert-base');
SELECT distil_train('x', 'DELETE FROM tickets', 'distilbert-base');
SELECT distil_train('x', '', 'distilbert-base');

-- refused: arguments
SELECT distil_train(NULL, 'SELECT body, team FROM tickets', 'distilbert-base');
SELECT distil_train('x', NULL, 'distilbert-base');
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 0);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => NULL);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', learning_rate => -1);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', dropout => 1);
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base', validation => 'NaN');

-- refused: memory
SET distilbert.train_memory = '1MB';
SELECT distil_train('x', $$SELECT body || repeat(' soup', 60), team FROM tickets, generate_series(1, 20)$$, 'distilbert-base', batch_size => 4096, batch_tokens => 1048576);
SELECT distil_train('x', $$SELECT repeat('soup ', 60), i % 2 FROM generate_series(1, 10000) i$$, 'distilbert-base');
RESET distilbert.train_memory;

-- texts of any kind: empty, long (cut), of other types
SELECT count(*) FROM distil_train('odd', $$SELECT b::varchar(100000), l FROM (VALUES ('', 1), (repeat('soup ', 10000), 2), ('x', 1), ('y', 2)) v (b, l)$$,
	'distilbert-base', epochs => 1);
SELECT labels FROM distil_models WHERE name = 'odd';

-- messages
SET client_min_messages = notice;
SELECT count(*) FROM distil_train('noted', $$SELECT body || repeat(' soup', 100), team FROM tickets$$, 'distilbert-base',
	epochs => 1, validation => 0, learning_rate => 0, dropout => 0, head_only => true, replace => true);
SELECT value FROM distil_evaluate('team', 'SELECT body, team FROM tickets') WHERE label = '(accuracy)';
SET client_min_messages = warning;

-- evaluating
SELECT * FROM distil_evaluate('team', $$SELECT 'soup', 'dessert'$$);
SELECT * FROM distil_evaluate('team', 'SELECT body, tags FROM tickets');
SELECT * FROM distil_evaluate('tags', 'SELECT body, team FROM tickets');
SELECT * FROM distil_evaluate('distilbert-base', 'SELECT body, team FROM tickets');
SELECT * FROM distil_evaluate('team', 'SELECT body, team FROM tickets LIMIT 0');
SELECT * FROM distil_evaluate('tem', 'SELECT body, team FROM tickets');
SELECT * FROM distil_evaluate(NULL, 'SELECT body, team FROM tickets');

-- undone with the transaction, or with a part of it; others may not
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM distil_train('gone', 'SELECT body, team FROM tickets', 'distilbert-base', epochs => 1);
SELECT distil_classify('soup', 'gone') IS NOT NULL;
ROLLBACK TO s;
SELECT count(*) FROM distil_models WHERE name = 'gone';
ROLLBACK;
SELECT distil_classify('soup', 'gone');
SELECT count(*) FROM distil_models WHERE name IN ('x', 'gone');
CREATE ROLE regress_distil_trainer;
SET ROLE regress_distil_trainer;
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'distilbert-base');
SELECT distil_export_model('team');
SELECT * FROM distil_evaluate('team', 'SELECT body, team FROM tickets') WHERE label <> '(calibration error)';
RESET ROLE;
DROP ROLE regress_distil_trainer;
SELECT distil_drop_model(name) FROM distil_models WHERE name IN ('team', 'team2', 'stars', 'urgent', 'urgent2', 'urgent3', 'tags', 'rating',
	'head', 'layers', 'w', 'pairs', 'early', 'mood', 'odd', 'noted') ORDER BY name;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- Training of RoBERTa's kind: positions behind padding's row, tokens of type 0, byte-level BPE and
-- Unigram; and who is refused.  Figures depend on the processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'roberta-base roberta-mlm roberta-ner xlm-roberta-rerank camembert-mlm bert-unigram albert-base electra-mlm'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE tickets (id int, body text, team text);
INSERT INTO tickets VALUES
	(1, 'the film was a delight', 'film'), (2, 'warm soup and fresh bread', 'food'), (3, 'the film was too long', 'film'),
	(4, 'cold soup, worst meal ever', 'food'), (5, 'a film about nothing', 'film'), (6, 'soup of the day', 'food'),
	(7, 'what a film <pad> that was', 'film'), (8, 'more soup please', 'food');

-- labels of texts, from each kind of base; what was trained is a model like any other
SELECT base, (SELECT (array_agg(train_loss ORDER BY epoch DESC))[1] < 0.2 FROM distil_train('team-' || base, 'SELECT body, team FROM tickets',
		base, epochs => 40, learning_rate => 0.01, batch_size => 4, dropout => 0, validation => 0)) AS learnt,
	(SELECT bool_and(distil_classify(body, 'team-' || base) = team) FROM tickets) AS right
FROM unnest('{roberta-base,roberta-mlm,xlm-roberta-rerank,camembert-mlm,bert-unigram}'::text[]) AS base;
SELECT name, architecture, labels, max_tokens FROM distil_models WHERE name LIKE 'team-%' ORDER BY name;
SELECT label, value FROM distil_evaluate('team-roberta-base', 'SELECT body, team FROM tickets') WHERE label = '(accuracy)';
SELECT file FROM distil_export_model('team-roberta-base') ORDER BY file;

-- pairs, whose tokens are all of type 0
SELECT (array_agg(value ORDER BY epoch DESC))[1] AS accuracy FROM distil_train('pairs',
	$$SELECT a, b, CASE WHEN a = 'warm soup' THEN 'soup first' ELSE 'film first' END FROM (VALUES ('warm soup', 'a film'), ('a film', 'warm soup')) AS v (a, b)$$,
	'xlm-roberta-rerank', epochs => 60, learning_rate => 0.01, dropout => 0, validation_query =>
	$$VALUES ('warm soup', 'a film', 'soup first'), ('a film', 'warm soup', 'film first')$$);

-- tags of words
SELECT (array_agg(value ORDER BY epoch DESC))[1] > 0.9 AS learnt FROM distil_train('tags',
	$$VALUES ('Anna lives in Berlin', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 14, "end": 20, "label": "LOC"}]'::jsonb),
		('Paris is where John works', '[{"start": 0, "end": 5, "label": "LOC"}, {"start": 15, "end": 19, "label": "PER"}]')$$,
	'roberta-ner', task => 'entities', epochs => 80, learning_rate => 0.01, dropout => 0, validation_query =>
	$$VALUES ('Anna lives in Berlin', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 14, "end": 20, "label": "LOC"}]'::jsonb)$$);
SELECT label, entity FROM distil_entities('Anna lives in Berlin', 'tags') ORDER BY start_pos;

-- masks
SELECT max(train_loss) FILTER (WHERE epoch > 35) < max(train_loss) / 3 AS learnt FROM distil_pretrain('cook',
	$$SELECT 'the soup was warm and the film was long' FROM generate_series(1, 50)$$, 'roberta-mlm', epochs => 40,
	learning_rate => 0.01, batch_size => 10, dropout => 0);
SELECT token FROM distil_fill_mask('the soup was warm and<mask> film was long', 'cook', 1);

-- a student of half the layers
SELECT (array_agg(value ORDER BY epoch DESC))[1] > 0.9 AS agrees FROM distil_distill('small', 'team-roberta-base',
	'SELECT a.body || $$ $$ || b.body FROM tickets a, tickets b', epochs => 8, learning_rate => 0.005, dropout => 0);
SELECT architecture, layers FROM distil_models WHERE name = 'small';

-- refused: layers that share weights, embeddings that are projected
SELECT distil_train('x', 'SELECT body, team FROM tickets', 'albert-base');
SELECT distil_pretrain('x', 'SELECT body FROM tickets', 'electra-mlm');
SELECT count(*) FROM distil_models WHERE name = 'x';

SELECT bool_and(distil_drop_model(name)) AS dropped FROM distil_models WHERE NOT builtin;

-- Models installed with the server: there without being loaded, until a loaded
-- one takes the name.
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';

SELECT name, task, labels, builtin, bytes BETWEEN 1000000 AND 16000000 AS small, length(sha256) AS sha256, loaded_at
FROM distil_models WHERE name = 'sentiment-en-v1';
SHOW distilbert.sentiment_model;
SELECT distil_sentiment('I love this wonderful film') > 0 AS positive,
	distil_sentiment('I hate this terrible film') < 0 AS negative,
	distil_sentiment('a film') = distil_sentiment('a film', 'sentiment-en-v1') AS same;

-- it is not a row
SELECT distil_drop_model('sentiment-en-v1');
SELECT distil_drop_model('sentiment-en-v1', if_exists => true);
SELECT distil_load_model('sentiment-en-v1', :'fixtures' || '/distilbert-stars');

-- a row comes first, and what it hid is there again when it goes
SELECT distil_sentiment('a film') AS score \gset
BEGIN;
SELECT name, builtin, labels FROM distil_load_model('sentiment-en-v1', :'fixtures' || '/distilbert-stars', replace => true);
SELECT name, builtin, labels FROM distil_models WHERE name = 'sentiment-en-v1';
SELECT distil_sentiment('a film') = :'score'::real AS same;
ROLLBACK;
SELECT distil_sentiment('a film') = :'score'::real AS same;
SELECT name FROM distil_load_model('sentiment-en-v1', :'fixtures' || '/distilbert-stars', replace => true);
SELECT distil_sentiment('a film') = :'score'::real AS same;
SELECT distil_drop_model('sentiment-en-v1');
SELECT distil_sentiment('a film') = :'score'::real AS same;

-- names lead nowhere but to the folder of these models
SELECT distil_sentiment('a film', '../models/sentiment-en-v1');
SELECT distil_sentiment('a film', './sentiment-en-v1');
SELECT distil_sentiment('a film', 'sentiment-en-v1/');

-- the settings that name default models
SET distilbert.sentiment_model = '';
SELECT distil_sentiment('a film');
SET distilbert.sentiment_model = 'sentiment-en-v0';
SELECT distil_sentiment('a film');
RESET distilbert.sentiment_model;

-- the installed models are the defaults of their tasks
SELECT name, task, builtin, dimensions, labels, bytes BETWEEN 1000000 AND 16000000 AS small
FROM distil_models WHERE name IN ('entities-en-v1', 'embeddings-en-v1', 'fill-mask-en-v1') ORDER BY name;
SELECT entity, label FROM distil_entities('Anna Keller and John Smith met in Berlin.');
SELECT entity, label FROM distil_entities('Bill Gates founded Microsoft in Albuquerque.', 'entities-en-v1');
SELECT distil_mask('Peter Schmidt moved to Hamburg.');
SELECT distil_similarity('A man is playing a guitar.', 'Someone plays the guitar.')
	> distil_similarity('A man is playing a guitar.', 'The stock market fell on Monday.') AS nearer,
	distil_similarity('A dog runs on the beach.', 'A dog is running along the shore.') > 0.5 AS near,
	distil_embed('a film') = distil_embed('a film', 'embeddings-en-v1') AS same;
SELECT token, sequence FROM distil_fill_mask('I lost my [MASK] yesterday.', top_k => 1);
SELECT max(f.score) = max(g.score) AS same
FROM distil_fill_mask('a [MASK]') AS f, distil_fill_mask('a [MASK]', 'fill-mask-en-v1') AS g;

-- models without a function of their own
SELECT name, task, builtin, labels, bytes BETWEEN 1000000 AND 20000000 AS small
FROM distil_models WHERE name IN ('emotions-en-v1', 'moderation-en-v1') ORDER BY name;
SELECT distil_classify(ARRAY['Thanks, that is so kind of you!', 'My dog died yesterday.', 'The package contains two cables.', '', NULL],
	'emotions-en-v1');
SELECT distil_classify(ARRAY['What a lovely morning!', 'Only a stupid idiot would say that.', 'The package contains two cables.', 'The new colleague is gay.'],
	'moderation-en-v1');

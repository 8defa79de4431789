-- Training of embeddings: pairs of texts become near, cosines follow numbers.  Figures depend
-- on the processor's last bits, so they are compared, not shown.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'distilbert-base bert-cls distilbert-sentiment bert-max distilbert-dense'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

CREATE TEMP TABLE doubles (id serial, a text, b text);
INSERT INTO doubles (a, b) VALUES
	('the film was a delight', 'what a film'),
	('warm soup and fresh bread', 'soup of the day'),
	('the room was cold', 'no heating in the hotel'),
	('the train was late', 'we waited for hours'),
	('a goal in the last minute', 'they won the match'),
	('rain all day', 'the weather was bad'),
	('my phone is broken', 'the screen has a crack'),
	('she plays the piano', 'music every evening');
CREATE FUNCTION cosine(a text, b text, model text) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum(x::float8 * y) / sqrt(sum(x::float8 * x) * sum(y::float8 * y))
	FROM unnest(distil_embed(a, model), distil_embed(b, model)) AS t(x, y) $$;

-- pairs alone: partners are near, others not, which before was not so
SELECT bool_and(cosine(x.a, y.b, 'distilbert-base') < cosine(x.a, x.b, 'distilbert-base')) AS partners_are_nearest
FROM doubles x, doubles y WHERE x.id <> y.id;
CREATE TEMP TABLE log AS SELECT * FROM distil_train('pairs', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed',
	epochs => 30, learning_rate => 0.005, dropout => 0, validation_query => 'SELECT a, b FROM doubles');
SELECT count(*), max(step), array_agg(DISTINCT metric) AS metrics, min(train_loss) < max(train_loss) / 10 AS learnt,
	(array_agg(value ORDER BY epoch DESC))[1] AS last
FROM log;
SELECT name, task, architecture, labels, dimensions FROM distil_models WHERE name = 'pairs';
SELECT bool_and(cosine(x.a, y.b, 'pairs') < cosine(x.a, x.b, 'pairs')) AS partners_are_nearest
FROM doubles x, doubles y WHERE x.id <> y.id;

-- the result is a directory of sentence-transformers; a new one has mean pooling and length 1
SELECT file, CASE WHEN file IN ('modules.json', '1_Pooling/config.json', 'sentence_bert_config.json') THEN convert_from(data, 'UTF8')::jsonb END AS json
FROM distil_export_model('pairs') ORDER BY file COLLATE "C";
SELECT abs(sum(x::float8 * x) - 1) < 1e-6 AS length_1 FROM unnest(distil_embed('soup', 'pairs')) AS t(x);

-- pairs with numbers, on any scale: cosines follow their order
CREATE TEMP TABLE graded AS
	SELECT x.a, y.b, CASE WHEN x.id = y.id THEN 5 WHEN greatest(x.id, y.id) <= 4 THEN 2.5 ELSE 0 END AS score
	FROM doubles x, doubles y;
TRUNCATE log;
INSERT INTO log SELECT * FROM distil_train('graded', 'SELECT a, b, score FROM graded', 'bert-cls', task => 'embed',
	epochs => 20, learning_rate => 0.005, dropout => 0, validation_query => 'SELECT a, b, score FROM graded');
SELECT count(*), array_agg(DISTINCT metric) AS metrics, max(value) FILTER (WHERE epoch = 20) > 0.6 AS follows,
	min(value) FILTER (WHERE epoch = 1) < max(value) FILTER (WHERE epoch = 20) AS rises FROM log;
SELECT abs((SELECT value FROM distil_evaluate('graded', 'SELECT a, b, score FROM graded') WHERE label = '(spearman)') -
	(SELECT value FROM log WHERE epoch = 20)) < 1e-5 AS evaluate_agrees;
SELECT key, value FROM distil_export_model('graded'), jsonb_each(convert_from(data, 'UTF8')::jsonb)
WHERE file IN ('1_Pooling/config.json', 'sentence_bert_config.json') ORDER BY key;

-- numbers as cosines: 0 .. 5 become 0 .. 1
TRUNCATE log;
INSERT INTO log SELECT * FROM distil_train('scaled', 'SELECT a, b, score FROM graded', 'distilbert-base', task => 'embed', loss => 'cosine',
	epochs => 20, learning_rate => 0.005, dropout => 0, validation => 0);
SELECT abs(cosine('the train was late', 'we waited for hours', 'scaled') - 1) < 0.2 AS like_1,
	abs(cosine('the train was late', 'music every evening', 'scaled')) < 0.2 AS like_0;

-- validation may be of the other kind
SELECT DISTINCT metric FROM distil_train('other', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed',
	validation_query => 'SELECT a, b, score FROM graded', early_stopping => 1);
SELECT DISTINCT metric FROM distil_train('other', 'SELECT a, b, score FROM graded', 'distilbert-base', task => 'embed',
	validation_query => 'SELECT a, b FROM doubles', replace => true, epochs => 1);

-- ordinary inputs: NULL rows are left out, '' is a text, equal texts are no negatives, long texts are cut
SELECT epoch, train_loss > 0 AS some, eval_loss FROM distil_train('odd', $$VALUES ('', 'a'), (NULL, 'b'), ('c', NULL), ('', 'a'), (repeat('soup ', 500), ''), ('x'::varchar, 'y')$$,
	'distilbert-base', task => 'embed', validation => 0, epochs => 1, max_tokens => 16);
SELECT train_loss FROM distil_train('odd', $$VALUES ('a', 'b'), ('b', 'c'), ('a', 'c')$$,
	'distilbert-base', task => 'embed', validation => 0, epochs => 1, replace => true);
-- two pairs are left to learn from, whatever validation says
SELECT max(step) AS steps, count(value) AS validated FROM distil_train('odd', 'SELECT a, b FROM doubles LIMIT 4', 'distilbert-base', task => 'embed',
	validation => 0.9, batch_size => 2, epochs => 1, replace => true);
-- what is told of them, before it is refused
SET client_min_messages = notice;
SET distilbert.train_memory = '1MB';
SELECT distil_train('x', $$VALUES ('', 'a'), (NULL, 'b'), ('c', NULL), ('', 'a'), (repeat('soup ', 500), '')$$,
	'distilbert-base', task => 'embed', max_tokens => 16);
SELECT distil_train('x', $$VALUES ('a', 'b', 1), ('c', 'd', NULL), ('e', 'f', 2)$$, 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b, score FROM graded', 'distilbert-base', task => 'embed', loss => 'cosine');
SELECT distil_train('x', 'SELECT a, b, score / 2.5 - 1 FROM graded', 'distilbert-base', task => 'embed', loss => 'cosine');
RESET distilbert.train_memory;
SET client_min_messages = warning;

-- a model that was pooled and trained once is trained on
SELECT count(*) FROM distil_train('again', 'SELECT a, b FROM doubles', 'graded', task => 'embed', epochs => 1, freeze_embeddings => true);
-- the same seed gives the same model
SELECT count(*) FROM distil_train('again2', 'SELECT a, b FROM doubles', 'graded', task => 'embed', epochs => 1, freeze_embeddings => true);
SELECT a.sha256 = b.sha256 AS same FROM distil_models a, distil_models b WHERE (a.name, b.name) = ('again', 'again2');

-- refused
SELECT distil_train('x', 'SELECT a FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b, a, b FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, 1 FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', $$SELECT a, b, 'near' FROM doubles$$, 'distilbert-base', task => 'embed');
SELECT distil_train('x', $$SELECT a, b, 'NaN'::float8 FROM doubles$$, 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b, 1 FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b FROM doubles LIMIT 1', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b FROM doubles LIMIT 3', 'distilbert-base', task => 'embed', batch_size => 1);
SELECT distil_train('x', 'SELECT a, b FROM doubles LIMIT 2', 'distilbert-base', task => 'embed', early_stopping => 1);
SELECT distil_train('x', 'SELECT a, b FROM doubles WHERE false', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, NULL::text FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b, NULL::real FROM doubles', 'distilbert-base', task => 'embed');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed', loss => 'cosent');
SELECT distil_train('x', 'SELECT a, b, score FROM graded', 'distilbert-base', task => 'embed', loss => 'contrastive');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed', loss => 'triplet');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-base', loss => 'cosine');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed', head_only => true);
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-base', task => 'embed', class_weights => 'balanced');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'bert-max', task => 'embed');
SELECT distil_train('x', 'SELECT a, b FROM doubles', 'distilbert-dense', task => 'embed');
SELECT count(distil_drop_model(name)) FROM distil_models WHERE name = ANY (string_to_array(:'models', ' ') || '{pairs,graded,scaled,exact,other,odd,again,again2}');

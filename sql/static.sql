-- Static embeddings: loaded, made of a teacher, refused; and weights in pytorch_model.bin.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'static-model2vec static-int8 static-st bert-sentence bert-cls distilbert-sentiment distilbert-stars distilbert-torch bert-mlm bert-torch'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

-- model2vec's vectors, and sentence-transformers'; alone and in a batch
SELECT model, count(distil_embed(body, model)) AS texts,
	max(pg_temp.distance(distil_embed(body, model), expected -> 'embedding')) < 1e-5 AS agree
FROM golden WHERE model LIKE 'static%' GROUP BY model ORDER BY model;
SELECT bool_and(alone = batched) AS same FROM (
	SELECT distil_embed(body, model) AS batched, (SELECT distil_embed(g.body, g.model) OFFSET 0) AS alone FROM golden g WHERE model LIKE 'static%') AS s;
SELECT name, task, architecture, layers, hidden_size, dimensions, max_tokens FROM distil_models WHERE name LIKE 'static%' ORDER BY 1;

-- nothing, unknown words, the first dimensions, scaled anew
SELECT distil_embed(NULL, 'static-int8') IS NULL AS none, distil_embed('', 'static-int8') = array_fill(0::real, ARRAY[16]) AS empty,
	distil_embed('乱', 'static-int8') = array_fill(0::real, ARRAY[16]) AS unknown;
SELECT cardinality(e) AS n, e = (distil_embed('the film', 'static-int8'))[1:4] AS first, round((SELECT sum(x * x) FROM unnest(s) AS x)::numeric, 5) AS square
FROM distil_embed('the film', 'static-int8', dimensions => 4) AS e,
	distil_embed('the film', 'static-model2vec', dimensions => 4) AS s;

-- a text of any length is read as a whole, or cut where model2vec cuts it
SELECT distil_embed(long, 'static-int8', long_text => 'window') = distil_embed('film', 'static-int8') AS whole_same,
	distil_embed(long || ' music', 'static-int8', long_text => 'window') <> distil_embed('film', 'static-int8') AS whole_changes,
	distil_embed(long || ' music', 'static-int8', long_text => 'truncate') = distil_embed(long, 'static-int8', long_text => 'truncate') AS cut
FROM repeat('film ', 5000) AS long;

-- in eight bits
SELECT count(*) FROM distil_load_model('bits', :'fixtures' || 'static-model2vec', "precision" => 'int8');
SELECT max(1 - (SELECT sum(a * b) FROM unnest(distil_embed(body, 'bits'), distil_embed(body, 'static-model2vec')) AS u (a, b))) < 0.001 AS near
FROM golden WHERE model = 'static-model2vec' AND n < 5;

-- what they cannot do
SELECT distil_token_embeddings('hello', 'static-st');
SELECT distil_classify('hello', 'static-st');
SELECT distil_train('x', 'SELECT body, model FROM golden', 'static-st');
SELECT distil_train('x', 'SELECT body, body FROM golden', 'static-st', 'embed');
SELECT distil_distill('x', 'static-int8', 'SELECT body FROM golden');
SELECT distil_evaluate('static-st', 'SELECT body, body, 1 FROM golden') IS NOT NULL AS evaluated;
SELECT distil_load_model('x', :'fixtures' || 'static-st', task => 'classify');

-- made of a teacher: without texts, and with them
CREATE TEMP TABLE texts AS SELECT body FROM golden WHERE model = 'bert-sentence';
SELECT epoch, step, train_loss, eval_loss, metric, value > 0.5 AND value <= 1 AS kept, teacher_value, seconds >= 0 AS seconds
FROM distil_distill('plain', 'bert-sentence', static => true, dimensions => 16);
SELECT count(*) FROM distil_distill('fast', 'bert-sentence', 'SELECT body FROM texts', static => true, dimensions => 16);
SELECT name, task, architecture, layers, hidden_size, dimensions FROM distil_models WHERE name IN ('plain', 'fast') ORDER BY 1;
SELECT bool_and(cardinality(f) = 16) AS dimensions, bool_and(f IS DISTINCT FROM p) AS texts_count, max(abs(l - 1)) < 1e-5 AS length_1
FROM (SELECT distil_embed(body, 'fast') AS f, distil_embed(body, 'plain') AS p FROM texts WHERE body ~ '\w \w') AS e,
	LATERAL (SELECT sqrt(sum(x::float8 * x)) AS l FROM unnest(f) AS x) AS length;

-- as many dimensions as the teacher has: a token's vector is the teacher's, turned and scaled,
-- without the mean of all
SELECT value = 1 AS all_kept FROM distil_distill('full', 'bert-cls', static => true);
SELECT dimensions FROM distil_models WHERE name = 'full';

-- it is an ordinary model: exported, loaded, the same
SELECT file, length(data) > 0 AS data FROM distil_export_model('fast');
BEGIN;
SELECT count(*) FROM distil_distill('gone', 'bert-sentence', static => true, dimensions => 4);
ROLLBACK;
SELECT count(*) FROM distil_models WHERE name = 'gone';
SELECT count(*) FROM distil_distill('again', 'bert-sentence', 'SELECT body FROM texts', static => true, dimensions => 16);
SELECT a.sha256 = b.sha256 AS same FROM distil_models a, distil_models b WHERE a.name = 'fast' AND b.name = 'again';

-- refused
SELECT distil_distill('x', 'bert-sentence');
SELECT distil_distill('x', 'bert-sentence', 'SELECT body FROM texts', dimensions => 4);
SELECT distil_distill('x', 'bert-sentence', static => true, dimensions => 33);
SELECT distil_distill('x', 'bert-sentence', static => true, dimensions => 0);
SELECT distil_distill('x', 'bert-sentence', static => true, layers => 1);
SELECT distil_distill('x', 'bert-sentence', static => true, base => 'bert-cls');
SELECT distil_distill('x', 'bert-sentence', static => true, min_quality => 0.9);
SELECT distil_distill('x', 'distilbert-sentiment', static => true);
SELECT distil_distill('x', 'fast', static => true);
SELECT distil_distill('x', 'nobody', static => true);
SELECT distil_distill('fast', 'bert-sentence', static => true);
SELECT distil_distill('x', 'bert-sentence', 'SELECT 1, 2', static => true);
SELECT distil_distill('x', 'bert-sentence', 'SELECT nothing', static => true);
BEGIN READ ONLY;
SELECT distil_distill('x', 'bert-sentence', static => true);
ROLLBACK;
SELECT count(*) FROM distil_models WHERE name = 'x';

-- weights in pytorch_model.bin: what the same weights give in safetensors
SELECT count(*), bool_and(t.score = s.score) AS same FROM golden, distil_scores(body, 'distilbert-stars') AS s, distil_scores(body, 'distilbert-torch') AS t
WHERE golden.model = 'distilbert-stars' AND s.label = t.label;
SELECT count(*), bool_and(t.score = s.score) AS same FROM golden, distil_fill_mask(body, 'bert-mlm') AS s, distil_fill_mask(body, 'bert-torch') AS t
WHERE golden.model = 'bert-mlm' AND body ~ 'MASK' AND s.token = t.token AND s.mask IS NOT DISTINCT FROM t.mask;
SELECT bool_and(distil_embed(body, 'bert-torch') = distil_embed(body, 'bert-mlm')) AS same FROM golden WHERE model = 'bert-mlm';

SELECT bool_and(distil_drop_model(m, force => true)) AS dropped FROM unnest(string_to_array(:'models', ' ') || '{bits,plain,fast,full,again}') AS m;

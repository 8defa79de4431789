-- models in 8 bits: distil_load_model(..., "precision" => 'int8' or 'int7')
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';
SET distilbert.model_path = :'fixtures';
SELECT setting || '/distilbert/models/' || current_setting('distilbert.sentiment_model') AS shipped
FROM pg_config WHERE name = 'SHAREDIR' \gset

-- the precision is shown, and is part of what a model is; which one is best
-- depends on the processor, but not with these kernels
SET distilbert.force_isa = 'scalar';
SELECT name, precision FROM distil_load_model('fp32', 'distilbert-sentiment');
SELECT name, precision FROM distil_load_model('int8', 'distilbert-sentiment', "precision" => 'int8');
SELECT name, precision FROM distil_load_model('null', 'distilbert-sentiment', "precision" => NULL);
SELECT name, task, precision FROM distil_models WHERE NOT builtin ORDER BY name;
SELECT a.sha256 <> b.sha256 AS differ FROM distil_models a, distil_models b WHERE a.name = 'fp32' AND b.name = 'int8';
SELECT precision FROM distil_load_model('int8', 'distilbert-sentiment', "precision" => 'int8');
SELECT precision FROM distil_load_model('int8', 'distilbert-sentiment');
SELECT precision FROM distil_load_model('int7', 'distilbert-sentiment', "precision" => 'int7');
SELECT count(DISTINCT sha256) FROM distil_models WHERE name IN ('int7', 'int8');
SELECT precision FROM distil_load_model('int8', 'distilbert-sentiment', "precision" => 'int4');
SELECT precision FROM distil_load_model('int8', 'distilbert-sentiment', "precision" => '');

RESET distilbert.force_isa;

-- every kind of model answers, close to fp32
SET client_min_messages = warning;
SELECT name FROM unnest('{bert-mlm,bert-ner,bert-sentence,distilbert-nli,distilbert-qa}'::text[]) AS m,
	LATERAL distil_load_model(m || '8', m, "precision" => 'int8')
UNION ALL SELECT name FROM distil_load_model('bert-sentence', 'bert-sentence') ORDER BY name;
SELECT t, abs(distil_sentiment(t, 'int8') - distil_sentiment(t, 'fp32')) < 0.1 AS close
FROM unnest('{a good film,"a film so bad that nobody should see it, ever",""}'::text[]) AS t;
SELECT abs(distil_sentiment(t, 'int7') - distil_sentiment(t, 'fp32')) < 0.2 AS close
FROM unnest(ARRAY['a good film', repeat('a good film ', 60)]) AS t;
SELECT sum(x * y) / sqrt(sum(x * x) * sum(y * y)) BETWEEN 0.99 AND 0.999999 AS close
FROM unnest(distil_embed('a good film', 'bert-sentence'), distil_embed('a good film', 'bert-sentence8')) AS e (x, y);
SELECT distil_classify('a good film', 'distilbert-nli8') IS NOT NULL AS classify,
	(SELECT count(*) >= 0 FROM distil_entities('Anna lives in Paris', 'bert-ner8')) AS entities;

-- a model of some size, the default one: the same answers from a smaller pack
SELECT name, task, precision FROM distil_load_model('shipped8', :'shipped', "precision" => 'int8');
SELECT name, task, precision FROM distil_load_model('shipped', :'shipped');
SELECT t, round(distil_sentiment(t, 'shipped')::numeric) = round(distil_sentiment(t, 'shipped8')::numeric) AS same,
	abs(distil_sentiment(t, 'shipped') - distil_sentiment(t, 'shipped8')) < 0.1 AS close
FROM unnest('{I love this wonderful film,I hate this terrible film}'::text[]) AS t;
SELECT b.size < a.size * 2 / 3 AS smaller
FROM (SELECT m.name, (pg_stat_file('distilbert/' || f)).size FROM distil_models m, pg_ls_dir('distilbert') AS f
	  WHERE starts_with(f, m.sha256) AND f LIKE '%.pack') AS a,
	 (SELECT m.name, (pg_stat_file('distilbert/' || f)).size FROM distil_models m, pg_ls_dir('distilbert') AS f
	  WHERE starts_with(f, m.sha256) AND f LIKE '%.pack') AS b
WHERE a.name = 'shipped' AND b.name = 'shipped8';

-- alone or among others, the same bits
CREATE TEMP TABLE films AS SELECT i, repeat('a good film ', i) AS t FROM generate_series(1, 40) AS i;
SELECT distil_sentiment(array_agg(t ORDER BY i), 'int8') = array_agg(distil_sentiment(t, 'int8') ORDER BY i) AS same,
	distil_sentiment(array_agg(t ORDER BY i), 'int8') = distil_sentiment(array_agg(t ORDER BY i), 'fp32') AS as_fp32
FROM films;

-- long texts, too, whose attention is in whole numbers
SELECT distil_load_model('shipped7', :'shipped', "precision" => 'int7') IS NOT NULL AS loaded;
SELECT model, distil_sentiment(array_agg(t ORDER BY i), model) = array_agg(distil_sentiment(t, model) ORDER BY i) AS same,
	max(abs(distil_sentiment(t, model) - distil_sentiment(t, 'shipped'))) < 0.1 AS close
FROM (SELECT i, repeat('I like the long film and its music. ', i) AS t FROM unnest('{10,16,40,60}'::integer[]) AS i) AS x,
	unnest('{shipped8,shipped7}'::text[]) AS model GROUP BY model ORDER BY model;
SELECT distil_drop_model('shipped7');

-- dropping takes the pack along
SELECT sha256 AS hash FROM distil_models WHERE name = 'shipped8' \gset
SELECT distil_drop_model('shipped8');
SELECT count(*) FROM pg_ls_dir('distilbert') AS f WHERE starts_with(f, :'hash');

-- other kernels, another pack
SET distilbert.force_isa = 'scalar';
SELECT abs(distil_sentiment('a good film', 'int8') - distil_sentiment('a good film', 'fp32')) < 0.1 AS close;
SELECT count(DISTINCT f) AS packs FROM distil_models m, pg_ls_dir('distilbert') AS f WHERE starts_with(f, m.sha256) AND m.name = 'int8';
RESET distilbert.force_isa;

DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';

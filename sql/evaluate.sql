-- Measuring models: labels, entities, numbers, similarities; two models.  The figures in
-- comments are printed by test/evaluate_reference.py: predictions of transformers, metrics
-- of scikit-learn, scipy and seqeval.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'bert-sentiment3 distilbert-multilabel distilbert-sentiment distilbert-regression bert-rerank distilbert-base bert-ner distilbert-ner-io distilbert-qa'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
\pset null -
CREATE TEMP TABLE lines AS
	SELECT n::int, line, coalesce(lead(line) OVER (ORDER BY n), first_value(line) OVER (ORDER BY n)) AS next, n * 7 % 5 + n / 30 AS number,
		(ARRAY['negative', 'neutral', 'positive'])[n * 7 % 5 % 3 + 1] AS mood,
		array_remove(ARRAY[CASE WHEN n % 2 = 1 THEN 'joy' END, CASE WHEN n % 3 = 0 THEN 'anger' END], NULL) AS moods
	FROM string_to_table(pg_read_file(:'fixtures' || 'corpus.txt'), E'\n') WITH ORDINALITY AS t (line, n);
CREATE FUNCTION pg_temp.evaluate(model text, query text) RETURNS TABLE (label text, "precision" numeric, recall numeric, f1 numeric, support bigint, value numeric) LANGUAGE sql AS
	'SELECT label, round("precision"::numeric, 4), round(recall::numeric, 4), round(f1::numeric, 4), support, round(value::numeric, 3) FROM distil_evaluate(model, query)';
CREATE FUNCTION pg_temp.compare(a text, b text, query text, seed bigint DEFAULT 42) RETURNS TABLE (metric text, a numeric, b numeric, difference numeric, p_value numeric, test text, "rows" bigint) LANGUAGE sql AS
	'SELECT metric, round(a::numeric, 3), round(b::numeric, 3), round(difference::numeric, 3), round(p_value::numeric, 6), test, "rows" FROM distil_compare($1, $2, query, seed)';

-- One label.
--     negative 0.2727273 0.2307692 0.2500000        13
--      neutral 0.5000000 0.1428571 0.2222222        14
--     positive 0.3157895 0.8571429 0.4615385         7
--     accuracy                     0.3235294        34
--    macro avg 0.3628389 0.4102564 0.3112536        34
-- weighted avg 0.3751759 0.3235294 0.2821141        34
SELECT * FROM pg_temp.evaluate('bert-sentiment3', 'SELECT line, mood FROM lines');
-- [[3 2 8] [7 2 5] [1 0 6]]
SELECT * FROM distil_confusion('bert-sentiment3', 'SELECT line, mood FROM lines');
SELECT * FROM distil_confusion('bert-sentiment3', 'SELECT line, mood FROM lines') \crosstabview label predicted count
-- labels that do not occur are not in the matrix
SELECT * FROM distil_confusion('bert-sentiment3', $$SELECT line, 'neutral' FROM lines WHERE n IN (1, 2)$$);

-- Several labels.
--          joy 0.5500000 0.6470588 0.5945946        17
--        anger 0.3181818 0.6363636 0.4242424        11
--    micro avg 0.2168675 0.6428571 0.3243243        28
--    macro avg 0.2170455 0.3208556 0.2547093        28
-- weighted avg 0.4589286 0.6428571 0.5276705        28
SELECT * FROM pg_temp.evaluate('distilbert-multilabel', 'SELECT line, moods FROM lines');
SELECT distil_confusion('distilbert-multilabel', 'SELECT line, moods FROM lines');
-- a label said twice is said once
SELECT sum(support) FROM distil_evaluate('distilbert-multilabel', $$SELECT line, '{joy,joy,NULL}'::text[] FROM lines$$) WHERE label = 'joy';

-- Numbers.
--     single pearson -0.0515500 spearman -0.0422111 rmse 2.5170658
-- regression pearson  0.0695618 spearman -0.0328723 rmse 2.1871849
--     rerank pearson -0.1150998 spearman -0.1398942 rmse 2.7395055
--     cosine pearson -0.1774516 spearman -0.0995509
CREATE TEMP VIEW pairs AS SELECT * FROM lines WHERE n < 33;
SELECT label, value, support FROM pg_temp.evaluate('distilbert-regression', 'SELECT line, number FROM pairs');
SELECT label, value FROM pg_temp.evaluate('distilbert-regression', 'SELECT line, next, number::real FROM pairs');
SELECT * FROM pg_temp.evaluate('bert-rerank', 'SELECT line, next, number FROM pairs');
SELECT * FROM pg_temp.evaluate('distilbert-base', 'SELECT line, next, number::numeric FROM pairs');
-- of equal numbers, or one row, there is no correlation
SELECT label, value FROM pg_temp.evaluate('distilbert-base', 'SELECT line, next, 0.1 FROM lines');
SELECT label, value IS NULL AS none FROM distil_evaluate('distilbert-regression', 'SELECT line, number FROM lines LIMIT 1');
-- the similarity of distil_similarity
SELECT abs(value - (SELECT corr(distil_similarity(line, next, 'distilbert-base', long_text => 'truncate'), number) FROM lines)) < 1e-6 AS same
FROM distil_evaluate('distilbert-base', 'SELECT line, next, number FROM lines') WHERE label = '(pearson)';
-- a model with one label: a tag, or a number
SELECT label, support FROM distil_evaluate('bert-rerank', $$SELECT line, next, '{LABEL_0}'::text[] FROM lines$$);

-- Entities: words and tags, and what seqeval says of them.
CREATE TEMP TABLE tags (n int, tags text[]);
INSERT INTO tags VALUES
	(1, '{O,O,B-PER,I-PER,O,B-PER,O,O,I-PER,B-LOC,O,O,B-PER}'),
	(2, '{O,B-LOC,O,B-LOC,I-PER,O,O,E-PER,B-PER,O,O,O}'),
	(3, '{S-LOC,O,O,O,I-PER,I-ORG,O,O,O,B-PER,O,B-PER}'),
	(4, '{O,I-ORG,O,O,O,B-PER,O,S-LOC,B-PER,O,O,I-ORG,S-LOC}'),
	(5, '{O,O,B-ORG,O,O,S-LOC,O,O,B-PER,S-LOC}'),
	(6, '{O,B-PER,O,O,O,O,S-LOC,E-PER,O,O,S-LOC}'),
	(7, '{B-PER,O,B-LOC,O,O,O,O,O,B-PER,O,O}'),
	(8, '{O,O,O,B-ORG,O,O,B-PER,O,B-PER,O,O,I-PER}'),
	(9, '{O,B-LOC,B-PER,B-LOC,B-PER,B-LOC,O,O,B-PER,O,B-PER,I-ORG,O,O}'),
	(10, '{O,O,O,O,O,O,O,O,S-LOC,E-PER}'),
	(11, '{I-ORG,I-ORG,B-PER,B-ORG,O,O,O,O,O}'),
	(12, '{S-LOC,I-PER,B-ORG,B-ORG,B-LOC,O,I-PER}'),
	(13, '{O,O,O,O,O,I-ORG,I-PER,O,O,B-LOC,O,O,S-LOC}'),
	(14, '{B-PER,E-PER,O,O,O,I-PER,B-PER,O,I-PER,B-PER}'),
	(15, '{O,O,O,I-PER,O,O,O,B-PER,I-ORG,O,O}'),
	(16, '{I-PER,O,O,B-LOC,O,I-PER,B-LOC,O,O}');
CREATE TEMP TABLE tagged AS SELECT n, string_to_array(line, ' ') AS words, tags, line FROM lines JOIN tags USING (n);
--          LOC 0.8333333 0.4761905 0.6060606        21
--          ORG 0.8333333 0.4166667 0.5555556        12
--          PER 0.8235294 0.3684211 0.5090909        38
--    micro avg 0.8285714 0.4084507 0.5471698        71
--    macro avg 0.8300654 0.4204261 0.5569024        71
-- weighted avg 0.8280862 0.4084507 0.5456253        71
SELECT * FROM pg_temp.evaluate('bert-ner', 'SELECT words, tags FROM tagged');
--    micro avg 0.1707317 0.0985915 0.1250000        71
--    macro avg 0.2434211 0.1207185 0.1417762        71
SELECT * FROM pg_temp.evaluate('distilbert-ner-io', 'SELECT words, tags FROM tagged') WHERE label LIKE '(m%';
-- tags against their scheme: in default mode 14 PER, 3 LOC; L- and U- are E- and S-
SELECT label, support FROM distil_evaluate('bert-ner', $$
	SELECT array_fill('word'::text, ARRAY[cardinality(t)]), t FROM (SELECT string_to_array(tags, ' ') FROM (VALUES
		('I-PER I-PER O I-LOC'), ('B-PER I-LOC I-LOC'), ('B-PER B-PER I-PER'), ('B-PER E-PER I-PER'), ('S-PER I-PER E-PER E-PER'),
		('E-LOC'), ('B-PER O I-PER'), ('I-PER S-PER S-PER')) AS v (tags)) AS s (t)$$) WHERE support > 0;
SELECT label, support FROM distil_evaluate('bert-ner', $$
	SELECT ARRAY['a', 'b', 'c', 'd'], ARRAY['U-PER', 'U-PER', 'B-PER', 'L-PER']$$) WHERE label = 'PER';
-- the same entities as places
SELECT count(*) FROM (
	SELECT * FROM distil_evaluate('bert-ner', $$SELECT 'Anna met Paul', '[{"start": 0, "end": 4, "label": "PER"}, {"start": 5, "end": 13, "label": "LOC"}]'::jsonb$$)
	EXCEPT SELECT * FROM distil_evaluate('bert-ner', $$SELECT ARRAY['Anna', 'met', 'Paul'], ARRAY['B-PER', 'B-LOC', 'I-LOC']$$)) AS different;
-- what a model says is right, with words as it splits them; characters, not bytes, are counted
SELECT label, f1 FROM distil_evaluate('bert-ner', $$
	SELECT line, (SELECT coalesce(jsonb_agg(e), '[]') FROM distil_entities(line, 'bert-ner', long_text => 'truncate') AS e) FROM lines$$) WHERE label = '(micro average)';
SELECT distil_evaluate('bert-ner', $$SELECT ARRAY['a', 'b'], ARRAY['O']$$);
SELECT distil_evaluate('bert-ner', $$SELECT ARRAY['a', NULL], ARRAY['O', 'O']$$);
SELECT distil_evaluate('bert-ner', $$SELECT ARRAY['a', 'b'], ARRAY['O', 'B-MISC']$$);
SELECT distil_evaluate('bert-ner', $$SELECT 'a b', ARRAY['O', 'O']$$);
SELECT label, support FROM distil_evaluate('bert-ner', $$SELECT '{}'::text[], '{}'::varchar[]$$) WHERE label LIKE '(m%';
SET client_min_messages = warning;
SELECT metric FROM distil_train('words', 'SELECT words, tags FROM tagged', 'distilbert-base', task => 'entities', epochs => 1, validation => 0.5);
SELECT labels FROM distil_models WHERE name = 'words';
RESET client_min_messages;

-- Two models.
--  pearson seed 42: 0.497502   7: 0.521479
-- spearman          0.707293      0.725275
--     rmse          0.053946      0.047952
SELECT * FROM pg_temp.compare('bert-rerank', 'distilbert-regression', 'SELECT line, next, number FROM pairs');
SELECT metric, p_value FROM pg_temp.compare('bert-rerank', 'distilbert-regression', 'SELECT line, next, number FROM pairs', 7);
-- similarities have no scale to compare
SELECT metric, a, b FROM pg_temp.compare('distilbert-base', 'distilbert-regression', 'SELECT line, next, number FROM pairs');
-- micro 0.001998, macro 0.001998
SELECT * FROM pg_temp.compare('bert-ner', 'distilbert-ner-io', 'SELECT words, tags FROM tagged');
-- a model and itself
SELECT * FROM pg_temp.compare('distilbert-multilabel', 'distilbert-multilabel', 'SELECT line, moods FROM lines');
-- classifiers: what plain SQL counts; McNemar's test is binomial
SET client_min_messages = warning;
SELECT count(*) FROM distil_train('other', $$SELECT line, CASE WHEN n % 2 = 0 THEN 'POSITIVE' ELSE 'NEGATIVE' END FROM lines$$, 'distilbert-sentiment',
	epochs => 20, learning_rate => 0.001, validation => 0);
RESET client_min_messages;
CREATE TEMP TABLE answers AS SELECT truth, distil_classify(line, 'distilbert-sentiment', long_text => 'truncate') AS a, distil_classify(line, 'other', long_text => 'truncate') AS b
	FROM (SELECT line, CASE WHEN n % 2 = 0 THEN 'POSITIVE' ELSE 'NEGATIVE' END AS truth FROM lines) AS l;
CREATE TEMP TABLE compared AS SELECT * FROM distil_compare('distilbert-sentiment', 'other', $$SELECT line, CASE WHEN n % 2 = 0 THEN 'POSITIVE' ELSE 'NEGATIVE' END FROM lines$$);
SELECT metric, a IS NULL AS no_a, p_value IS NULL AS no_p, test FROM compared;
SELECT count(*) FILTER (WHERE a <> b) > 0 AS differ,
	count(*) FILTER (WHERE a = truth AND b = truth) = (SELECT "rows" FROM compared WHERE metric = 'both right') AS both,
	count(*) FILTER (WHERE a = truth AND b <> truth) = (SELECT "rows" FROM compared WHERE metric = 'only a right') AS only_a,
	count(*) FILTER (WHERE a <> truth AND b = truth) = (SELECT "rows" FROM compared WHERE metric = 'only b right') AS only_b,
	count(*) FILTER (WHERE a <> truth AND b <> truth) = (SELECT "rows" FROM compared WHERE metric = 'neither right') AS neither,
	count(*) FILTER (WHERE a = b) = (SELECT "rows" FROM compared WHERE metric = 'same answer') AS same
FROM answers;
SELECT abs(c.a - e.value) < 1e-6 AS a, abs(c.b - f.value) < 1e-6 AS b, abs(c.b - c.a - difference) < 1e-6 AS difference, "rows"
FROM compared AS c, distil_evaluate('distilbert-sentiment', 'SELECT line, CASE WHEN n % 2 = 0 THEN ''POSITIVE'' ELSE ''NEGATIVE'' END FROM lines') AS e,
	distil_evaluate('other', 'SELECT line, CASE WHEN n % 2 = 0 THEN ''POSITIVE'' ELSE ''NEGATIVE'' END FROM lines') AS f
WHERE metric = 'accuracy' AND e.label = '(accuracy)' AND f.label = '(accuracy)';
SELECT abs(p_value - least(1, 2 * (SELECT sum(factorial(n) / factorial(i) / factorial(n - i)) FROM generate_series(0, k) AS i) / 2 ^ n)) < 1e-6 AS mcnemar
FROM (SELECT sum("rows")::int AS n, min("rows")::int AS k FROM compared WHERE metric LIKE 'only %') AS discordant, compared WHERE metric = 'accuracy';

-- NULLs, rows without an answer, long texts
SET distilbert.long_text = error;
SELECT * FROM distil_evaluate('bert-sentiment3', $$SELECT repeat('soup ', 1000), 'neutral'$$);
SET distilbert.on_error = 'null';
SELECT label, value, support FROM distil_evaluate('bert-sentiment3', $$
	VALUES (repeat('soup ', 1000), 'neutral'), ('a film', 'neutral'), (NULL, 'neutral'), ('a film', NULL), ('', 'positive')$$) WHERE label = '(accuracy)';
SELECT sum(count) FROM distil_confusion('bert-sentiment3', $$VALUES (repeat('soup ', 1000), 'neutral'), ('a film', 'neutral')$$);
SELECT metric, "rows" FROM distil_compare('distilbert-base', 'bert-rerank', $$
	VALUES ('a film', repeat('soup ', 1000), 1), ('a film', 'soup', 2), (NULL, 'soup', 2)$$);
SELECT * FROM distil_evaluate('bert-sentiment3', $$SELECT repeat('soup ', 1000), 'neutral'$$);
RESET distilbert.on_error;
SET distilbert.long_text = 'window';
SELECT sum("rows") FROM distil_compare('bert-sentiment3', 'bert-sentiment3', $$SELECT repeat('soup ', 1000), 'neutral'$$) WHERE metric = 'same answer';
SELECT label, support FROM distil_evaluate('bert-ner', $$SELECT array_fill('soup'::text, ARRAY[1000]), array_fill('O'::text, ARRAY[999]) || 'B-LOC'::text$$) WHERE support > 0;
SET distilbert.long_text = truncate;

-- refused
SELECT distil_evaluate('distilbert-qa', 'SELECT line, next, number FROM lines');
SELECT distil_evaluate('distilbert-base', 'SELECT line, number FROM lines');
SELECT distil_evaluate('distilbert-base', 'SELECT line, next, mood FROM lines');
SELECT distil_evaluate('distilbert-regression', 'SELECT line, mood FROM lines');
SELECT distil_evaluate('distilbert-regression', $$SELECT line, 'Infinity'::float8 FROM lines$$);
SELECT distil_confusion('distilbert-regression', 'SELECT line, number FROM lines');
SELECT distil_confusion('bert-ner', 'SELECT words, tags FROM tagged');
SELECT distil_confusion('bert-sentiment3', 'SELECT line, moods FROM lines');
SELECT distil_confusion('bert-sentiment3', $$SELECT line, 'great' FROM lines$$);
SELECT distil_confusion('bert-sentiment3', 'SELECT line, mood FROM lines LIMIT 0');
SELECT distil_confusion('sentiment3', 'SELECT line, mood FROM lines');
SELECT distil_confusion('bert-sentiment3', 'DELETE FROM lines');
SELECT distil_compare('bert-sentiment3', 'bert-ner', 'SELECT line, mood FROM lines');
SELECT distil_compare('bert-sentiment3', 'distilbert-multilabel', 'SELECT line, mood FROM lines');
SELECT distil_compare('bert-sentiment3', 'distilbert-sentiment', 'SELECT line, mood FROM lines');
SELECT distil_compare('bert-sentiment3', 'bert-sentiment', 'SELECT line, mood FROM lines');
SELECT distil_compare('bert-sentiment3', 'bert-sentiment3', 'SELECT line, mood FROM lines WHERE false');
SELECT * FROM distil_compare('bert-sentiment3', NULL, 'SELECT line, mood FROM lines');
-- rows are read with the caller's rights
CREATE ROLE regress_distil_analyst;
SET ROLE regress_distil_analyst;
SELECT distil_compare('bert-sentiment3', 'bert-sentiment3', 'SELECT line, mood FROM lines');
SELECT count FROM distil_confusion('bert-sentiment3', $$SELECT 'soup', distil_classify('soup', 'bert-sentiment3', long_text => 'truncate')$$);
RESET ROLE;
DROP ROLE regress_distil_analyst;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models' || ' words other', ' ')) AS m;

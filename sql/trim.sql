-- A smaller vocabulary: which tokens stay, what it changes, what is refused.
\getenv abs_srcdir PG_ABS_SRCDIR
\set models 'bert-sentence distilbert-sentiment roberta-sentiment albert-sentiment bert-mlm distilbert-sharded distilbert-base static-st bert-torch'
\set setup :abs_srcdir '/test/setup.sql'
\set ECHO none
\i :setup
\set ECHO all
SET client_min_messages = warning;

-- all tokens of the texts stay: the answers are those of the whole model, to the bit
CREATE FUNCTION pg_temp.trim_to(name text, vocabulary int DEFAULT NULL) RETURNS TABLE (tokens int, before int, coverage numeric, fewer boolean) LANGUAGE sql AS
	$$SELECT tokens, tokens_before, round(coverage::numeric, 3), parameters < parameters_before FROM distil_trim_vocabulary($1 || '-small', $1,
		format('SELECT body FROM golden WHERE model = %L', $1), vocabulary => $2)$$;
SELECT name, t.* FROM unnest('{bert-sentence,distilbert-sentiment,roberta-sentiment,albert-sentiment,bert-mlm,distilbert-sharded,distilbert-base,bert-torch}'::text[]) AS name, pg_temp.trim_to(name) AS t;
SELECT bool_and(distil_embed(body, 'bert-sentence-small') = distil_embed(body, 'bert-sentence')) AS same FROM golden WHERE model = 'bert-sentence';
SELECT model, count(*), bool_and(s.score = t.score) AS same FROM golden, distil_scores(body, model || '-small') AS s, distil_scores(body, model) AS t
WHERE model IN ('distilbert-sentiment', 'roberta-sentiment', 'albert-sentiment', 'distilbert-sharded') AND s.label = t.label GROUP BY model ORDER BY model;
SELECT bool_and(distil_embed(body, 'distilbert-base-small') = distil_embed(body, 'distilbert-base')) AS same FROM golden WHERE model = 'distilbert-base';
SELECT bool_and(distil_embed(body, 'bert-torch-small') = distil_embed(body, 'bert-torch')) AS same FROM golden WHERE model = 'bert-torch';
-- of masked words fewer may be said
SELECT bool_and(s.token IS NOT NULL) AS known, bool_and(s.score >= t.score) AS likelier FROM golden, distil_fill_mask(body, 'bert-mlm', top_k => 3) AS t
	JOIN distil_fill_mask('[MASK]', 'bert-mlm-small', top_k => 1000) AS known USING (token)
	LEFT JOIN distil_fill_mask(body, 'bert-mlm-small', top_k => 1000) AS s USING (token) WHERE model = 'bert-mlm' AND n < 4 AND body ~ 'MASK' AND s.mask = t.mask;

-- the task and the precision go along
SELECT count(*) FROM distil_load_model('bits', :'fixtures' || 'bert-mlm', task => 'embed', "precision" => 'int8');
SELECT count(*) FROM distil_trim_vocabulary('bits-small', 'bits', 'SELECT body FROM golden');
SELECT name, task, architecture, precision, parameters FROM distil_models WHERE name LIKE 'bits%' ORDER BY 1;

-- so many tokens: the most frequent ones; fewer have to say more
SELECT tokens, tokens_before, coverage BETWEEN 0.8 AND 0.999 AS most
FROM distil_trim_vocabulary('least', 'roberta-sentiment', 'SELECT body FROM golden', vocabulary => 330);
SELECT bool_and(distil_token_count(body, 'least') >= distil_token_count(body, 'roberta-sentiment')) AS longer FROM golden WHERE model = 'roberta-sentiment';
SELECT file FROM distil_export_model('distilbert-base-small');
SELECT file FROM distil_export_model('bert-sentence-small');
SELECT convert_from(data, 'UTF8')::jsonb ->> 'vocab_size' AS vocab_size FROM distil_export_model('bert-sentence-small') WHERE file = 'config.json';

-- a smaller model teaches and is taught: its student has its tokens
SELECT count(*) FROM distil_distill('student', 'bert-sentence-small', 'SELECT body FROM golden', epochs => 1, layers => 1);
SELECT s.parameters < t.parameters AS smaller FROM distil_models s, distil_models t WHERE s.name = 'student' AND t.name = 'bert-sentence-small';

-- refused
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT body FROM golden', vocabulary => 0);
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT body FROM golden', vocabulary => 20);
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT body FROM golden', vocabulary => 1000);
SELECT distil_trim_vocabulary('x', 'static-st', 'SELECT body FROM golden');
SELECT distil_trim_vocabulary('x', 'nobody', 'SELECT body FROM golden');
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT 1');
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT body FROM golden WHERE false');
SELECT distil_trim_vocabulary('x', 'bert-sentence', NULL);
SELECT distil_trim_vocabulary('bert-sentence', 'bert-sentence', 'SELECT body FROM golden');
SELECT count(*) FROM distil_trim_vocabulary('bits-small', 'bits', 'SELECT body FROM golden WHERE n < 9', replace => true);
BEGIN READ ONLY;
SELECT distil_trim_vocabulary('x', 'bert-sentence', 'SELECT body FROM golden');
ROLLBACK;
SELECT count(*) FROM distil_models WHERE name = 'x';

SELECT bool_and(distil_drop_model(name, force => true)) AS dropped FROM distil_models WHERE NOT builtin;

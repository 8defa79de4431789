-- texts longer than their model takes: read in overlapping windows, nothing lost
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence'
\set ECHO none
\i :setup
\set ECHO all
RESET distilbert.long_text;
SHOW distilbert.long_text;
SET distilbert.sentiment_model = 'distilbert-sentiment';
SET distilbert.entities_model = 'bert-ner';
SET distilbert.embed_model = 'bert-sentence';

-- texts of up to twenty times what the models take; the end counts
CREATE TEMP TABLE long_text AS
	SELECT id, string_agg(body, ' ' ORDER BY n) FILTER (WHERE n % 7 <= id) || ' The end is ' || id AS body
	FROM golden, generate_series(1, 6) AS id WHERE model = 'bert-ner' GROUP BY id;
INSERT INTO long_text VALUES (7, 'short'), (8, ''), (9, NULL);
SELECT id, distil_token_count(body, 'distilbert-sentiment') > 64 AS long FROM long_text ORDER BY id;
SELECT count(*) AS differ FROM long_text, LATERAL (SELECT body || ' Terrible, terrible, terrible.' AS other) AS o
WHERE distil_sentiment(body) <> distil_sentiment(other);

-- the same alone, in a batch, in an array
CREATE TEMP TABLE batched AS SELECT id, distil_sentiment(body) AS s, distil_embed(body) AS e FROM long_text;
SET distilbert.enable_batching = off;
SELECT count(*) AS differ FROM batched JOIN long_text USING (id)
WHERE (s, e) IS DISTINCT FROM (distil_sentiment(body), distil_embed(body));
RESET distilbert.enable_batching;
SELECT distil_sentiment(array_agg(body ORDER BY id)) = array_agg(s ORDER BY id) AS same
FROM batched JOIN long_text USING (id);
SELECT (SELECT array_agg(x ORDER BY i) FROM unnest(distil_embed(array_agg(body ORDER BY id))) WITH ORDINALITY AS u (x, i)) =
	(SELECT array_agg(x ORDER BY id, i) FROM batched, unnest(e) WITH ORDINALITY AS u (x, i)) AS same
FROM long_text WHERE body IS NOT NULL;

-- an embedding of windows is normalised once
SELECT id, round(sqrt(sum(x::float8 * x))::numeric, 6) AS length FROM batched, unnest(e) AS x GROUP BY id ORDER BY id;

-- entities of the whole text, at its places, in order, none twice
SELECT id, count(*) > 5 AS many, bool_and(substr(body, start_pos, end_pos - start_pos + 1) = entity) AS in_place,
	count(*) = count(DISTINCT start_pos) AS once, max(end_pos) > length(body) * 0.5 AS beyond_the_middle
FROM long_text, distil_entities(body, aggregation => 'simple') WHERE id < 7 GROUP BY id, body ORDER BY id;
SELECT bool_and(start_pos > before) AS ordered
FROM (SELECT start_pos, lag(end_pos, 1, 0) OVER (PARTITION BY id ORDER BY n) AS before
	  FROM long_text, ROWS FROM (distil_entities(body, aggregation => 'simple')) WITH ORDINALITY AS e (entity, label, score, start_pos, end_pos, n)) AS s;

-- nothing is truncated, and scores are those of one distribution
EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT distil_sentiment(body) FROM long_text;
SELECT id, round(sum(score)::numeric, 4) AS total FROM long_text, distil_scores(body, 'distilbert-sentiment') GROUP BY id ORDER BY id;

-- no end of it
SELECT distil_sentiment(repeat('good film ', 100000)) BETWEEN -1 AND 1 AS number;
SELECT distil_sentiment(repeat('good film ', 1000000));

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

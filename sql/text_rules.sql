-- forms that name their model depend on their arguments alone: long_text and on_error are among them
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence distilbert-qa distilbert-nli bert-rerank bert-mlm'
\set ECHO none
\i :setup
\set ECHO all
RESET distilbert.long_text;
\set long '(repeat($$A great film. $$, 40) || repeat($$Terrible, rude, never again. $$, 40))'
SELECT :long AS body INTO TEMP long;

-- the same call has the same answer, whatever is set
CREATE FUNCTION pg_temp.answers() RETURNS text LANGUAGE sql VOLATILE AS $$
	SELECT md5(ROW(distil_sentiment(body, 'distilbert-sentiment'), distil_sentiment_label(body, 'distilbert-sentiment'),
		distil_classify(body, 'distilbert-sentiment'), distil_classify(body, 'distilbert-sentiment', 0.6),
		distil_score(body, 'distilbert-sentiment', 'POSITIVE'), distil_uncertainty(body, 'distilbert-sentiment'),
		(SELECT array_agg(s) FROM distil_scores(body, 'distilbert-sentiment') AS s),
		(SELECT array_agg(e) FROM distil_entities(body, 'bert-ner') AS e), distil_mask(body, 'bert-ner'),
		distil_embed(body, 'bert-sentence'), distil_embed_query(body, 'bert-sentence'), distil_embed_passage(body, 'bert-sentence'),
		distil_similarity(body, 'a film', 'bert-sentence'), (SELECT count(*) FROM distil_token_embeddings(body, 'bert-sentence')),
		(SELECT array_agg(a) FROM distil_answer('What?', body, 'distilbert-qa') AS a), distil_answer_text('What?', body, 'distilbert-qa'),
		(SELECT array_agg(z) FROM distil_zero_shot(body, '{film,food}', 'distilbert-nli') AS z),
		(SELECT array_agg(z) FROM distil_zero_shot(body, '{film,food}', 'bert-sentence') AS z),
		distil_rerank('a film', ARRAY[body], 'bert-sentence'), distil_rerank_distance('a film', body, 'bert-sentence'),
		(SELECT array_agg(p) FROM distil_pair_scores(body, 'a film', 'distilbert-nli') AS p),
		distil_rerank('a film', ARRAY[body], 'bert-rerank'), distil_rerank_distance('a film', body, 'bert-rerank'),
		(SELECT array_agg(f) FROM distil_fill_mask(body || ' [MASK]', 'bert-mlm') AS f),
		distil_sentiment(ARRAY[body], 'distilbert-sentiment'), distil_embed(ARRAY[body], 'bert-sentence'),
		distil_answer_text(ARRAY['What?'], ARRAY[body], 'distilbert-qa'), distil_mask(ARRAY[body], 'bert-ner'))::text) FROM long
$$;
SELECT pg_temp.answers() AS answers \gset
SET distilbert.long_text = truncate;
SELECT pg_temp.answers() = :'answers' AS truncate;
SET distilbert.long_text = error;
SET distilbert.on_error = 'null';
SELECT pg_temp.answers() = :'answers' AS error_null;
SET distilbert.batch_tokens = 100;
SET distilbert.enable_batching = off;
SET search_path = public;
SET client_encoding = 'LATIN1';
SET TimeZone = 'Asia/Tokyo';
SET lc_numeric = 'C';
SELECT pg_temp.answers() = :'answers' AS others;
RESET client_encoding;
RESET distilbert.batch_tokens;
RESET distilbert.enable_batching;

-- forms without a model go by the settings
SET distilbert.sentiment_model = 'distilbert-sentiment';
SELECT distil_sentiment(body) IS NULL AS none FROM long;
SET distilbert.on_error = 'error';
SELECT distil_sentiment(body) FROM long;
SET distilbert.long_text = truncate;
SELECT distil_sentiment(body) = distil_sentiment(body, 'distilbert-sentiment', 'truncate') AS same,
	distil_sentiment(body) = distil_sentiment(body, 'distilbert-sentiment') AS not_window FROM long;

-- what an argument says counts, alone, in batches, in arrays, and the cache keeps them apart
SET distilbert.cache_size = 1024;
CREATE TEMP TABLE doc AS SELECT i AS id, CASE WHEN i % 3 = 0 THEN body ELSE 'film ' || i END AS body FROM long, generate_series(1, 6) AS i;
EXPLAIN (COSTS OFF) SELECT distil_sentiment(body, 'distilbert-sentiment', on_error => 'null') FROM doc;
SELECT bool_and(w = distil_sentiment(ARRAY[body], 'distilbert-sentiment'))  AS window,
	bool_and(t = distil_sentiment(ARRAY[body], 'distilbert-sentiment', 'truncate')) AS truncate,
	bool_and(e IS NOT DISTINCT FROM distil_sentiment(ARRAY[body], 'distilbert-sentiment', 'error', 'null')) AS error,
	count(*) FILTER (WHERE w IS DISTINCT FROM t) AS differ, count(*) FILTER (WHERE e = '{NULL}') AS nulls
FROM (SELECT body, ARRAY[distil_sentiment(body, 'distilbert-sentiment')] AS w,
		ARRAY[distil_sentiment(body, 'distilbert-sentiment', long_text => 'truncate')] AS t,
		ARRAY[distil_sentiment(body, 'distilbert-sentiment', long_text => 'error', on_error => 'null')] AS e FROM doc OFFSET 0) AS d;
RESET client_min_messages;
SELECT distil_sentiment(body, 'distilbert-sentiment', long_text => 'error') FROM doc WHERE id = 3;
SELECT distil_classify(body, 'distilbert-sentiment', long_text => 'error', on_error => 'null') IS NULL AS none FROM doc WHERE id = 3;
SELECT count(*) FROM doc, distil_scores(body, 'distilbert-sentiment', long_text => 'error', on_error => 'null');
SELECT distil_sentiment('x', 'distilbert-sentiment', on_error => NULL) IS NULL AS strict,
	distil_embed('x', 'bert-sentence', long_text => NULL) IS NULL AS as_strict,
	distil_embed(ARRAY['x'], 'bert-sentence', on_error => NULL) IS NULL AS array_as_strict,
	(SELECT count(*) FROM distil_fill_mask('x [MASK]', 'bert-mlm', long_text => NULL)) AS rows;
SELECT distil_sentiment('x', 'distilbert-sentiment', long_text => 'cut');
SELECT distil_sentiment(body, 'distilbert-sentiment', on_error => 'ignore') FROM doc;
SELECT distil_token_count('x', 'distilbert-sentiment', on_error => '');
SELECT distil_sentiment('x', on_error => 'null');

-- a constraint that cannot be got around
CREATE TEMP TABLE praise (body text CONSTRAINT friendly CHECK (distil_score(body, 'distilbert-sentiment', 'POSITIVE') > 2));
SET distilbert.long_text = error;
SET distilbert.on_error = 'null';
\set VERBOSITY terse
INSERT INTO praise SELECT body FROM long;
\set VERBOSITY default

-- an index, a generated column and a partition that agree with what a query computes
CREATE TEMP TABLE stored (id int, body text, mood real GENERATED ALWAYS AS (distil_sentiment(body, 'distilbert-sentiment')) STORED);
CREATE INDEX stored_mood ON stored (distil_sentiment(body, 'distilbert-sentiment'));
CREATE TEMP TABLE part (id int, body text) PARTITION BY RANGE (distil_sentiment(body, 'distilbert-sentiment'));
CREATE TEMP TABLE part_low PARTITION OF part FOR VALUES FROM (MINVALUE) TO (0);
CREATE TEMP TABLE part_high PARTITION OF part FOR VALUES FROM (0) TO (MAXVALUE);
SET distilbert.long_text = truncate;
INSERT INTO stored SELECT id, body FROM doc;
INSERT INTO part SELECT id, body FROM doc;
RESET distilbert.long_text;
RESET distilbert.on_error;
INSERT INTO part SELECT id + 6, body FROM doc;
SELECT count(*) FILTER (WHERE mood = distil_sentiment(body, 'distilbert-sentiment')) AS equal, count(*) FROM stored;
SELECT count(*) FILTER (WHERE (tableoid = 'part_low'::regclass) = (distil_sentiment(body, 'distilbert-sentiment') < 0)) AS right_place, count(*) FROM part;
SET enable_seqscan = off;
SELECT count(*) AS by_index FROM stored WHERE distil_sentiment(body, 'distilbert-sentiment') > -2;
SELECT count(*) AS by_index FROM stored WHERE distil_sentiment(body, 'distilbert-sentiment') = (SELECT mood FROM stored WHERE id = 3);
RESET enable_seqscan;
SELECT count(*) AS by_table FROM stored WHERE mood = (SELECT mood FROM stored WHERE id = 3);
DROP TABLE praise, stored, part;

-- no settings of its own
SELECT proconfig FROM pg_proc WHERE proname = 'distil_moderate';
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- equal texts of an array, of documents, of a statement's rows are computed once
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence distilbert-qa distilbert-nli bert-rerank'
\set ECHO none
\i :setup
\set ECHO all
\set news 'SELECT model, rows, texts FROM distil_stats WHERE texts > 0 ORDER BY model COLLATE "C"'
CREATE TEMP TABLE texts AS SELECT array_agg('film ' || i % 3 ORDER BY i) AS a, array_agg('good ' || i % 2 ORDER BY i) AS b FROM generate_series(1, 300) AS i;

SELECT distil_stats_reset();
SELECT cardinality(distil_sentiment(a, 'distilbert-sentiment')), array_dims(distil_embed(a, 'bert-sentence')), cardinality(distil_mask(a, 'bert-ner')),
	cardinality(distil_answer_text(b, a, 'distilbert-qa')), cardinality(distil_rerank('film', a, 'bert-rerank')) FROM texts;
SELECT count(*) FROM texts, distil_zero_shot('A film', b, 'distilbert-nli');
:news;

-- they have the bits that they have alone
SELECT bool_and(s = distil_sentiment(t, 'distilbert-sentiment')) AS sentiment FROM texts, unnest(a, distil_sentiment(a, 'distilbert-sentiment')) AS u (t, s);
SELECT bool_and(s = distil_answer_text(q, t, 'distilbert-qa')) AS answers FROM texts, unnest(b, a, distil_answer_text(b, a, 'distilbert-qa')) AS u (q, t, s);
SELECT bool_and(s = (distil_rerank('film', ARRAY[t], 'bert-rerank'))[1]) AS rerank FROM texts, unnest(a, distil_rerank('film', a, 'bert-rerank')) AS u (t, s);
SELECT bool_and(m = distil_mask(t, 'bert-ner')) AS masks FROM (VALUES (ARRAY['Anna in Berlin', 'x', NULL, 'Anna in Berlin', 'Anna in Rome', '', 'Anna in Berlin', ''])) AS v (a),
	unnest(a, distil_mask(a, 'bert-ner')) AS u (t, m);
SELECT m[1:1] = distil_embed(ARRAY[a[1]], 'bert-sentence') AND m[1:1] = m[4:4] AND m[300:300] = distil_embed(ARRAY[a[300]], 'bert-sentence') AS rows
FROM (SELECT a, distil_embed(a, 'bert-sentence') AS m FROM texts) AS e;

-- pairs are equal if both texts are; NULL, and texts that cannot be evaluated
SELECT distil_stats_reset();
SELECT cardinality(distil_answer_text(ARRAY['a b', 'a', 'a b', NULL, 'a b'], ARRAY['c', 'b c', 'c', 'c', NULL], 'distilbert-qa'));
SELECT distil_sentiment(ARRAY['x', repeat('x ', 100), NULL, 'x', repeat('x ', 100)], 'distilbert-sentiment', 'error', 'null') IS NOT NULL AS answered;
:news;

-- batch by batch, and more of them than wait for a batch
SET distilbert.batch_tokens = 10;
SELECT distil_stats_reset();
SELECT cardinality(distil_sentiment(array_fill('a film'::text, ARRAY[140000]), 'distilbert-sentiment'));
:news;
-- though equal ones are far apart
SELECT distil_stats_reset();
SELECT cardinality(distil_sentiment(a || NULL::text || a, 'distilbert-sentiment')), array_dims(distil_embed(a || NULL::text || a, 'bert-sentence')), cardinality(distil_mask(a, 'bert-ner')),
	cardinality(distil_answer_text(b, a, 'distilbert-qa')), cardinality(distil_rerank('film', a, 'bert-rerank')) FROM texts;
:news;
SELECT bool_and(m[i:i] = distil_embed(ARRAY[(a || NULL::text || a)[i]], 'bert-sentence')) AS rows, count(*)
FROM (SELECT a, distil_embed(a || NULL::text || a, 'bert-sentence') AS m FROM texts) AS e, generate_series(1, 601) AS i WHERE i <> 301;
RESET distilbert.batch_tokens;

-- moderation of a statement, evaluation
CREATE TEMP TABLE post (body text);
CREATE TRIGGER reject AFTER INSERT ON post REFERENCING NEW TABLE AS new FOR EACH STATEMENT
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1');
SELECT distil_stats_reset();
INSERT INTO post SELECT unnest(a) FROM texts;
:news;
SELECT distil_stats_reset();
SELECT count(*) > 0 AS evaluated FROM distil_evaluate('distilbert-sentiment', $$SELECT body, 'POSITIVE' FROM post$$);
:news;
DROP TABLE post;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distilbert.threads: the same answers, bit for bit
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-sentence'
\set ECHO none
\i :setup
\set ECHO all

SHOW distilbert.threads;
PREPARE answers AS
	SELECT md5(distil_sentiment(array_agg(body ORDER BY model, n), 'distilbert-sentiment')::text ||
		distil_embed(array_agg(body ORDER BY model, n), 'bert-sentence')::text ||
		string_agg((SELECT string_agg(e::text, ' ') FROM distil_entities(body, 'bert-ner') e), ' ' ORDER BY model, n)) AS answers
	FROM golden;
EXECUTE answers \gset one_
SET distilbert.threads = 2;
EXECUTE answers \gset two_
SET distilbert.threads = 3;
EXECUTE answers \gset three_
SELECT :'one_answers' = :'two_answers' AS two, :'one_answers' = :'three_answers' AS three;

-- rolled back with the transaction
BEGIN;
SET LOCAL distilbert.threads = 4;
EXECUTE answers \gset four_
ROLLBACK;
SHOW distilbert.threads;
EXECUTE answers \gset again_
SELECT :'one_answers' = :'four_answers' AS four, :'one_answers' = :'again_answers' AS again;

SET distilbert.threads = 0;
SET distilbert.threads = 65;

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

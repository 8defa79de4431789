-- distil_answer, distil_answer_text
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-qa roberta-qa xlm-roberta-qa albert-qa distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all

RESET distilbert.long_text;
-- the question-answering pipeline's answers, long contexts in windows; its positions are 0-based and exclude the end
CREATE TEMP TABLE wanted AS
	SELECT n, c ->> 'model' AS model, c ->> 'question' AS question, c ->> 'context' AS context, (c ->> 'top_k')::int AS top_k,
		coalesce((c ->> 'no_answer')::bool, false) AS no_answer, coalesce((c ->> 'max_answer_tokens')::int, 15) AS max_answer_tokens,
		c -> 'answers' AS answers
	FROM jsonb_array_elements(pg_read_file(:'fixtures' || 'pairs.json')::jsonb -> 'answers' -> 'cases') WITH ORDINALITY AS cases (c, n);
CREATE TEMP TABLE compared AS
	SELECT n, context, i, w ->> 'answer' AS wanted, f.answer AS found,
		abs((w ->> 'score')::float8 - f.score) AS difference,
		CASE WHEN w ->> 'answer' IS NULL THEN f.start_pos IS NULL AND f.end_pos IS NULL
			ELSE ((w ->> 'start')::int + 1, (w ->> 'end')::int) = (f.start_pos, f.end_pos) END AS places_agree,
		substr(context, f.start_pos, f.end_pos - f.start_pos + 1) AS cut_out
	FROM (SELECT n, context, i, w FROM wanted, jsonb_array_elements(answers) WITH ORDINALITY AS a (w, i)) AS w
		FULL JOIN (SELECT n, f.* FROM wanted, LATERAL distil_answer(question, context, model, top_k, no_answer, max_answer_tokens)
			WITH ORDINALITY AS f (answer, score, start_pos, end_pos, i)) AS f USING (n, i);
SELECT count(*) > 300 AS many, bool_and(wanted IS NOT DISTINCT FROM found) AS answers_agree, bool_and(places_agree) AS places_agree,
	max(coalesce(difference, 1)) < 1e-5 AS scores_agree, bool_and(cut_out IS NOT DISTINCT FROM found) AS cut_out
FROM compared;
SELECT n, i, wanted, found, difference, left(context, 40) FROM compared
WHERE wanted IS DISTINCT FROM found OR NOT places_agree OR coalesce(difference, 1) > 1e-5 ORDER BY n, i LIMIT 10;

-- one value a row, alone, in batches and in arrays
SELECT bool_and(distil_answer_text(question, context, 'distilbert-qa') = answers -> 0 ->> 'answer') AS agree
FROM wanted WHERE top_k = 1;
SELECT array_agg(answers -> 0 ->> 'answer' ORDER BY n) = distil_answer_text(array_agg(question ORDER BY n), array_agg(context ORDER BY n), 'distilbert-qa') AS agree
FROM wanted WHERE top_k = 1;

-- the default model; a third text is the model, whatever it looks like
SELECT * FROM distil_answer('Where is Anna?', 'Anna is in Berlin');
SET distilbert.answer_model = 'distilbert-qa';
SELECT answer, start_pos, end_pos FROM distil_answer('Where is Anna?', 'Anna is in Berlin');
SELECT count(*) FROM distil_answer('Where is Anna?', 'Anna is in Berlin', 3);
SELECT count(*) FROM distil_answer('Where is Anna?', 'Anna is in Berlin', top_k => 100, max_answer_tokens => 1);
\set VERBOSITY terse
SELECT count(*) FROM distil_answer('Where is Anna?', 'Anna is in Berlin', '3');
\set VERBOSITY default
SELECT distil_answer_text('Where is Anna?', 'Anna is in Berlin') = distil_answer_text('Where is Anna?', 'Anna is in Berlin', 'distilbert-qa') AS same;

-- nothing to answer from
SELECT * FROM distil_answer('Where is Anna?', '');
SELECT * FROM distil_answer('Where is Anna?', E' \n ', no_answer => true);
SELECT distil_answer_text('Where is Anna?', '') IS NULL AS none, distil_answer_text('', 'Berlin') AS no_question;
SELECT * FROM distil_answer(NULL, 'x');
SELECT distil_answer_text('x', NULL), distil_answer_text(NULL::text, 'x'), distil_answer_text('x', 'x', NULL);
SELECT distil_answer_text(ARRAY['Where?', NULL, 'Who?', 'When?'], ARRAY['Berlin', 'x', NULL, '']),
	distil_answer_text('{}'::text[], '{}'), distil_answer_text(NULL::text[], '{}');

-- a question that leaves no room; only the beginning of a context read, or none of it
SELECT * FROM distil_answer(repeat('where ', 100), repeat('Anna is in Berlin. ', 50));
SET distilbert.long_text = 'truncate';
SELECT max(end_pos) < 300 AS beginning FROM distil_answer('Where is Anna?', repeat('Anna is in Berlin. ', 50), top_k => 1000);
SET distilbert.long_text = 'error';
SELECT * FROM distil_answer('Where is Anna?', repeat('Anna is in Berlin. ', 50));
RESET distilbert.long_text;

-- what is wrong is said
SELECT * FROM distil_answer('x', 'y', top_k => 0);
SELECT * FROM distil_answer('x', 'y', max_answer_tokens => -1);
SELECT * FROM distil_answer('x', 'y', 'distilbert-sentiment');
SELECT distil_answer_text('x', 'y', 'distilbert-sentiment');
SELECT distil_sentiment('x', 'distilbert-qa');
SELECT distil_answer_text(ARRAY['x', 'y'], ARRAY['z']);
SELECT distil_answer_text(ARRAY[['x'], ['y']], ARRAY['z', 'z']);

-- rows are batched
CREATE TEMP TABLE asked AS SELECT n, question, context FROM wanted WHERE top_k = 1;
SET distilbert.enable_batching = off;
CREATE TEMP TABLE row_by_row AS SELECT n, distil_answer_text(question, context, 'distilbert-qa') AS answer FROM asked;
SET distilbert.enable_batching = on;
EXPLAIN (COSTS OFF) SELECT n, distil_answer_text(question, context, 'distilbert-qa') FROM asked;
SELECT count(*), bool_and(answer = batched) AS same
FROM row_by_row JOIN (SELECT n, distil_answer_text(question, context, 'distilbert-qa') AS batched FROM asked) AS b USING (n);

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

-- distil_tokenize and distil_token_count
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment bert-ner bert-base-cased distilbert-base'
\set ECHO none
\i :setup
\set ECHO all

SELECT distil_tokenize('The film was unbelievably good!', 'distilbert-sentiment');
SELECT distil_tokenize('Café 😀 [MASK] 北京', 'bert-ner');
SELECT distil_tokenize('', 'distilbert-sentiment') AS empty, distil_tokenize(E' \t\u0001\u200b ', 'distilbert-sentiment') AS blank;

-- the tokens of the goldens; theirs are cut at the model's limit, these are not
CREATE TEMP TABLE vocab AS
	SELECT model, (i - 1)::text AS id, token
	FROM (SELECT DISTINCT model FROM golden WHERE model <> 'bert-base-cased') AS m,
		LATERAL string_to_table(pg_read_file(:'fixtures' || model || '/vocab.txt'), E'\n') WITH ORDINALITY AS v (token, i);

SELECT model, count(*) AS tokens, count(*) = (SELECT sum(jsonb_array_length(expected -> 'input_ids')) FROM golden WHERE golden.model = g.model) AS all,
	bool_and(token = tokens[i] OR i = 64) AS agree
FROM (SELECT *, distil_tokenize(body, model) AS tokens FROM golden) AS g,
	LATERAL (SELECT token, i FROM jsonb_array_elements_text(expected -> 'input_ids') WITH ORDINALITY AS e (id, i)
			 JOIN vocab ON vocab.id = e.id AND vocab.model = g.model) AS t
GROUP BY model ORDER BY model;

-- nothing is cut off, and both functions agree
SELECT model, bool_and(cardinality(distil_tokenize(body, model)) = distil_token_count(body, model)) AS agree,
	bool_and(distil_token_count(body, model) >= jsonb_array_length(expected -> 'input_ids')) AS whole,
	max(distil_token_count(body, model)) > 64 AS longer
FROM golden GROUP BY model ORDER BY model;

-- far beyond any model's limit
SELECT distil_tokenize(repeat('x', 101), 'distilbert-sentiment') AS long_word;
SELECT distil_token_count(repeat('good film ', 100000), 'distilbert-sentiment');
SELECT cardinality(distil_tokenize(repeat('good film ', 10000), 'distilbert-sentiment'));
SELECT distil_token_count(repeat('x', 10000000), 'distilbert-sentiment') AS one_word,
	distil_token_count(repeat('!', 10000000), 'distilbert-sentiment') AS signs,
	distil_token_count(repeat(' ', 10000000), 'distilbert-sentiment') AS blanks;

-- any model will do; NULL; named notation
SELECT distil_token_count('good', 'bert-ner') > 2 AS ner, distil_token_count('good', 'distilbert-base') AS base;
SELECT distil_tokenize(NULL, 'bert-ner') IS NULL AS text, distil_token_count('x', NULL) IS NULL AS model;
SELECT distil_tokenize(text => 'x', model => 'bert-ner') AS tokens, distil_token_count(text => 'x', model => 'bert-ner') AS count;

\set VERBOSITY terse
SELECT distil_tokenize('x', 'no such model');
SELECT distil_token_count('x', 'no such model');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest(string_to_array(:'models', ' ')) AS m;

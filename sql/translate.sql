-- distil_translate
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models ''
\set ECHO none
\i :setup
\set ECHO all
\set one :fixtures 'marian-one'
\set many :fixtures 'marian-many'
SELECT (distil_load_model('marian-one', :'one', replace => true)).task;
SELECT (distil_load_model('marian-many', :'many', replace => true)).task;
SELECT (distil_load_model('marian-8', :'one', "precision" => 'int8', replace => true)).task;
SET client_min_messages = error;

-- what transformers' generate gives, of texts that are one sentence
CREATE TEMP TABLE wanted AS
	SELECT model, n, c ->> 'text' AS body, c ->> 'language' AS language, beams, c -> ('beams' || beams) ->> 'text' AS wanted
	FROM unnest('{marian-one,marian-many}'::text[]) AS model,
		jsonb_array_elements(pg_read_file(:'fixtures' || model || '/translations.json')::jsonb -> 'cases') WITH ORDINALITY AS cases (c, n),
		unnest('{1,4,6}'::int[]) AS beams
	WHERE c ->> 'text' !~ E'[.!?…]\\s|\\n';
SELECT model, count(*), bool_and(distil_translate(body, model, beams => beams, language => language) = wanted) AS same
FROM wanted GROUP BY model ORDER BY model;
SELECT bool_and(distil_translate(body, 'marian-one') = wanted) AS beams_of_the_file FROM wanted WHERE model = 'marian-one' AND beams = 4;

-- arrays, rows: the same
SELECT distil_translate(array_agg(body ORDER BY n), 'marian-one', beams => 4) = array_agg(wanted ORDER BY n) AS same
FROM wanted WHERE model = 'marian-one' AND beams = 4;
SELECT distil_translate('{NULL,"",x,x}'::text[], 'marian-one', beams => 1) = ARRAY[NULL, '', x, x] AS same, distil_translate('{}'::text[], 'marian-one')
FROM distil_translate('x', 'marian-one', beams => 1) AS x;
EXPLAIN (COSTS OFF) SELECT distil_translate(body, 'marian-one', beams => 4) FROM wanted;
CREATE TEMP TABLE batched AS SELECT body, distil_translate(body, 'marian-one', beams => 2) AS t, distil_translate(body, 'marian-8', beams => 2) AS t8 FROM wanted;
SET distilbert.enable_batching = off;
SELECT count(*), count(DISTINCT t) > 5 AS differ, bool_and(t = distil_translate(body || '', 'marian-one', beams => 2)) AS same,
	bool_and(t8 = distil_translate(body || '', 'marian-8', beams => 2)) AS same8 FROM batched;
RESET distilbert.enable_batching;

-- sentence by sentence, with what stood between
SELECT distil_translate(E' Anna.  Anna!\n\n- Anna\t', 'marian-one', beams => 1) = E' ' || a || E'  ' || b || E'\n\n' || c || E'\t' AS same
FROM distil_translate('Anna.', 'marian-one', beams => 1) AS a, distil_translate('Anna!', 'marian-one', beams => 1) AS b,
	distil_translate('- Anna', 'marian-one', beams => 1) AS c;
SELECT distil_translate(NULL, 'marian-one'), distil_translate('x', NULL), distil_translate('', 'marian-one') = '' AS empty,
	distil_translate(E' \n', 'marian-one') = E' \n' AS blank;
-- no sentence, no end
SELECT length(distil_translate(repeat('The film was a delight and ', 400), 'marian-one', beams => 1)) > 1000 AS some;
-- with less memory fewer sentences go together, and say the same
CREATE TEMP TABLE joined AS SELECT array_agg(body || i) AS texts FROM wanted, generate_series(1, 6) AS i;
CREATE TEMP TABLE said AS SELECT distil_translate(texts, 'marian-one', beams => 4) AS t FROM joined;
SET distilbert.max_memory = '1MB';
SELECT cardinality(t) > 60 AS many, t = distil_translate(texts, 'marian-one', beams => 4) AS same FROM joined, said;
SET distilbert.max_memory = '100kB';
\set VERBOSITY terse
SELECT distil_translate('x', 'marian-one', beams => 4);
\set VERBOSITY default
RESET distilbert.max_memory;

RESET client_min_messages;
SELECT length(distil_translate('The room was clean and the staff were friendly', 'marian-one', max_tokens => 3)) > 0 AS some;

-- what is wrong is said
SELECT distil_translate('x', 'marian-one', max_tokens => 0);
SELECT distil_translate('x', 'marian-one', max_tokens => 64);
SELECT distil_translate('x', 'marian-one', beams => 17);
SELECT distil_translate('x', 'marian-one', language => 'fra');
SELECT distil_translate('x', 'marian-many');
SELECT distil_translate('x', 'marian-many', language => 'ita');
SELECT distil_translate('x', 'marian-one', on_error => 'never');
SELECT distil_sentiment('x', 'marian-one');
SELECT distil_translate('x', 'sentiment-en-v1');

SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest('{marian-one,marian-many,marian-8}'::text[]) AS m;

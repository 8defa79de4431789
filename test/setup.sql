-- What the regression tests share.  Before including it a test sets "models",
-- the fixtures it wants (names apart by blanks).  Afterwards they are loaded
-- under their own names, and the table golden has a row for each of their
-- cases: what transformers computed.
\set fixtures :abs_srcdir '/test/fixtures/'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;

-- tests compute what they ask for; those of the result cache turn it on
SET distilbert.cache_size = 0;

-- the setting that puts queries into workers, whose name changed in 16
SELECT name AS parallel_mode FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset

-- the goldens are of transformers with truncation=True
SET distilbert.long_text = truncate;

CREATE TEMP TABLE golden AS
	SELECT model, n::int, c ->> 'text' AS body, c AS expected
	FROM unnest(string_to_array(:'models', ' ')) AS model,
		jsonb_array_elements(pg_read_file(:'fixtures' || model || '/golden.json')::jsonb -> 'cases')
			WITH ORDINALITY AS cases (c, n)
	WHERE NOT c ? 'pair';
ANALYZE golden;

-- another test may have left them
SET client_min_messages = warning;
SELECT count(l.name) AS loaded
FROM unnest(string_to_array(:'models', ' ')) AS model,
	LATERAL distil_load_model(model, :'fixtures' || model, replace => true) AS l;
RESET client_min_messages;

-- softmax, in double precision
CREATE FUNCTION pg_temp.softmax(logits jsonb) RETURNS float8[] LANGUAGE sql AS $$
	SELECT array_agg(exp(x - high) / total ORDER BY i)
	FROM (SELECT i, x::float8, max(x::float8) OVER () AS high FROM jsonb_array_elements_text($1) WITH ORDINALITY AS e (x, i)) AS l,
		LATERAL (SELECT sum(exp(y::float8 - high)) AS total FROM jsonb_array_elements_text($1) AS y) AS t
$$;

-- the largest difference of two vectors
CREATE FUNCTION pg_temp.distance(real[], jsonb) RETURNS float8 LANGUAGE sql AS $$
	SELECT max(coalesce(abs(a - b::float8), 'Infinity'))
	FROM unnest($1) WITH ORDINALITY AS x (a, i) FULL JOIN jsonb_array_elements_text($2) WITH ORDINALITY AS y (b, i) USING (i)
$$;

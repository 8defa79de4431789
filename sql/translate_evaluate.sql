-- BLEU and chrF of translators, beside sacrebleu's (test/golden/make_translation_scores.py)
\getenv abs_srcdir PG_ABS_SRCDIR
\set setup :abs_srcdir '/test/setup.sql'
\set models 'distilbert-sentiment'
\set ECHO none
\i :setup
\set ECHO all
\set one :fixtures 'marian-one'
\set many :fixtures 'marian-many'
SELECT (distil_load_model('marian-one', :'one', replace => true)).task;
SELECT (distil_load_model('marian-many', :'many', replace => true)).task;
CREATE TABLE sentences AS
	SELECT model, c ->> 'text' AS body, c -> 'beams6' ->> 'text' AS reference, c ->> 'language' AS language
	FROM unnest('{marian-one,marian-many}'::text[]) AS model,
		jsonb_array_elements(pg_read_file(:'fixtures' || model || '/translations.json')::jsonb -> 'cases') AS c
	WHERE c ->> 'text' !~ E'[.!?…]\\s|\\n';
SELECT model, e ->> 0 AS bleu, e ->> 1 AS chrf, (e ->> 2)::int AS n
	INTO TEMP expected FROM jsonb_each(pg_read_file(:'abs_srcdir' || '/test/golden/translation-scores.json')::jsonb -> 'models') AS j (model, e);
SET client_min_messages = error;
SELECT label, abs(value - CASE label WHEN '(bleu)' THEN bleu ELSE chrf END::float8) < 1e-4 AS same, value > 1 AS some, support = n AS counted
FROM expected, distil_evaluate(model, $$SELECT body, reference FROM sentences WHERE model = 'marian-one'$$) WHERE model = 'marian-one';
SELECT label, abs(value - CASE label WHEN '(bleu)' THEN bleu ELSE chrf END::float8) < 1e-4 AS same, value > 1 AS some, support = n AS counted
FROM expected, distil_evaluate(model, $$SELECT body, reference::varchar, language::name FROM sentences WHERE model = 'marian-many'$$) WHERE model = 'marian-many';

-- its own translations are the best references; blocks of rows; none at all
SELECT label, round(value::numeric, 4) AS value, support FROM distil_evaluate('marian-one',
	$$SELECT body, distil_translate(body, 'marian-one') FROM (SELECT 'Anna Keller works for number ' || i FROM generate_series(1, 300) AS i) AS t (body)$$);
SELECT label, value, support FROM distil_evaluate('marian-one', $$SELECT 'Anna Keller works', ''$$);
SELECT label, value, support FROM distil_evaluate('marian-one', $$SELECT '', 'Anna Keller works'$$);
SELECT label, value, support FROM distil_evaluate('marian-one', $$VALUES ('', ''), (E' \n', '')$$);

RESET client_min_messages;
-- NULL: rows that are left out
SELECT label, support FROM distil_evaluate('marian-one', $$VALUES (NULL, 'x'), ('x', NULL), ('Anna', 'Anna')$$);
SELECT label, support FROM distil_evaluate('marian-one', $$VALUES ('Anna', 'Anna', NULL::text), (NULL, 'Anna', NULL)$$);
SELECT distil_evaluate('marian-one', $$SELECT NULL::text, NULL::text$$);
SELECT distil_evaluate('marian-one', $$SELECT 'x', 'x' WHERE false$$);

-- what does not fit
SELECT distil_evaluate('marian-one', $$SELECT 'x'$$);
SELECT distil_evaluate('marian-one', $$SELECT 'x', 1$$);
SELECT distil_evaluate('marian-one', $$SELECT 'x', 'x', 1.5$$);
SELECT distil_evaluate('marian-one', $$SELECT 'x', 'x', 'fra'$$);
SELECT distil_evaluate('marian-many', $$SELECT 'x', 'x'$$);
SELECT distil_evaluate('marian-many', $$VALUES ('x', 'x', 'fra'), ('x', 'x', 'ita')$$);
SELECT distil_confusion('marian-one', $$SELECT 'x', 'x'$$);
SELECT distil_compare('marian-one', 'distilbert-sentiment', $$SELECT 'x', 'x'$$);

SET client_min_messages = error;
-- two translators, and the same one twice; what is chance has no difference
SELECT metric, a = b AS same, a > 1 AS some, difference, p_value, test, rows FROM distil_compare('marian-one', 'marian-one',
	$$SELECT body, reference FROM sentences WHERE model = 'marian-one'$$);
SELECT (distil_load_model('marian-8', :'one', "precision" => 'int8', replace => true)).task;
SELECT c.metric, abs(c.a - e.value) < 1e-5 AS a, abs(c.b - f.value) < 1e-5 AS b, c.p_value BETWEEN 0 AND 1 AS p, c.rows = e.support AS rows
FROM distil_compare('marian-one', 'marian-8', $$SELECT body, reference FROM sentences WHERE model = 'marian-one'$$) AS c
	JOIN distil_evaluate('marian-one', $$SELECT body, reference FROM sentences WHERE model = 'marian-one'$$) AS e ON e.label = '(' || c.metric || ')'
	JOIN distil_evaluate('marian-8', $$SELECT body, reference FROM sentences WHERE model = 'marian-one'$$) AS f ON f.label = e.label;

DROP TABLE sentences;
SELECT bool_and(distil_drop_model(m)) AS dropped FROM unnest('{marian-one,marian-many,marian-8,distilbert-sentiment}'::text[]) AS m;

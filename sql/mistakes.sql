-- calls that look right: errors that say what to write
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
RESET client_min_messages;
CREATE FUNCTION pg_temp.try(statement text) RETURNS TABLE (said text) LANGUAGE plpgsql AS $$
DECLARE state text; msg text; hint text;
BEGIN
	EXECUTE statement;
	RETURN QUERY SELECT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, msg = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN QUERY SELECT concat_ws(' | ', state, msg, regexp_replace(hint, 'such as ".*\.$', 'such as ...'));
END $$;
SELECT statement, said FROM unnest(ARRAY[
	'SELECT distil_classify(body) FROM (VALUES (''x'')) AS t (body)', 'SELECT distil_classify(''x'')', 'SELECT distil_classify(NULL)',
	'SELECT distil_classify(ARRAY[''x''])', 'SELECT * FROM distil_scores(''x'')', 'SELECT distil_uncertainty(''x''::varchar)',
	'SELECT distil_score(''x'', ''POSITIVE'')', 'SELECT distil_pair_scores(''x'', ''y'')',
	'SELECT distil_embed(''x'', 64)', 'SELECT distil_embed(ARRAY[''x''], 64::smallint)', 'SELECT distil_embed_query(''x''::name, 64)',
	'SELECT distil_embed_passage(''x'', 64)', 'SELECT distil_embed(''x'', NULL::int)',
	'SELECT distil_classify()']) AS statement, pg_temp.try(statement);

-- what was right is right
SELECT distil_embed('x', dimensions => 8) IS NULL AS a, distil_embed('x', NULL, 8) IS NULL AS b, distil_embed('x', true, 8) IS NULL AS c,
	distil_embed('x', NULL) IS NULL AS d, distil_embed(NULL, 'bert-sentence') IS NULL AS e, distil_classify('x', NULL) IS NULL AS f,
	distil_score(NULL, NULL, NULL) IS NULL AS g;
SELECT distil_classify(NULL, NULL) IS NULL AS h, distil_uncertainty(NULL, NULL) IS NULL AS i;

-- the schema of the models is the extension's
\set SHOW_CONTEXT never
BEGIN;
SET LOCAL client_min_messages = warning;
DROP EXTENSION distilbert CASCADE;
CREATE SCHEMA distilbert;
SAVEPOINT s;
CREATE EXTENSION distilbert SCHEMA distilbert;
ROLLBACK TO s;
CREATE EXTENSION distilbert;
ROLLBACK TO s;
ALTER SCHEMA distilbert RENAME TO mine;
CREATE EXTENSION distilbert SCHEMA mine;
SELECT mine.distil_classify('x', NULL) IS NULL AS works;
ROLLBACK;

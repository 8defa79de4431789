-- What sqlsmith makes its queries of: a role that may do little, tables with
-- texts and the names of models, and not all of PostgreSQL's functions, so that
-- ours are a good part of those it calls.
CREATE ROLE smith LOGIN;
CREATE TABLE review AS
SELECT id, CASE WHEN id % 9 > 0 THEN 'A film about soup ' || id END AS body, m.name AS model, id / 10.0::real AS mood,
	ARRAY['a good film', 'soup ' || id] AS parts, distil_embed('film ' || id) AS vector
FROM generate_series(1, 20) AS id, distil_models AS m WHERE builtin;
GRANT ALL ON review TO smith;
DO $$ BEGIN FOR i IN 1 .. 9 LOOP EXECUTE format('CREATE TABLE review%s AS TABLE review; GRANT ALL ON review%1$s TO smith', i); END LOOP; END $$;
REVOKE SELECT ON distil_progress, distil_checkpoints, distil_stats FROM PUBLIC;

-- most of what it makes of ranges and places fails before anything is computed
SET allow_system_table_mods = on;
DELETE FROM pg_operator USING pg_type AS t
WHERE t.oid IN (oprleft, oprright) AND (typcategory IN ('R', 'G', 'I', 'T', 'D', 'V', 'E') OR typname ~ '^any.*(range|enum)|^(json|jsonpath|xml|pg_|tsv|tsq|aclitem|inet|cidr|tid|xid|uuid|record)');

-- sqlsmith reads pg_proc without its schema
CREATE SCHEMA smith;
GRANT USAGE ON SCHEMA smith TO smith;
CREATE VIEW smith.pg_proc AS
SELECT p.* FROM pg_catalog.pg_proc AS p
WHERE pronamespace = 'public'::regnamespace AND has_function_privilege('smith', p.oid, 'EXECUTE')
	OR (p.oid::bigint + :seed) % 20 = 0 AND provolatile <> 'v' AND prorettype::regtype::text NOT LIKE 'any%'
		AND NOT EXISTS (SELECT FROM unnest(proargtypes) AS t WHERE t::regtype::text ~ '^(any|internal|cstring)');
GRANT SELECT ON smith.pg_proc TO smith;
ALTER ROLE smith SET search_path = smith, pg_catalog, public;
ALTER ROLE smith SET statement_timeout = '5s';
-- small tables are worth workers, and results are kept
ALTER ROLE smith SET min_parallel_table_scan_size = 0;
ALTER ROLE smith SET parallel_setup_cost = 0;

-- distilbert.sql -- the install script.  The Makefile copies this living file to
-- distilbert--<version>.sql; released versions upgrade by distilbert--A--B.sql.
--
-- Functions and the view distil_models go to the schema named at CREATE
-- EXTENSION; the tables to a schema "distilbert" of their own, where C code
-- finds them whatever search_path says.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION distilbert" to load this file. \quit


-- ---------------------------------------------------------------- the model store

CREATE SCHEMA distilbert;
COMMENT ON SCHEMA distilbert IS 'models of the extension distilbert';

-- One row for each loaded model.  Rows are written by distil_load_model and
-- distil_drop_model alone: what a name stands for never changes by UPDATE.
CREATE TABLE distilbert.model (
	name			text COLLATE "C" PRIMARY KEY,
	sha256			bytea NOT NULL CHECK (pg_catalog.octet_length(sha256) OPERATOR(pg_catalog.=) 32),
	task			text NOT NULL,
	architecture	text NOT NULL,
	labels			text[],
	layers			integer NOT NULL,
	hidden_size		integer NOT NULL,
	parameters		bigint NOT NULL,
	max_tokens		integer NOT NULL,
	precision		text NOT NULL,
	bytes			bigint NOT NULL,
	loaded_at		timestamptz NOT NULL,
	loaded_by		name NOT NULL
);
COMMENT ON TABLE distilbert.model IS 'loaded models; see the view distil_models';

-- The files of each model as they were, cut into chunks of 1 MB.
CREATE TABLE distilbert.model_chunk (
	name			text COLLATE "C" NOT NULL,
	file			text COLLATE "C" NOT NULL,
	seq				integer NOT NULL,
	data			bytea NOT NULL,
	PRIMARY KEY (name, file, seq)
);
COMMENT ON TABLE distilbert.model_chunk IS 'files of the loaded models, in chunks of 1 MB';

-- Weights do not compress.
ALTER TABLE distilbert.model_chunk ALTER COLUMN data SET STORAGE EXTERNAL;

-- Whoever may call the functions may use the models; the tables are read by C code.
REVOKE ALL ON distilbert.model, distilbert.model_chunk FROM PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('distilbert.model', '');
SELECT pg_catalog.pg_extension_config_dump('distilbert.model_chunk', '');

-- Rows may also arrive by COPY (a restore) or by logical replication: then, too,
-- every session must hear of it.
CREATE FUNCTION distilbert.model_changed() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_model_changed' LANGUAGE C;
COMMENT ON FUNCTION distilbert.model_changed() IS 'tell all sessions that the loaded models changed';

CREATE TRIGGER model_changed AFTER INSERT OR UPDATE OR DELETE ON distilbert.model
	FOR EACH ROW EXECUTE FUNCTION distilbert.model_changed();
ALTER TABLE distilbert.model ENABLE ALWAYS TRIGGER model_changed;
COMMENT ON TRIGGER model_changed ON distilbert.model IS 'tell all sessions that the loaded models changed';

CREATE FUNCTION distilbert.builtin_models(
	OUT name text, OUT task text, OUT architecture text, OUT labels text[],
	OUT layers integer, OUT hidden_size integer, OUT parameters bigint,
	OUT max_tokens integer, OUT precision text, OUT bytes bigint, OUT sha256 text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_builtin_models'
	LANGUAGE C STABLE PARALLEL SAFE ROWS 5 COST 100000;
COMMENT ON FUNCTION distilbert.builtin_models() IS 'models installed with the server';

CREATE VIEW @extschema@.distil_models AS
	SELECT m.name, m.task, m.architecture, m.labels, m.layers, m.hidden_size,
		m.parameters, m.max_tokens, m.precision, m.bytes,
		pg_catalog.encode(m.sha256, 'hex') AS sha256, false AS builtin, m.loaded_at
	FROM distilbert.model m
	UNION ALL
	SELECT b.name, b.task, b.architecture, b.labels, b.layers, b.hidden_size,
		b.parameters, b.max_tokens, b.precision, b.bytes,
		b.sha256, true, NULL
	FROM distilbert.builtin_models() b
	WHERE NOT EXISTS (SELECT FROM distilbert.model m
					  WHERE m.name OPERATOR(pg_catalog.=) b.name);
COMMENT ON VIEW @extschema@.distil_models IS 'models that can be named in queries: loaded ones and those installed with the server';
GRANT SELECT ON @extschema@.distil_models TO PUBLIC;

CREATE FUNCTION @extschema@.distil_load_model(
	name text, path text, task text DEFAULT NULL, replace boolean DEFAULT false)
	RETURNS @extschema@.distil_models
	AS 'MODULE_PATHNAME', 'distil_load_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_load_model(text, text, text, boolean) IS
	'load a Hugging Face model directory under a name';

CREATE FUNCTION @extschema@.distil_drop_model(name text, if_exists boolean DEFAULT false)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_drop_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_drop_model(text, boolean) IS
	'remove a loaded model; tells whether there was one';

REVOKE ALL ON FUNCTION @extschema@.distil_load_model(text, text, text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.distil_drop_model(text, boolean) FROM PUBLIC;


-- ---------------------------------------------------------------- functions on text
-- (one value, arrays, sets; see README.md)


-- distilbert.sql -- the install script.  The Makefile copies this living file to
-- distilbert--<version>.sql; released versions upgrade by distilbert--A--B.sql.
--
-- Functions and the view distil_models go to the schema named at CREATE
-- EXTENSION; the tables to a schema "distilbert" of their own, where C code
-- finds them whatever search_path says.
--
-- The extension is trusted: in a database of an ordinary user's this script runs
-- as a superuser, and the user may have put anything into the schema that the
-- functions go to.  So every name here has its schema (types and pg_catalog's
-- own apart, which are found first), nothing is made OR REPLACE or IF NOT EXISTS,
-- and the objects belong to the superuser.  What the user may do with them stands
-- at the end.

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION distilbert" to load this file. \quit


-- ---------------------------------------------------------------- the model store

-- A schema of that name may be there, even be the one that the functions go to.
CREATE FUNCTION @extschema@.distil_check_install() RETURNS void
	AS 'MODULE_PATHNAME', 'distil_check_install' LANGUAGE C;
SELECT @extschema@.distil_check_install();
DROP FUNCTION @extschema@.distil_check_install();

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
	dimensions		integer NOT NULL,
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

-- A dump may have them behind tables whose generated columns they compute.
CREATE FUNCTION distilbert.models_restored() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_models_restored' LANGUAGE C;
COMMENT ON FUNCTION distilbert.models_restored() IS
	'while a dump is restored, compute the generated columns that waited for a model';

CREATE TRIGGER models_restored AFTER INSERT ON distilbert.model
	FOR EACH STATEMENT EXECUTE FUNCTION distilbert.models_restored();
CREATE TRIGGER models_restored AFTER INSERT ON distilbert.model_chunk
	FOR EACH STATEMENT EXECUTE FUNCTION distilbert.models_restored();
ALTER TABLE distilbert.model ENABLE ALWAYS TRIGGER models_restored;
ALTER TABLE distilbert.model_chunk ENABLE ALWAYS TRIGGER models_restored;
COMMENT ON TRIGGER models_restored ON distilbert.model IS 'compute what waited for a model';
COMMENT ON TRIGGER models_restored ON distilbert.model_chunk IS 'compute what waited for a model';

CREATE FUNCTION distilbert.builtin_models(
	OUT name text, OUT task text, OUT architecture text, OUT labels text[],
	OUT layers integer, OUT hidden_size integer, OUT dimensions integer,
	OUT parameters bigint, OUT max_tokens integer, OUT "precision" text, OUT bytes bigint, OUT sha256 text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_builtin_models'
	LANGUAGE C STABLE PARALLEL SAFE ROWS 5 COST 100000;
COMMENT ON FUNCTION distilbert.builtin_models() IS 'models installed with the server';

CREATE VIEW @extschema@.distil_models AS
	SELECT m.name, m.task, m.architecture, m.labels, m.layers, m.hidden_size,
		m.dimensions, m.parameters, m.max_tokens, m.precision, m.bytes,
		pg_catalog.encode(m.sha256, 'hex') AS sha256, false AS builtin, m.loaded_at
	FROM distilbert.model m
	UNION ALL
	SELECT b.name, b.task, b.architecture, b.labels, b.layers, b.hidden_size,
		b.dimensions, b.parameters, b.max_tokens, b.precision, b.bytes,
		b.sha256, true, NULL
	FROM distilbert.builtin_models() b
	WHERE NOT EXISTS (SELECT FROM distilbert.model m
					  WHERE m.name OPERATOR(pg_catalog.=) b.name);
COMMENT ON VIEW @extschema@.distil_models IS 'models that can be named in queries: loaded ones and those installed with the server';
GRANT SELECT ON @extschema@.distil_models TO PUBLIC;

CREATE FUNCTION @extschema@.distil_load_model(
	name text, path text, task text DEFAULT NULL, replace boolean DEFAULT false,
	"precision" text DEFAULT 'fp32', force boolean DEFAULT false)
	RETURNS @extschema@.distil_models
	AS 'MODULE_PATHNAME', 'distil_load_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_load_model(text, text, text, boolean, text, boolean) IS
	'load a Hugging Face model directory under a name';

CREATE FUNCTION @extschema@.distil_drop_model(
	name text, if_exists boolean DEFAULT false, force boolean DEFAULT false)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_drop_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_drop_model(text, boolean, boolean) IS
	'remove a loaded model; tells whether there was one';

REVOKE ALL ON FUNCTION @extschema@.distil_load_model(text, text, text, boolean, text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.distil_drop_model(text, boolean, boolean) FROM PUBLIC;


-- ---------------------------------------------------------------- uploads

-- Parts of files that clients send, until their model is stored.  Unlogged: not
-- dumped, not replicated, empty after a crash.
CREATE UNLOGGED TABLE distilbert.upload_part (
	uploader		oid NOT NULL,
	name			text COLLATE "C" NOT NULL,
	file			text COLLATE "C" NOT NULL,
	part			integer NOT NULL,
	data			bytea NOT NULL,
	sent_at			timestamptz NOT NULL,
	PRIMARY KEY (uploader, name, file, part)
);
COMMENT ON TABLE distilbert.upload_part IS 'parts of models that are being uploaded; see the view distil_uploads';
ALTER TABLE distilbert.upload_part ALTER COLUMN data SET STORAGE EXTERNAL;
REVOKE ALL ON distilbert.upload_part FROM PUBLIC;

CREATE FUNCTION @extschema@.distil_upload_part(name text, file text, part integer, data bytea)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'distil_upload_part'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_upload_part(text, text, integer, bytea) IS
	'send a part of a file of a model, numbered from 1; tells how many bytes of the model are there';

CREATE FUNCTION @extschema@.distil_upload_finish(
	name text, task text DEFAULT NULL, replace boolean DEFAULT false,
	"precision" text DEFAULT 'fp32', force boolean DEFAULT false)
	RETURNS @extschema@.distil_models
	AS 'MODULE_PATHNAME', 'distil_upload_finish'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_upload_finish(text, text, boolean, text, boolean) IS
	'load a model from the files that were uploaded';

CREATE FUNCTION @extschema@.distil_upload_cancel(name text)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_upload_cancel'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_upload_cancel(text) IS
	'drop what you uploaded of a model; tells whether there was something';

CREATE VIEW @extschema@.distil_uploads AS
	SELECT p.name, pg_catalog.pg_get_userbyid(p.uploader) AS uploader,
		pg_catalog.count(DISTINCT p.file) AS files, pg_catalog.count(*) AS parts,
		pg_catalog.sum(pg_catalog.octet_length(p.data))::bigint AS bytes,
		pg_catalog.min(p.sent_at) AS first_part_at, pg_catalog.max(p.sent_at) AS last_part_at
	FROM distilbert.upload_part p
	WHERE pg_catalog.pg_has_role(p.uploader, 'MEMBER')
	GROUP BY p.uploader, p.name;
COMMENT ON VIEW @extschema@.distil_uploads IS
	'what you, and the roles that you belong to, uploaded of models that are not finished; dropped a day after the last part';
GRANT SELECT ON @extschema@.distil_uploads TO PUBLIC;

REVOKE ALL ON FUNCTION @extschema@.distil_upload_part(text, text, integer, bytea) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.distil_upload_finish(text, text, boolean, text, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.distil_upload_cancel(text) FROM PUBLIC;


-- ---------------------------------------------------------------- statistics

CREATE FUNCTION distilbert.stats(
	OUT model text, OUT calls bigint, OUT rows bigint, OUT texts bigint,
	OUT tokens bigint, OUT truncated bigint, OUT batches bigint,
	OUT cache_hits bigint, OUT errors bigint, OUT tokenizer_ms double precision,
	OUT encoder_ms double precision, OUT load_ms double precision,
	OUT counted_in text, OUT sha256 text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_stats'
	LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION distilbert.stats() IS 'what models were used for; see the view distil_stats';

CREATE VIEW @extschema@.distil_stats AS SELECT * FROM distilbert.stats();
COMMENT ON VIEW @extschema@.distil_stats IS
	'what each model was used for in this database: by the whole server if the library is preloaded, else by this session';
GRANT SELECT ON @extschema@.distil_stats TO PUBLIC;

CREATE FUNCTION @extschema@.distil_stats_reset()
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_stats_reset'
	LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION @extschema@.distil_stats_reset() IS 'start the counts of distil_stats at zero';
REVOKE ALL ON FUNCTION @extschema@.distil_stats_reset() FROM PUBLIC;


-- ---------------------------------------------------------------- kept results

CREATE FUNCTION @extschema@.distil_results_version()
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_results_version'
	LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION @extschema@.distil_results_version() IS
	'how this server rounds: where it is the same, results are, to the last bit; NULL: they are this processor''s';

CREATE FUNCTION @extschema@.distil_check_results(
	relation regclass DEFAULT NULL, sample integer DEFAULT 1000,
	OUT "table" regclass, OUT object text, OUT checked bigint, OUT differ bigint,
	OUT difference double precision, OUT remedy text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_check_results'
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION @extschema@.distil_check_results(regclass, integer) IS
	'compare results that indexes, generated columns, constraints and partitions keep with results computed now';


-- ---------------------------------------------------------------- functions on text
--
-- Forms that name a model depend on it alone and are IMMUTABLE, as
-- to_tsvector(regconfig, text) is: fit for generated columns and expression
-- indexes.  So what becomes of long texts and of errors are arguments of theirs,
-- not settings.  Forms without a model read settings and are STABLE.  COST 1000 is
-- enough to come last among conditions, to be computed after LIMIT and to earn
-- parallel workers; an honest figure would upset plans and set off the JIT.

-- Planning a call loads the library, in time to have its rows batched.
CREATE FUNCTION distilbert.support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'distil_support'
	LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION distilbert.support(internal) IS 'planner support of the functions on text';

-- sentiment

CREATE FUNCTION @extschema@.distil_sentiment(text text)
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_sentiment'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment(text) IS
	'sentiment from -1 (negative) to 1 (positive), by the model that distilbert.sentiment_model names';

CREATE FUNCTION @extschema@.distil_sentiment(
	text text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_sentiment'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment(text, text, text, text) IS
	'sentiment from -1 (negative) to 1 (positive), by the named model';

CREATE FUNCTION @extschema@.distil_sentiment(texts text[])
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_sentiment_array'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment(text[]) IS
	'sentiment of each text, from -1 (negative) to 1 (positive)';

CREATE FUNCTION @extschema@.distil_sentiment(
	texts text[], model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_sentiment_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment(text[], text, text, text) IS
	'sentiment of each text, from -1 (negative) to 1 (positive), by the named model';

CREATE FUNCTION @extschema@.distil_sentiment_label(text text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_sentiment_label'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment_label(text) IS
	'label of the sentiment as the model spells it, by the model that distilbert.sentiment_model names';

CREATE FUNCTION @extschema@.distil_sentiment_label(
	text text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_sentiment_label'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment_label(text, text, text, text) IS
	'label of the sentiment as the named model spells it';

CREATE FUNCTION @extschema@.distil_sentiment_label(texts text[])
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_sentiment_label_array'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment_label(text[]) IS
	'label of the sentiment of each text';

CREATE FUNCTION @extschema@.distil_sentiment_label(
	texts text[], model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_sentiment_label_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_sentiment_label(text[], text, text, text) IS
	'label of the sentiment of each text, as the named model spells it';

-- classes

CREATE FUNCTION @extschema@.distil_classify(
	text text, model text, min_score real DEFAULT 0,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_classify'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_classify(text, text, real, text, text) IS
	'best label of a text; NULL if its score is below min_score';

CREATE FUNCTION @extschema@.distil_classify(
	texts text[], model text, min_score real DEFAULT 0,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_classify_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_classify(text[], text, real, text, text) IS
	'best label of each text; NULL if its score is below min_score';

CREATE FUNCTION @extschema@.distil_score(
	text text, model text, label text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_score'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_score(text, text, text, text, text) IS
	'score of one label of a text';

CREATE FUNCTION @extschema@.distil_score(
	texts text[], model text, label text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_score_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_score(text[], text, text, text, text) IS
	'score of one label of each text';

CREATE FUNCTION @extschema@.distil_scores(
	text text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (label text, score real)
	AS 'MODULE_PATHNAME', 'distil_scores'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_scores(text, text, text, text) IS
	'all labels with their scores, best first';

CREATE FUNCTION @extschema@.distil_uncertainty(
	text text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_uncertainty'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_uncertainty(text, text, text, text) IS
	'how unsure the classification of a text is, from 0 (one label has everything) to 1 (all have the same)';

CREATE FUNCTION @extschema@.distil_uncertainty(
	texts text[], model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_uncertainty_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_uncertainty(text[], text, text, text) IS
	'how unsure the classification of each text is, from 0 (one label has everything) to 1 (all have the same)';

-- entities
--
-- Where no model is named, the number comes before the strategy: the second
-- text of a call is then always the model, so that
--     distil_entities(body)
--     distil_entities(body, aggregation => 'simple')
--     distil_entities(body, 'ner')
--     distil_entities(body, 'ner', 'simple', 0.8)
-- each have one meaning.

CREATE FUNCTION @extschema@.distil_entities(
	text text, min_score real DEFAULT 0, aggregation text DEFAULT 'first')
	RETURNS TABLE (
		entity text, label text, score real, start_pos integer, end_pos integer)
	AS 'MODULE_PATHNAME', 'distil_entities_default'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_entities(text, real, text) IS
	'named entities in order; substr(text, start_pos, end_pos - start_pos + 1) = entity; by the model that distilbert.entities_model names';

CREATE FUNCTION @extschema@.distil_entities(
	text text, model text, aggregation text DEFAULT 'first', min_score real DEFAULT 0,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (
		entity text, label text, score real, start_pos integer, end_pos integer)
	AS 'MODULE_PATHNAME', 'distil_entities'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_entities(text, text, text, real, text, text) IS
	'named entities in order; substr(text, start_pos, end_pos - start_pos + 1) = entity; aggregation is none, simple, first, average or max';

-- redaction: not strict, as labels may be NULL

CREATE FUNCTION @extschema@.distil_mask(text text, labels text[] DEFAULT NULL, mask text DEFAULT '[{label}]')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_mask'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_mask(text, text[], text) IS
	'text with its entities masked, those of some labels or all; by the model that distilbert.entities_model names';

CREATE FUNCTION @extschema@.distil_mask(
	text text, model text, labels text[] DEFAULT NULL, mask text DEFAULT '[{label}]',
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_mask'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_mask(text, text, text[], text, text, text) IS
	'text with its entities masked, those of some labels or all; by the named model';

CREATE FUNCTION @extschema@.distil_mask(texts text[], labels text[] DEFAULT NULL, mask text DEFAULT '[{label}]')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_mask_array'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_mask(text[], text[], text) IS
	'each text with its entities masked';

CREATE FUNCTION @extschema@.distil_mask(
	texts text[], model text, labels text[] DEFAULT NULL, mask text DEFAULT '[{label}]',
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_mask_array'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_mask(text[], text, text[], text, text, text) IS
	'each text with its entities masked, by the named model';

CREATE FUNCTION @extschema@.distil_moderate() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_moderate' LANGUAGE C;
COMMENT ON FUNCTION @extschema@.distil_moderate() IS
	'trigger that rejects, flags or masks texts: arguments ''column=...'', ''model=...'', ''label=...'', ''threshold=...'', ''action=reject|flag|mask'', ''target=...'', ''mask=...''';

-- The columns that such triggers name: not dropped without them, and new names
-- are followed.
CREATE FUNCTION distilbert.moderated_columns() RETURNS event_trigger
	AS 'MODULE_PATHNAME', 'distil_moderated_columns' LANGUAGE C;
COMMENT ON FUNCTION distilbert.moderated_columns() IS
	'let triggers of distil_moderate depend on their columns and follow new names of them';

CREATE EVENT TRIGGER distilbert_moderated_columns ON ddl_command_end
	WHEN TAG IN ('CREATE TRIGGER', 'ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER TYPE')
	EXECUTE FUNCTION distilbert.moderated_columns();
ALTER EVENT TRIGGER distilbert_moderated_columns ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER distilbert_moderated_columns IS
	'triggers of distil_moderate know the columns that they name';

-- embeddings: an array of texts gives the rows of a two-dimensional array, a row
-- of NULLs for NULL.  Options that are NULL leave it to the model; so these
-- functions are not strict, but a text or model that is NULL makes them NULL.

CREATE FUNCTION @extschema@.distil_embed(
	text text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed(text, boolean, integer) IS
	'embedding of a text, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed(
	text text, model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed(text, text, boolean, integer, text, text) IS
	'embedding of a text, by the named model';

CREATE FUNCTION @extschema@.distil_embed(
	texts text[], normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_array'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed(text[], boolean, integer) IS
	'embeddings of texts, a row of a two-dimensional array for each, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed(
	texts text[], model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_array'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed(text[], text, boolean, integer, text, text) IS
	'embeddings of texts, a row of a two-dimensional array for each, by the named model';

CREATE FUNCTION @extschema@.distil_embed_query(
	text text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_query'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_query(text, boolean, integer) IS
	'embedding of a question to be answered by passages, with the prompt of the model for queries, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed_query(
	text text, model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_query'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_query(text, text, boolean, integer, text, text) IS
	'embedding of a question to be answered by passages, with the prompt of the model for queries, by the named model';

CREATE FUNCTION @extschema@.distil_embed_query(
	texts text[], normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_query_array'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_query(text[], boolean, integer) IS
	'embeddings of texts, a row of a two-dimensional array for each, with the prompt of the model for queries, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed_query(
	texts text[], model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_query_array'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_query(text[], text, boolean, integer, text, text) IS
	'embeddings of texts, a row of a two-dimensional array for each, with the prompt of the model for queries, by the named model';

CREATE FUNCTION @extschema@.distil_embed_passage(
	text text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_passage'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_passage(text, boolean, integer) IS
	'embedding of a text to be found, with the prompt of the model for passages, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed_passage(
	text text, model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_passage'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_passage(text, text, boolean, integer, text, text) IS
	'embedding of a text to be found, with the prompt of the model for passages, by the named model';

CREATE FUNCTION @extschema@.distil_embed_passage(
	texts text[], normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL)
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_passage_array'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_passage(text[], boolean, integer) IS
	'embeddings of texts, a row of a two-dimensional array for each, with the prompt of the model for passages, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_embed_passage(
	texts text[], model text, normalized boolean DEFAULT NULL, dimensions integer DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_embed_passage_array'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_embed_passage(text[], text, boolean, integer, text, text) IS
	'embeddings of texts, a row of a two-dimensional array for each, with the prompt of the model for passages, by the named model';

-- similarity: plain SQL, so that calls of distil_embed are what a plan shows and
-- batches; not strict, for then it is inlined

CREATE FUNCTION distilbert.cosine(a real[], b real[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_cosine'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION distilbert.cosine(real[], real[]) IS
	'cosine of two vectors of the same width, -1 to 1; 0 if one of them is zero; NaN and infinity are errors';

-- All arguments are given, with their types: a call that fits a function better
-- which was in the schema before would mean that one.
CREATE FUNCTION @extschema@.distil_similarity(a text, b text)
	RETURNS real
	LANGUAGE SQL STABLE PARALLEL SAFE COST 2000
	RETURN distilbert.cosine(@extschema@.distil_embed(a, NULL::boolean, NULL::integer),
		@extschema@.distil_embed(b, NULL::boolean, NULL::integer));
COMMENT ON FUNCTION @extschema@.distil_similarity(text, text) IS
	'cosine of the embeddings of two texts, -1 to 1, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_similarity(
	a text, b text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real
	LANGUAGE SQL IMMUTABLE PARALLEL SAFE COST 2000
	RETURN distilbert.cosine(
		@extschema@.distil_embed(a, model, NULL::boolean, NULL::integer, long_text, on_error),
		@extschema@.distil_embed(b, model, NULL::boolean, NULL::integer, long_text, on_error));
COMMENT ON FUNCTION @extschema@.distil_similarity(text, text, text, text, text) IS
	'cosine of the embeddings of two texts, -1 to 1, by the named model';

-- vectors of tokens

CREATE FUNCTION @extschema@.distil_token_embeddings(text text)
	RETURNS TABLE (token text, start_pos integer, end_pos integer, embedding real[])
	AS 'MODULE_PATHNAME', 'distil_token_embeddings'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 30
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_token_embeddings(text) IS
	'hidden state of each token, [CLS] and [SEP] included, with its place in the text, by the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_token_embeddings(
	text text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (token text, start_pos integer, end_pos integer, embedding real[])
	AS 'MODULE_PATHNAME', 'distil_token_embeddings'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 30
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_token_embeddings(text, text, text, text) IS
	'hidden state of each token, [CLS] and [SEP] included, with its place in the text, by the named model';

-- tokens: of the whole text, with [CLS] and [SEP]

CREATE FUNCTION @extschema@.distil_tokenize(
	text text, model text,
	on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_tokenize'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_tokenize(text, text, text) IS
	'tokens of a text as the model sees them, [CLS] and [SEP] included, nothing cut off';

CREATE FUNCTION @extschema@.distil_token_count(
	text text, model text,
	on_error text DEFAULT 'error')
	RETURNS integer
	AS 'MODULE_PATHNAME', 'distil_token_count'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_token_count(text, text, text) IS
	'number of tokens of a text, [CLS] and [SEP] included';

CREATE FUNCTION @extschema@.distil_token_count(
	texts text[], model text,
	on_error text DEFAULT 'error')
	RETURNS integer[]
	AS 'MODULE_PATHNAME', 'distil_token_count_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_token_count(text[], text, text) IS
	'number of tokens of each text, [CLS] and [SEP] included';

-- long texts in pieces

CREATE FUNCTION @extschema@.distil_chunk(text text, max_tokens integer, overlap integer DEFAULT 0)
	RETURNS TABLE (seq integer, start_pos integer, end_pos integer, chunk text)
	AS 'MODULE_PATHNAME', 'distil_chunk'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_chunk(text, integer, integer) IS
	'text in chunks of at most max_tokens tokens, cut at sentences and words; by the tokenizer of the model that distilbert.embed_model names';

CREATE FUNCTION @extschema@.distil_chunk(
	text text, model text, max_tokens integer, overlap integer DEFAULT 0,
	on_error text DEFAULT 'error')
	RETURNS TABLE (seq integer, start_pos integer, end_pos integer, chunk text)
	AS 'MODULE_PATHNAME', 'distil_chunk'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_chunk(text, text, integer, integer, text) IS
	'text in chunks of at most max_tokens tokens, cut at sentences and words; by the tokenizer of the named model';


-- ---------------------------------------------------------------- functions on pairs of texts
--
-- After the texts, a further text is always the model: forms without one have
-- their options, of other types, in its place.

-- answers to questions

CREATE FUNCTION @extschema@.distil_answer(
	question text, context text,
	top_k integer DEFAULT 1, no_answer boolean DEFAULT false, max_answer_tokens integer DEFAULT 15)
	RETURNS TABLE (answer text, score real, start_pos integer, end_pos integer)
	AS 'MODULE_PATHNAME', 'distil_answer'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000 ROWS 1
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer(text, text, integer, boolean, integer) IS
	'parts of the context that answer the question, best first; substr(context, start_pos, end_pos - start_pos + 1) = answer; by the model that distilbert.answer_model names';

CREATE FUNCTION @extschema@.distil_answer(
	question text, context text, model text,
	top_k integer DEFAULT 1, no_answer boolean DEFAULT false, max_answer_tokens integer DEFAULT 15,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (answer text, score real, start_pos integer, end_pos integer)
	AS 'MODULE_PATHNAME', 'distil_answer'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 1
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer(text, text, text, integer, boolean, integer, text, text) IS
	'parts of the context that answer the question, best first; with no_answer, a row of NULLs tells how likely it is that there is none';

CREATE FUNCTION @extschema@.distil_answer_text(question text, context text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_answer_text'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer_text(text, text) IS
	'best answer to the question out of the context, by the model that distilbert.answer_model names';

CREATE FUNCTION @extschema@.distil_answer_text(
	question text, context text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_answer_text'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer_text(text, text, text, text, text) IS
	'best answer to the question out of the context';

CREATE FUNCTION @extschema@.distil_answer_text(questions text[], contexts text[])
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_answer_text_array'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer_text(text[], text[]) IS
	'best answer to each question out of the context at the same place';

CREATE FUNCTION @extschema@.distil_answer_text(
	questions text[], contexts text[], model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_answer_text_array'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_answer_text(text[], text[], text, text, text) IS
	'best answer to each question out of the context at the same place, by the named model';

-- labels that the query names; not STRICT, as the template may be NULL, a NULL
-- elsewhere gives no rows

CREATE FUNCTION @extschema@.distil_zero_shot(
	text text, labels text[],
	multi_label boolean DEFAULT false, template text DEFAULT NULL)
	RETURNS TABLE (label text, score real)
	AS 'MODULE_PATHNAME', 'distil_zero_shot'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_zero_shot(text, text[], boolean, text) IS
	'the given labels with their scores, best first, by the model of natural language inference or of embeddings that distilbert.zero_shot_model names';

CREATE FUNCTION @extschema@.distil_zero_shot(
	text text, labels text[], model text,
	multi_label boolean DEFAULT false, template text DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (label text, score real)
	AS 'MODULE_PATHNAME', 'distil_zero_shot'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_zero_shot(text, text[], text, boolean, text, text, text) IS
	'the given labels with their scores, best first; multi_label: each label is true or false by itself; template: what is said about the text, with {} for the label';

CREATE FUNCTION @extschema@.distil_pair_scores(
	a text, b text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (label text, score real)
	AS 'MODULE_PATHNAME', 'distil_pair_scores'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_pair_scores(text, text, text, text, text) IS
	'all labels of a pair of texts with their scores, best first';

-- reranking

CREATE FUNCTION @extschema@.distil_rerank(query text, docs text[])
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_rerank'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_rerank(text, text[]) IS
	'how well each document fits the query, by the cross-encoder or the model of embeddings that distilbert.rerank_model names';

CREATE FUNCTION @extschema@.distil_rerank(
	query text, docs text[], model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_rerank'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_rerank(text, text[], text, text, text) IS
	'how well each document fits the query, by the named cross-encoder or model of embeddings';

CREATE FUNCTION @extschema@.distil_rerank_distance(query text, doc text)
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_rerank_distance'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_rerank_distance(text, text) IS
	'1 - score of distil_rerank, for ORDER BY: the best document is the nearest; by the model that distilbert.rerank_model names';

CREATE FUNCTION @extschema@.distil_rerank_distance(
	query text, doc text, model text,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS real
	AS 'MODULE_PATHNAME', 'distil_rerank_distance'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_rerank_distance(text, text, text, text, text) IS
	'1 - score of distil_rerank, for ORDER BY: the best document is the nearest; by the named model';


-- ---------------------------------------------------------------- masked words
--
-- Not STRICT, as targets may be NULL; a NULL elsewhere gives no rows.

CREATE FUNCTION @extschema@.distil_fill_mask(
	text text, top_k integer DEFAULT 5, targets text[] DEFAULT NULL)
	RETURNS TABLE (token text, score real, sequence text, mask integer)
	AS 'MODULE_PATHNAME', 'distil_fill_mask'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_fill_mask(text, integer, text[]) IS
	'what each [MASK] of a text may stand for, best first, by the model that distilbert.fill_mask_model names';

CREATE FUNCTION @extschema@.distil_fill_mask(
	text text, model text, top_k integer DEFAULT 5, targets text[] DEFAULT NULL,
	long_text text DEFAULT 'window', on_error text DEFAULT 'error')
	RETURNS TABLE (token text, score real, sequence text, mask integer)
	AS 'MODULE_PATHNAME', 'distil_fill_mask'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 5
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_fill_mask(text, text, integer, text[], text, text) IS
	'what each [MASK] of a text, counted by mask, may stand for, best first; targets: only these tokens';


-- ---------------------------------------------------------------- translation
--
-- Not STRICT, as the options may be NULL: as the model's files say.

CREATE FUNCTION @extschema@.distil_translate(
	text text, model text, max_tokens integer DEFAULT NULL, beams integer DEFAULT NULL,
	language text DEFAULT NULL, on_error text DEFAULT 'error')
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_translate'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_translate(text, text, integer, integer, text, text) IS
	'the text in another language, sentence by sentence, by the named model; language: which, of a model of several';

CREATE FUNCTION @extschema@.distil_translate(
	texts text[], model text, max_tokens integer DEFAULT NULL, beams integer DEFAULT NULL,
	language text DEFAULT NULL, on_error text DEFAULT 'error')
	RETURNS text[]
	AS 'MODULE_PATHNAME', 'distil_translate_array'
	LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
	SUPPORT distilbert.support;
COMMENT ON FUNCTION @extschema@.distil_translate(text[], text, integer, integer, text, text) IS
	'the same for each text of an array';


-- ---------------------------------------------------------------- training

-- As distil_load_model, for those it is granted to.  The queries run with the
-- rights of the caller.
CREATE FUNCTION @extschema@.distil_train(
	name text, query text, base text, task text DEFAULT 'classify',
	epochs integer DEFAULT 3, learning_rate real DEFAULT 5e-5,
	batch_size integer DEFAULT 16, batch_tokens integer DEFAULT 4096, max_tokens integer DEFAULT 256,
	weight_decay real DEFAULT 0.01, warmup real DEFAULT 0.1, dropout real DEFAULT 0.1,
	class_weights text DEFAULT NULL, loss text DEFAULT NULL,
	head_only boolean DEFAULT false, freeze_embeddings boolean DEFAULT false,
	validation real DEFAULT 0.1, validation_query text DEFAULT NULL, early_stopping integer DEFAULT 0,
	seed bigint DEFAULT 42, replace boolean DEFAULT false, resume boolean DEFAULT false,
	force boolean DEFAULT false, calibrate boolean DEFAULT NULL)
	RETURNS TABLE (
		epoch integer, step bigint, train_loss real, eval_loss real, metric text, value real, seconds real)
	AS 'MODULE_PATHNAME', 'distil_train'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 3;
COMMENT ON FUNCTION @extschema@.distil_train(
	text, text, text, text, integer, real, integer, integer, integer, real, real, real, text, text, boolean, boolean,
	real, text, integer, bigint, boolean, boolean, boolean, boolean) IS
	'train a model on the texts and labels of a query, beginning with a base model; a row for each evaluation';

-- As pg_stat_progress_*: of other roles' trainings process and database alone,
-- unless one has the rights of pg_read_all_stats.
CREATE FUNCTION distilbert.progress(
	OUT pid integer, OUT datid oid, OUT usesysid oid, OUT command text, OUT model text, OUT phase text,
	OUT epoch integer, OUT epochs integer, OUT step bigint, OUT steps bigint, OUT loss real,
	OUT "rows" bigint, OUT memory_bytes bigint, OUT started_at timestamptz, OUT seconds real,
	OUT seconds_left real, OUT checkpoint_at timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_progress'
	LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION distilbert.progress() IS 'where trainings are; see the view distil_progress';

CREATE VIEW @extschema@.distil_progress AS
	SELECT p.pid, p.datid, d.datname, p.usesysid, pg_catalog.pg_get_userbyid(p.usesysid) AS usename,
		p.command, p.model, p.phase, p.epoch, p.epochs, p.step, p.steps, p.loss,
		p."rows", p.memory_bytes, p.started_at, p.seconds, p.seconds_left, p.checkpoint_at
	FROM distilbert.progress() p
	LEFT JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) p.datid;
COMMENT ON VIEW @extschema@.distil_progress IS
	'trainings that run now on this server, in all databases: phase, steps, loss, memory, time';
GRANT SELECT ON @extschema@.distil_progress TO PUBLIC;

CREATE FUNCTION distilbert.checkpoints(
	OUT model text, OUT role oid, OUT command text, OUT epoch integer, OUT epochs integer,
	OUT step bigint, OUT steps bigint, OUT seconds real, OUT bytes bigint, OUT saved_at timestamptz)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_checkpoints'
	LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 3;
COMMENT ON FUNCTION distilbert.checkpoints() IS 'checkpoints of trainings; see the view distil_checkpoints';

CREATE VIEW @extschema@.distil_checkpoints AS
	SELECT c.model, pg_catalog.pg_get_userbyid(c.role) AS rolname, c.command, c.epoch, c.epochs,
		c.step, c.steps, c.seconds, c.bytes, c.saved_at
	FROM distilbert.checkpoints() c;
COMMENT ON VIEW @extschema@.distil_checkpoints IS
	'checkpoints from which trainings in this database can be resumed: those of one''s own roles';
GRANT SELECT ON @extschema@.distil_checkpoints TO PUBLIC;

CREATE FUNCTION @extschema@.distil_drop_checkpoint(model text)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_drop_checkpoint'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_drop_checkpoint(text) IS
	'remove the checkpoint of a training of one''s own roles, at once; tells whether there was one';

CREATE FUNCTION @extschema@.distil_pretrain(
	name text, query text, base text,
	epochs integer DEFAULT 1, learning_rate real DEFAULT 5e-5,
	batch_size integer DEFAULT 32, batch_tokens integer DEFAULT 4096, max_tokens integer DEFAULT 128,
	weight_decay real DEFAULT 0.01, warmup real DEFAULT 0.1, dropout real DEFAULT 0.1,
	mask_share real DEFAULT 0.15, whole_word boolean DEFAULT false,
	validation real DEFAULT 0.05, validation_query text DEFAULT NULL, early_stopping integer DEFAULT 0,
	seed bigint DEFAULT 42, replace boolean DEFAULT false, resume boolean DEFAULT false,
	force boolean DEFAULT false)
	RETURNS TABLE (
		epoch integer, step bigint, train_loss real, eval_loss real, metric text, value real, seconds real)
	AS 'MODULE_PATHNAME', 'distil_pretrain'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 3;
COMMENT ON FUNCTION @extschema@.distil_pretrain(
	text, text, text, integer, real, integer, integer, integer, real, real, real, real, boolean,
	real, text, integer, bigint, boolean, boolean, boolean) IS
	'train a model to say which tokens of a query''s texts are masked, beginning with a base model; a row for each evaluation';
REVOKE ALL ON FUNCTION @extschema@.distil_pretrain(
	text, text, text, integer, real, integer, integer, integer, real, real, real, real, boolean,
	real, text, integer, bigint, boolean, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION @extschema@.distil_distill(
	name text, teacher text, query text DEFAULT NULL,
	layers integer DEFAULT NULL, hidden integer DEFAULT NULL, base text DEFAULT NULL,
	temperature real DEFAULT 2, alpha_soft real DEFAULT 5, alpha_hard real DEFAULT 2,
	alpha_cosine real DEFAULT NULL, alpha_hidden real DEFAULT 0, alpha_attention real DEFAULT 0,
	epochs integer DEFAULT 3, learning_rate real DEFAULT 1e-4,
	batch_size integer DEFAULT 16, batch_tokens integer DEFAULT 4096, max_tokens integer DEFAULT 256,
	weight_decay real DEFAULT 0.01, warmup real DEFAULT 0.1, dropout real DEFAULT 0.1,
	validation real DEFAULT 0.1, validation_query text DEFAULT NULL, early_stopping integer DEFAULT 0,
	min_quality real DEFAULT NULL, seed bigint DEFAULT 42, replace boolean DEFAULT false,
	resume boolean DEFAULT false,
	force boolean DEFAULT false, static boolean DEFAULT false, dimensions integer DEFAULT NULL)
	RETURNS TABLE (
		epoch integer, step bigint, train_loss real, eval_loss real, metric text, value real, teacher_value real,
		seconds real)
	AS 'MODULE_PATHNAME', 'distil_distill'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 3;
COMMENT ON FUNCTION @extschema@.distil_distill(
	text, text, text, integer, integer, text, real, real, real, real, real, real, integer, real, integer, integer, integer,
	real, real, real, real, text, integer, real, bigint, boolean, boolean, boolean, boolean, integer) IS
	'train a smaller model to answer the texts of a query as a teacher does; a row for each evaluation';
REVOKE ALL ON FUNCTION @extschema@.distil_distill(
	text, text, text, integer, integer, text, real, real, real, real, real, real, integer, real, integer, integer, integer,
	real, real, real, real, text, integer, real, bigint, boolean, boolean, boolean, boolean, integer) FROM PUBLIC;

-- A query reads the texts with the rights of the caller.
CREATE FUNCTION @extschema@.distil_trim_vocabulary(
	name text, model text, query text, vocabulary integer DEFAULT NULL,
	replace boolean DEFAULT false, force boolean DEFAULT false)
	RETURNS TABLE (
		tokens integer, tokens_before integer, coverage real, parameters bigint, parameters_before bigint)
	AS 'MODULE_PATHNAME', 'distil_trim_vocabulary'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1;
COMMENT ON FUNCTION @extschema@.distil_trim_vocabulary(text, text, text, integer, boolean, boolean) IS
	'copy a model, keeping only the tokens that the texts of a query use most; coverage: the share of the texts'' tokens that stay';
REVOKE ALL ON FUNCTION @extschema@.distil_trim_vocabulary(text, text, text, integer, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION @extschema@.distil_export_model(name text)
	RETURNS TABLE (file text, data bytea)
	AS 'MODULE_PATHNAME', 'distil_export_model'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100000 ROWS 5;
COMMENT ON FUNCTION @extschema@.distil_export_model(text) IS
	'files of a model: a Hugging Face directory';

REVOKE ALL ON FUNCTION @extschema@.distil_train(
	text, text, text, text, integer, real, integer, integer, integer, real, real, real, text, text, boolean, boolean,
	real, text, integer, bigint, boolean, boolean, boolean, boolean) FROM PUBLIC;
REVOKE ALL ON FUNCTION @extschema@.distil_export_model(text) FROM PUBLIC;


-- ---------------------------------------------------------------- evaluation
--
-- For everybody, as the functions on text; the queries run with the rights of
-- the caller.

CREATE FUNCTION @extschema@.distil_evaluate(model text, query text)
	RETURNS TABLE (label text, "precision" real, recall real, f1 real, support bigint, value real)
	AS 'MODULE_PATHNAME', 'distil_evaluate'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 10;
COMMENT ON FUNCTION @extschema@.distil_evaluate(text, text) IS
	'how well a model does on the texts and labels, entities, numbers or translations of a query: a row for each label, then overall rows';

CREATE FUNCTION @extschema@.distil_confusion(model text, query text)
	RETURNS TABLE (label text, predicted text, count bigint)
	AS 'MODULE_PATHNAME', 'distil_confusion'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION @extschema@.distil_confusion(text, text) IS
	'confusion matrix: how often texts of one label, in the rows of a query, were given another by a classifier';

CREATE FUNCTION @extschema@.distil_compare(model_a text, model_b text, query text, seed bigint DEFAULT 42)
	RETURNS TABLE (metric text, a real, b real, difference real, p_value real, test text, rows bigint)
	AS 'MODULE_PATHNAME', 'distil_compare'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 7;
COMMENT ON FUNCTION @extschema@.distil_compare(text, text, text, bigint) IS
	'two models on the same rows of a query: metrics, their difference and whether it may be chance, on how many rows which model is right';


-- ---------------------------------------------------------------- pipelines
--
-- A pipeline keeps a column or a table equal to what a model says of the texts
-- of a source table.  Its columns are found by its trigger for UPDATE, whose
-- condition names them: so they follow renames, dumps and restores.

-- One row for each pipeline.  The owner is the source's.  parts: partitions whose
-- rows are seen to; others were attached since.
CREATE TABLE distilbert.pipeline (
	name			text COLLATE "C" PRIMARY KEY,
	source			regclass NOT NULL,
	task			text NOT NULL,
	mode			text NOT NULL CHECK (mode OPERATOR(pg_catalog.=) 'async' OR mode OPERATOR(pg_catalog.=) 'sync'),
	stale			text NOT NULL CHECK (stale OPERATOR(pg_catalog.=) 'remove' OR stale OPERATOR(pg_catalog.=) 'keep'),
	paused			boolean NOT NULL,
	created_at		timestamptz NOT NULL,
	parts			regclass[] NOT NULL
);
COMMENT ON TABLE distilbert.pipeline IS 'pipelines; see the view distil_pipelines';

-- Values of one model with one set of options: the lowest number is live, one
-- above it is being built.  target: the table; NULL: a column of the source.
-- position: the last key of the backfill; done_at: when it ended.
CREATE TABLE distilbert.pipeline_generation (
	pipeline		text COLLATE "C" NOT NULL,
	number			integer NOT NULL,
	model			text COLLATE "C" NOT NULL,
	sha256			bytea NOT NULL CHECK (pg_catalog.octet_length(sha256) OPERATOR(pg_catalog.=) 32),
	options			jsonb NOT NULL,
	target			regclass,
	position		text[],
	done_at			timestamptz,
	rows_done		bigint NOT NULL,
	seconds			double precision NOT NULL,
	PRIMARY KEY (pipeline, number)
);
COMMENT ON TABLE distilbert.pipeline_generation IS 'models, options and targets of pipelines';

-- Keys whose values must be made equal again to what the model says: [rows, key
-- columns], at most 1000 rows.  Order and repetition do not matter.
CREATE TABLE distilbert.pipeline_queue (
	pipeline		text COLLATE "C" NOT NULL,
	seq				bigint NOT NULL,
	keys			text[] NOT NULL,
	queued_at		timestamptz NOT NULL,
	PRIMARY KEY (pipeline, seq)
);
COMMENT ON TABLE distilbert.pipeline_queue IS 'keys that pipelines have to do';
CREATE SEQUENCE distilbert.pipeline_queue_seq CACHE 1;
COMMENT ON SEQUENCE distilbert.pipeline_queue_seq IS 'numbers of distilbert.pipeline_queue';

-- Keys that failed, and, under an empty key, faults of a whole pipeline.
-- next_try NULL: given up.
CREATE TABLE distilbert.pipeline_error (
	pipeline		text COLLATE "C" NOT NULL,
	key_hash		bytea NOT NULL,
	key				text[] NOT NULL,
	attempts		integer NOT NULL,
	next_try		timestamptz,
	sqlstate		text NOT NULL,
	message			text NOT NULL,
	failed_at		timestamptz NOT NULL,
	PRIMARY KEY (pipeline, key_hash)
);
COMMENT ON TABLE distilbert.pipeline_error IS 'what failed in pipelines; see the view distil_pipeline_errors';
CREATE INDEX pipeline_error_next_try ON distilbert.pipeline_error (pipeline, next_try);

REVOKE ALL ON distilbert.pipeline, distilbert.pipeline_generation, distilbert.pipeline_queue,
	distilbert.pipeline_error FROM PUBLIC;
REVOKE ALL ON SEQUENCE distilbert.pipeline_queue_seq FROM PUBLIC;

-- Pipelines are each server's own: what a publication FOR ALL TABLES sends of
-- another one's is left out.
CREATE FUNCTION distilbert.foreign_rows() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_foreign_rows' LANGUAGE C;
COMMENT ON FUNCTION distilbert.foreign_rows() IS 'leave out rows that come by logical replication';

CREATE TRIGGER foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON distilbert.pipeline
	FOR EACH ROW EXECUTE FUNCTION distilbert.foreign_rows();
ALTER TABLE distilbert.pipeline ENABLE REPLICA TRIGGER foreign_rows;
COMMENT ON TRIGGER foreign_rows ON distilbert.pipeline IS 'leave out rows that come by logical replication';
CREATE TRIGGER foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON distilbert.pipeline_generation
	FOR EACH ROW EXECUTE FUNCTION distilbert.foreign_rows();
ALTER TABLE distilbert.pipeline_generation ENABLE REPLICA TRIGGER foreign_rows;
COMMENT ON TRIGGER foreign_rows ON distilbert.pipeline_generation IS 'leave out rows that come by logical replication';
CREATE TRIGGER foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON distilbert.pipeline_queue
	FOR EACH ROW EXECUTE FUNCTION distilbert.foreign_rows();
ALTER TABLE distilbert.pipeline_queue ENABLE REPLICA TRIGGER foreign_rows;
COMMENT ON TRIGGER foreign_rows ON distilbert.pipeline_queue IS 'leave out rows that come by logical replication';
CREATE TRIGGER foreign_rows BEFORE INSERT OR UPDATE OR DELETE ON distilbert.pipeline_error
	FOR EACH ROW EXECUTE FUNCTION distilbert.foreign_rows();
ALTER TABLE distilbert.pipeline_error ENABLE REPLICA TRIGGER foreign_rows;
COMMENT ON TRIGGER foreign_rows ON distilbert.pipeline_error IS 'leave out rows that come by logical replication';

-- A regclass of a table that is gone is a number: such rows stay behind.
SELECT pg_catalog.pg_extension_config_dump('distilbert.pipeline',
	'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) source)');
SELECT pg_catalog.pg_extension_config_dump('distilbert.pipeline_generation',
	'WHERE EXISTS (SELECT FROM distilbert.pipeline p JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.source '
	'WHERE p.name OPERATOR(pg_catalog.=) pipeline) AND (target IS NULL OR '
	'EXISTS (SELECT FROM pg_catalog.pg_class t WHERE t.oid OPERATOR(pg_catalog.=) target))');
SELECT pg_catalog.pg_extension_config_dump('distilbert.pipeline_queue',
	'WHERE EXISTS (SELECT FROM distilbert.pipeline p JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.source '
	'WHERE p.name OPERATOR(pg_catalog.=) pipeline)');
SELECT pg_catalog.pg_extension_config_dump('distilbert.pipeline_queue_seq', '');
SELECT pg_catalog.pg_extension_config_dump('distilbert.pipeline_error',
	'WHERE EXISTS (SELECT FROM distilbert.pipeline p JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.source '
	'WHERE p.name OPERATOR(pg_catalog.=) pipeline)');

-- Whoever restores a dump makes triggers with these; they do nothing on tables
-- that are not the pipeline's source.
GRANT USAGE ON SCHEMA distilbert TO PUBLIC;

CREATE FUNCTION distilbert.pipeline_capture() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_pipeline_capture' LANGUAGE C;
COMMENT ON FUNCTION distilbert.pipeline_capture() IS 'queue the keys of rows that a pipeline has to do';

CREATE FUNCTION distilbert.pipeline_stale() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_pipeline_stale' LANGUAGE C;
COMMENT ON FUNCTION distilbert.pipeline_stale() IS 'set a pipeline''s value to NULL when its text changes';

CREATE FUNCTION distilbert.pipeline_sync() RETURNS trigger
	AS 'MODULE_PATHNAME', 'distil_pipeline_sync' LANGUAGE C;
COMMENT ON FUNCTION distilbert.pipeline_sync() IS 'compute what a synchronous pipeline keeps of the rows of a statement';

CREATE FUNCTION distilbert.touched(pairs integer, VARIADIC "any") RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_pipeline_touched'
	LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION distilbert.touched(integer, "any") IS
	'(number of pairs, old, new, old, new, ...): does a pair differ in its bytes?  Nothing is detoasted';

-- Does a row still have the text that was computed?
CREATE FUNCTION distilbert.pipeline_hash(text) RETURNS bytea
	AS 'MODULE_PATHNAME', 'distil_pipeline_hash'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION distilbert.pipeline_hash(text) IS 'SHA-256 of a text as it is stored';

CREATE FUNCTION distilbert.pipelines(
	OUT name text, OUT source regclass, OUT target text, OUT task text, OUT model text, OUT sha256 text,
	OUT mode text, OUT state text, OUT pending bigint, OUT oldest_pending timestamptz, OUT rows_done bigint,
	OUT rows_failed bigint, OUT rows_per_s real, OUT last_error text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_pipeline_status'
	LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION distilbert.pipelines() IS 'where pipelines are; see the view distil_pipelines';

-- rows_total is the planner's estimate; NULL: the table was not analysed yet.
CREATE VIEW @extschema@.distil_pipelines AS
	SELECT p.name, p.source, p.target, p.task, p.model, p.sha256, p.mode, p.state, p.pending, p.oldest_pending,
		p.rows_done,
		(SELECT CASE WHEN pg_catalog.bool_and(c.reltuples OPERATOR(pg_catalog.>=) 0)
				THEN pg_catalog.sum(c.reltuples)::bigint END
		 FROM pg_catalog.pg_class c
		 WHERE c.oid OPERATOR(pg_catalog.=) p.source AND c.relkind OPERATOR(pg_catalog.<>) 'p'
		 OR c.oid IN (SELECT t.relid FROM pg_catalog.pg_partition_tree(p.source) t WHERE t.isleaf)) AS rows_total,
		p.rows_failed, p.rows_per_s, p.last_error,
		(SELECT pg_catalog.min(a.pid) FROM pg_catalog.pg_stat_activity a
		 WHERE a.backend_type OPERATOR(pg_catalog.=) 'distilbert pipelines'
		 AND a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) AS worker_pid
	FROM distilbert.pipelines() p;
COMMENT ON VIEW @extschema@.distil_pipelines IS
	'pipelines of this database: where they are, what waits, what failed';
GRANT SELECT ON @extschema@.distil_pipelines TO PUBLIC;

CREATE VIEW @extschema@.distil_pipeline_errors AS
	SELECT e.pipeline AS name, e.key, e.attempts, e.next_try, e.sqlstate, e.message, e.failed_at
	FROM distilbert.pipeline_error e
	JOIN distilbert.pipeline p ON p.name OPERATOR(pg_catalog.=) e.pipeline
	JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.source
	WHERE pg_catalog.pg_has_role(c.relowner, 'USAGE');
COMMENT ON VIEW @extschema@.distil_pipeline_errors IS
	'rows that one''s own pipelines could not do, and, with an empty key, what keeps a whole pipeline from working';
GRANT SELECT ON @extschema@.distil_pipeline_errors TO PUBLIC;

CREATE PROCEDURE @extschema@.distil_run_pipeline(name text DEFAULT NULL, max_rows bigint DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'distil_run_pipeline'
	LANGUAGE C;
COMMENT ON PROCEDURE @extschema@.distil_run_pipeline(text, bigint) IS
	'do what a pipeline, or all of one''s own, has queued, as the worker does';

CREATE FUNCTION @extschema@.distil_wait_pipeline(name text, timeout interval DEFAULT '1min')
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_wait_pipeline'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_wait_pipeline(text, interval) IS
	'wait until a pipeline has done all that was committed before; false: not within this time';


CREATE FUNCTION @extschema@.distil_create_pipeline(
	source regclass, text_column name, task text, model text,
	into_column name DEFAULT NULL, into_table text DEFAULT NULL, mode text DEFAULT 'async',
	options jsonb DEFAULT '{}', stale text DEFAULT 'remove', backfill boolean DEFAULT true, name text DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_create_pipeline'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_create_pipeline(
	regclass, name, text, text, name, text, text, jsonb, text, boolean, text) IS
	'keep a column or a table equal to what a model says of a table''s texts; returns the pipeline''s name';

CREATE FUNCTION @extschema@.distil_drop_pipeline(
	name text, drop_target boolean DEFAULT false, if_exists boolean DEFAULT false)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'distil_drop_pipeline'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_drop_pipeline(text, boolean, boolean) IS
	'end a pipeline; tells whether there was one';


CREATE FUNCTION @extschema@.distil_alter_pipeline(
	name text, model text DEFAULT NULL, options jsonb DEFAULT NULL, mode text DEFAULT NULL, paused boolean DEFAULT NULL)
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_alter_pipeline'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_alter_pipeline(text, text, jsonb, text, boolean) IS
	'change a pipeline; another model or other options are built beside the live values, until distil_switch_pipeline';

CREATE FUNCTION @extschema@.distil_switch_pipeline(name text, drop_old boolean DEFAULT true)
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_switch_pipeline'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_switch_pipeline(text, boolean) IS
	'put the values of a pipeline''s next model in the place of the live ones';

CREATE FUNCTION @extschema@.distil_check_pipeline(
	name text, repair boolean DEFAULT false, OUT kind text, OUT rows bigint)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_check_pipeline'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_check_pipeline(text, boolean) IS
	'compare a pipeline''s values with what its model says of the texts; repair: queue what differs';

CREATE FUNCTION @extschema@.distil_pipeline_embed(name text, text text) RETURNS real[]
	AS 'MODULE_PATHNAME', 'distil_pipeline_embed'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION @extschema@.distil_pipeline_embed(text, text) IS
	'embedding of a question by the model whose embeddings a pipeline keeps';


-- ---------------------------------------------------------------- several machines
--
-- Nodes are foreign servers, asked over dblink as the current user.

CREATE FUNCTION @extschema@.distil_check_nodes(
	VARIADIC servers text[],
	OUT server text, OUT kind text, OUT name text, OUT here text, OUT there text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_check_nodes'
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION @extschema@.distil_check_nodes(text[]) IS
	'what other servers have that gives other answers than here: version, models, settings, rounding';

CREATE FUNCTION @extschema@.distil_send_model(
	name text, server text, replace boolean DEFAULT false, force boolean DEFAULT false)
	RETURNS text
	AS 'MODULE_PATHNAME', 'distil_send_model'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_send_model(text, text, boolean, boolean) IS
	'copy a model to another server; returns the name that says its content';
REVOKE ALL ON FUNCTION @extschema@.distil_send_model(text, text, boolean, boolean) FROM PUBLIC;

CREATE FUNCTION @extschema@.distil_run_on_nodes(
	command text, VARIADIC servers text[], OUT server text, OUT result text, OUT error text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_run_on_nodes'
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION @extschema@.distil_run_on_nodes(text, text[]) IS
	'run a statement on other servers, on all at the same time; its rows have one column';

CREATE FUNCTION @extschema@.distil_node_pipelines(
	VARIADIC servers text[],
	OUT server text, OUT name text, OUT state text, OUT model text, OUT rows_done bigint,
	OUT rows_total bigint, OUT pending bigint, OUT rows_failed bigint, OUT rows_per_s real,
	OUT error text)
	RETURNS SETOF record
	AS 'MODULE_PATHNAME', 'distil_node_pipelines'
	LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION @extschema@.distil_node_pipelines(text[]) IS
	'the view distil_pipelines of other servers, all in one; a server that is down has a row, too';


-- ---------------------------------------------------------------- mistakes
--
-- Forms that raise an error which says what to write.

CREATE FUNCTION @extschema@.distil_classify("any")
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_model'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_classify("any") IS
	'an error: the model is missing';

CREATE FUNCTION @extschema@.distil_scores("any")
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_model'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_scores("any") IS
	'an error: the model is missing';

CREATE FUNCTION @extschema@.distil_uncertainty("any")
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_model'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_uncertainty("any") IS
	'an error: the model is missing';

CREATE FUNCTION @extschema@.distil_score("any", "any")
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_model'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_score("any", "any") IS
	'an error: the model is missing';

CREATE FUNCTION @extschema@.distil_pair_scores("any", "any")
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_model'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_pair_scores("any", "any") IS
	'an error: the model is missing';

CREATE FUNCTION @extschema@.distil_embed("any", integer)
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_name'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_embed("any", integer) IS
	'an error: dimensions are given by name';

CREATE FUNCTION @extschema@.distil_embed_query("any", integer)
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_name'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_embed_query("any", integer) IS
	'an error: dimensions are given by name';

CREATE FUNCTION @extschema@.distil_embed_passage("any", integer)
	RETURNS void
	AS 'MODULE_PATHNAME', 'distil_needs_name'
	LANGUAGE C STABLE PARALLEL UNSAFE;
COMMENT ON FUNCTION @extschema@.distil_embed_passage("any", integer) IS
	'an error: dimensions are given by name';


-- ---------------------------------------------------------------- the extension's owner
--
-- Whoever creates the extension may use and grant what nobody else may, and dump
-- and restore the models; he owns none of it, for who owns a function in C may
-- say that it takes NULL.

GRANT EXECUTE ON FUNCTION
	@extschema@.distil_load_model, @extschema@.distil_drop_model, @extschema@.distil_stats_reset,
	@extschema@.distil_train, @extschema@.distil_pretrain, @extschema@.distil_distill,
	@extschema@.distil_trim_vocabulary, @extschema@.distil_export_model,
	@extschema@.distil_upload_part, @extschema@.distil_upload_finish, @extschema@.distil_upload_cancel,
	@extschema@.distil_send_model
	TO @extowner@ WITH GRANT OPTION;
GRANT USAGE ON SCHEMA distilbert TO @extowner@;
GRANT SELECT, INSERT ON distilbert.model, distilbert.model_chunk TO @extowner@;

GRANT SELECT, INSERT ON distilbert.pipeline, distilbert.pipeline_generation, distilbert.pipeline_queue,
	distilbert.pipeline_error TO @extowner@;
GRANT SELECT, UPDATE ON SEQUENCE distilbert.pipeline_queue_seq TO @extowner@;

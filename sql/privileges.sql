-- Who may do what: models are loaded by superusers and those they name, from
-- where they may read; used by everybody.
\getenv abs_srcdir PG_ABS_SRCDIR
\set fixtures :abs_srcdir '/test/fixtures'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS distilbert;
DROP ROLE IF EXISTS regress_distil_user;
DROP ROLE IF EXISTS regress_distil_loader;
RESET client_min_messages;
DO 'BEGIN PERFORM distil_drop_model(name) FROM distil_models WHERE NOT builtin; END';
CREATE ROLE regress_distil_user;
CREATE ROLE regress_distil_loader;
SELECT set_config('distilbert.model_path', current_setting('data_directory') || '/distilbert_models', false) <> '' AS set;
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm -rf distilbert_models distilbert_elsewhere && mkdir distilbert_models distilbert_elsewhere';
SELECT format('cat >/dev/null; cp -r %L distilbert_models/inside && cp -r %L distilbert_elsewhere/outside',
			  :'fixtures' || '/distilbert-sentiment', :'fixtures' || '/bert-sentiment3') AS copy \gset
COPY (SELECT) TO PROGRAM :'copy';
SELECT name FROM distil_load_model('shared', 'inside');

-- every object of the extension has a comment, and only what should be is public
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
	AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'distilbert')
	AND classid <> 'pg_type'::regclass	-- row types, members since 17
	AND obj_description(objid, classid::regclass::name) IS NULL;
SELECT p.oid::regprocedure AS not_public
FROM pg_proc AS p JOIN pg_depend AS d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
WHERE d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'distilbert')
	AND NOT has_function_privilege('regress_distil_user', p.oid, 'EXECUTE')
ORDER BY 1;

-- users see and use models, whatever their search_path, but not the tables
SET ROLE regress_distil_user;
SELECT name, task FROM distil_models WHERE NOT builtin;
SELECT distil_sentiment('a text', 'shared') IS NOT NULL AS answers;
SELECT distil_sentiment('a text', 'sharde');
SET search_path = pg_temp;
CREATE TEMP TABLE model (name text, sha256 bytea);
SELECT public.distil_sentiment('a text', 'shared') IS NOT NULL AS answers;
DROP TABLE model;
RESET search_path;
SELECT count(*) FROM distilbert.model;
SELECT count(*) FROM distilbert.model_chunk;
SELECT distil_load_model('mine', 'inside');
SELECT distil_drop_model('shared');
SET distilbert.model_path = '/';
RESET ROLE;

-- a role that may load does so from distilbert.model_path
GRANT EXECUTE ON FUNCTION distil_load_model, distil_drop_model TO regress_distil_loader;
SELECT current_setting('data_directory') || '/distilbert_elsewhere/outside' AS outside \gset
SET ROLE regress_distil_loader;
SELECT name FROM distil_load_model('loaded', 'inside', 'embed');
SELECT name FROM distil_load_model('loaded', './/inside/.', 'embed');
SELECT loaded_at IS NOT NULL AS loaded FROM distil_models WHERE name = 'loaded';
SELECT name FROM distil_load_model('absolute', :'outside');
SELECT name FROM distil_load_model('up', 'inside/../../distilbert_elsewhere/outside');

-- links are followed as far as distilbert.model_path reaches
RESET ROLE;
COPY (SELECT) TO PROGRAM 'cat >/dev/null; cd distilbert_models && ln -s ../distilbert_elsewhere/outside away && ln -s inside near && mkdir -p hub/blobs hub/snapshots/main leak && mv inside/* hub/blobs && for f in hub/blobs/*; do ln -s ../../blobs/${f##*/} hub/snapshots/main/; cp $f inside; done && cp inside/* leak && ln -sf ../../distilbert_elsewhere/outside/model.safetensors leak/model.safetensors';
SET ROLE regress_distil_loader;
SELECT name FROM distil_load_model('near', 'near');
SELECT name FROM distil_load_model('snapshot', 'hub/snapshots/main');
SELECT name FROM distil_load_model('away', 'away');
SELECT name FROM distil_load_model('leak', 'leak');
RESET ROLE;

-- ... and anywhere for those who may read any file
GRANT pg_read_server_files TO regress_distil_loader;
SET ROLE regress_distil_loader;
SELECT name FROM distil_load_model('away', 'away');
SELECT name FROM distil_load_model('absolute', :'outside');
RESET ROLE;

-- the loader's name stays with the model
SELECT name, loaded_by FROM distilbert.model WHERE loaded_by <> current_user ORDER BY name;
SELECT count(distil_drop_model(name)) AS dropped FROM distil_models WHERE NOT builtin;
COPY (SELECT) TO PROGRAM 'cat >/dev/null; rm -rf distilbert_models distilbert_elsewhere';
REVOKE pg_read_server_files FROM regress_distil_loader;
REVOKE EXECUTE ON FUNCTION distil_load_model, distil_drop_model FROM regress_distil_loader;
DROP ROLE regress_distil_user, regress_distil_loader;

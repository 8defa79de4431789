# Pipelines: who may write, who sees what, and whose code runs as whom.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');

load_model($node, $_) for qw(bert-sentence distilbert-sentiment);

sub sql { return $node->safe_psql('postgres', @_) }
sub error_of
{
	my (undef, undef, $err) = $node->psql('postgres', $_[0]);
	return $err;
}
my $done = "SELECT count(*) = 0 FROM distilbert.pipeline_queue";
sub wait_done { return wait_until($node, $done) }

# An owner who cannot log in, a writer with INSERT alone, two readers.
sql(<<'SQL');
CREATE ROLE owner;
CREATE ROLE writer;
CREATE ROLE anna;
CREATE ROLE bert;
CREATE SCHEMA app AUTHORIZATION owner;
GRANT USAGE ON SCHEMA app TO writer, anna, bert;
SET ROLE owner;
CREATE TABLE app.docs (id int PRIMARY KEY, body text, reader name);
ALTER TABLE app.docs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY readers ON app.docs FOR SELECT USING (reader = current_user);
CREATE POLICY writers ON app.docs FOR INSERT WITH CHECK (true);
CREATE POLICY changers ON app.docs FOR UPDATE USING (true);
GRANT INSERT ON app.docs TO writer;
GRANT SELECT ON app.docs TO anna, bert;
SELECT distil_create_pipeline('app.docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
SELECT distil_create_pipeline('app.docs', 'body', 'chunks', 'bert-sentence', into_table => 'app.chunks');
GRANT SELECT ON app.chunks TO anna, bert;
SQL

# ---- FORCE ROW LEVEL SECURITY, INSERT alone
sql(q{SET ROLE writer; INSERT INTO app.docs VALUES (1, 'for Anna', 'anna'), (2, 'for Bert', 'bert'), (3, 'for nobody', NULL)});
ok(wait_until($node, 'SELECT count(*) = 3 FROM app.chunks'), 'a writer with INSERT on the source alone is followed');
ok(wait_until($node, 'SELECT count(mood) = 3 FROM app.docs'), 'all rows are done, whatever row level security hides from the owner');
like(error_of("SET ROLE writer; SELECT * FROM distilbert.pipeline_queue"), qr/permission denied for table pipeline_queue/, 'he sees no queue');
like(error_of("SET ROLE writer; SELECT * FROM app.chunks"), qr/permission denied for table chunks/, 'and no chunks');
is(sql("SET ROLE anna; SELECT string_agg(chunk, ',') FROM app.chunks"), 'for Anna', 'a reader sees chunks of rows that she may see');
is(sql("SET ROLE bert; SELECT string_agg(chunk, ',') FROM app.chunks"), 'for Bert', 'as another one does');
is(sql('SELECT count(*) FROM app.chunks'), 3, 'a superuser sees them all');
sql('SET ROLE owner; REVOKE SELECT ON app.docs FROM anna');
like(error_of('SET ROLE anna; SELECT count(*) FROM app.chunks'), qr/permission denied for table docs/, 'who may not read the source reads no chunks');

# stale chunks are removed as the owner, whoever writes
sql('SET ROLE owner; GRANT UPDATE, SELECT ON app.docs TO writer');
sql(q{SET ROLE owner; ALTER TABLE app.chunks FORCE ROW LEVEL SECURITY; CREATE POLICY all_rows ON app.docs FOR SELECT TO writer USING (true)});
sql(q{BEGIN; SET ROLE writer; UPDATE app.docs SET body = 'changed' WHERE id = 3; RESET ROLE; CREATE TABLE count_now AS SELECT count(*) FROM app.chunks WHERE id = 3; COMMIT});
is(sql('SELECT * FROM count_now'), 0, 'a writer without rights on the target removes what is stale');
ok(wait_until($node, "SELECT count(*) = 1 FROM app.chunks WHERE chunk = 'changed'"), 'and it is made anew');

# ---- what stands in a search_path, or in pg_temp
sql(<<'SQL');
CREATE SCHEMA trap AUTHORIZATION writer;
SET ROLE writer;
CREATE TABLE trap.caught (who name, what text);
GRANT ALL ON trap.caught TO PUBLIC;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
CREATE FUNCTION trap.same(integer, integer) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO trap.caught VALUES (current_user, 'operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR trap.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = trap.same);
CREATE FUNCTION trap.octet_length(bytea) RETURNS integer LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO trap.caught VALUES (current_user, 'function'); RETURN 32; END $$;
SQL
sql(<<'SQL');
SET ROLE writer;
SET search_path = trap, pg_catalog, app;
CREATE TEMP TABLE chunks (id int, seq int);
CREATE TEMP TABLE docs (id int, body text);
CREATE TEMP TABLE pipeline_queue (pipeline text, seq bigint, keys text[], queued_at timestamptz);
INSERT INTO app.docs VALUES (10, 'through a trap', 'bert');
UPDATE app.docs SET body = 'through a trap again' WHERE id OPERATOR(pg_catalog.=) 10;
UPDATE app.docs SET id = 11 WHERE id OPERATOR(pg_catalog.=) 10;
SQL
ok(wait_until($node, "SELECT count(*) = 1 FROM app.chunks WHERE id = 11 AND chunk = 'through a trap again'"), 'a hostile search_path changes nothing');
sql(q{SET search_path = trap, pg_catalog, public; SELECT distil_create_pipeline('app.docs', 'body', 'embed', 'bert-sentence', into_table => 'app.vectors'); CALL distil_run_pipeline()});
ok(wait_until($node, 'SELECT count(*) = (SELECT count(*) FROM app.docs) FROM app.vectors'), 'not for a superuser who makes and runs a pipeline either');
is(sql('SELECT count(*) FROM trap.caught'), 0, 'and none of its functions ran');

# ---- the owner's code never runs as somebody else
sql(<<'SQL');
CREATE TABLE app.ran (who name, login name, what text);
GRANT ALL ON app.ran TO PUBLIC;
SET ROLE owner;
CREATE FUNCTION app.note(what text) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO app.ran VALUES (current_user, session_user, what); RETURN true; END $$;
CREATE FUNCTION app.key(id int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM app.note('index'); RETURN id; END $$;
CREATE FUNCTION app.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM app.note('trigger'); RETURN NEW; END $$;
CREATE FUNCTION app.escape() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN CREATE TEMP TABLE outlives (x int); RETURN NEW; EXCEPTION WHEN OTHERS THEN INSERT INTO app.ran VALUES (current_user, session_user, SQLERRM); RETURN NEW; END $$;
ALTER TABLE app.chunks ADD CHECK (app.note('check'));
CREATE INDEX ON app.chunks (app.key(id));
CREATE TRIGGER t AFTER INSERT ON app.chunks FOR EACH ROW EXECUTE FUNCTION app.fired();
CREATE TRIGGER u AFTER INSERT ON app.chunks FOR EACH ROW EXECUTE FUNCTION app.escape();
RESET ROLE;
TRUNCATE app.ran;
SET ROLE writer;
INSERT INTO app.docs VALUES (20, 'code', 'bert');
SQL
ok(wait_until($node, 'SELECT count(*) = 1 FROM app.chunks WHERE id = 20'), 'a target with code of its owner is written');
is(sql("SELECT string_agg(DISTINCT who, ' ') FROM app.ran"), 'owner', 'his code runs as he');
is(sql("SELECT string_agg(DISTINCT what, ' ' ORDER BY what) FROM app.ran WHERE what IN ('check', 'index', 'trigger')"), 'check index trigger', 'all of it');
like(sql("SELECT string_agg(DISTINCT what, ' ') FROM app.ran WHERE what NOT IN ('check', 'index', 'trigger')"), qr/security-restricted operation/, 'and leaves nothing that outlives it');
sql('TRUNCATE app.ran');
sql("UPDATE app.docs SET body = 'by hand' WHERE id = 20; CALL distil_run_pipeline()");
ok(wait_until($node, "SELECT count(*) = 1 FROM app.chunks WHERE chunk = 'by hand'"), 'CALL by a superuser');
is(sql("SELECT string_agg(DISTINCT who, ' ') FROM app.ran"), 'owner', 'runs it as the owner, too');

# ---- rows that somebody wrote into the catalogue are not believed
sql('CREATE ROLE dba; GRANT SELECT, INSERT, UPDATE ON distilbert.pipeline, distilbert.pipeline_generation TO dba; CREATE TABLE public.secret (id int PRIMARY KEY, body text, v real[]); INSERT INTO public.secret VALUES (1, \'x\')');
sql(q{SET ROLE dba;
	INSERT INTO distilbert.pipeline SELECT (jsonb_populate_record(p, jsonb_build_object('name', 'forged', 'source', 'public.secret'::regclass::oid))).*
		FROM distilbert.pipeline p WHERE name = 'chunks';
	INSERT INTO distilbert.pipeline_generation SELECT (jsonb_populate_record(g, jsonb_build_object('pipeline', 'forged', 'target', 'public.count_now'::regclass::oid))).*
		FROM distilbert.pipeline_generation g WHERE pipeline = 'chunks'});
sql('CALL distil_run_pipeline()');
sql(q{INSERT INTO public.secret VALUES (2, 'y')});
is(sql('SELECT count(v) FROM secret'), 0, 'a forged row does nothing');
is(sql('SELECT count(*) FROM count_now'), 1, 'anywhere');
sql(q{SET ROLE dba; UPDATE distilbert.pipeline_generation SET target = 'public.count_now' WHERE pipeline = 'chunks'});
sql(q{UPDATE app.docs SET body = 'elsewhere' WHERE id = 20; CALL distil_run_pipeline()});
is(sql('SELECT count(*) FROM count_now'), 1, 'nor does a target that belongs to another');
sql("UPDATE distilbert.pipeline_generation SET target = 'app.chunks' WHERE pipeline = 'chunks'; SELECT distil_drop_pipeline('forged')"); sql("CALL distil_run_pipeline()");
ok(wait_until($node, "SELECT count(*) = 1 FROM app.chunks WHERE chunk = 'elsewhere'"), 'with its own it goes on');

# anybody may have a trigger with our function on a table of his own, which names a pipeline and its columns
sql("SELECT distil_wait_pipeline('chunks')");
my $given = sql('SELECT last_value FROM distilbert.pipeline_queue_seq');
sql(q{SET ROLE writer;
	CREATE TABLE trap.mine (id int PRIMARY KEY, body text);
	CREATE TRIGGER a AFTER UPDATE ON trap.mine FOR EACH ROW WHEN (distilbert.touched(2, OLD.id, NEW.id, OLD.body, NEW.body)) EXECUTE FUNCTION distilbert.pipeline_capture('chunks');
	CREATE TRIGGER b AFTER INSERT ON trap.mine FOR EACH ROW EXECUTE FUNCTION distilbert.pipeline_capture('chunks');
	INSERT INTO trap.mine VALUES (1, 'x');
	UPDATE trap.mine SET body = 'y'});
is(sql('SELECT last_value FROM distilbert.pipeline_queue_seq'), $given, 'it queues nothing');

alive($node);
done_testing();

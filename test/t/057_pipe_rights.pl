# Pipelines: with whose rights the worker works.  Row level security that hides
# rows from their own owner, owners that may not log in, triggers of an owner
# who would like to be a superuser, operators and tables that stand in the way;
# databases in other encodings.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Pipelines;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = pipe_node('main');

sub sql { return $node->safe_psql('postgres', $_[0]) }

# The owner may not log in, and sees none of his rows.
sql(<<'SQL');
CREATE ROLE owner NOLOGIN;
CREATE ROLE writer LOGIN;
GRANT CREATE ON SCHEMA public TO owner;
SET ROLE owner;
CREATE TABLE hidden (id int PRIMARY KEY, body text, vec real[]);
ALTER TABLE hidden ENABLE ROW LEVEL SECURITY;
ALTER TABLE hidden FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_it ON hidden TO writer USING (true);
GRANT SELECT, INSERT, UPDATE ON hidden TO writer;
SELECT distil_create_pipeline('hidden', 'body', 'embed', 'e', into_column => 'vec');
SELECT distil_create_pipeline('hidden', 'body', 'embed', 'e', into_table => 'hidden_vecs');
SQL

# What the owner's code sees of the worker, and what it tries.
sql(<<'SQL');
CREATE TABLE seen (who text, session text, path text, role text);
GRANT ALL ON seen TO owner;
SET ROLE owner;
CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE result text := 'stayed';
BEGIN
	BEGIN SET LOCAL ROLE postgres; result := 'became ' || current_user; EXCEPTION WHEN OTHERS THEN NULL; END;
	BEGIN SET LOCAL SESSION AUTHORIZATION postgres; result := 'became ' || session_user; EXCEPTION WHEN OTHERS THEN NULL; END;
	BEGIN CREATE TEMP TABLE mine (a int); result := 'made a table'; EXCEPTION WHEN OTHERS THEN NULL; END;
	BEGIN ALTER ROLE owner SUPERUSER; result := 'superuser'; EXCEPTION WHEN OTHERS THEN NULL; END;
	INSERT INTO public.seen VALUES (current_user, result, current_setting('search_path'), current_setting('role'));
	RETURN NEW;
END $$;
CREATE TRIGGER spy BEFORE INSERT ON hidden_vecs FOR EACH ROW EXECUTE FUNCTION spy();
CREATE TRIGGER spy BEFORE UPDATE ON hidden FOR EACH ROW EXECUTE FUNCTION spy();
ALTER TABLE hidden ENABLE ALWAYS TRIGGER spy;
SQL

# Operators, functions and tables that would be found first.
sql(<<'SQL');
CREATE SCHEMA trap;
CREATE FUNCTION trap.no(int, int) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT false';
CREATE OPERATOR trap.= (LEFTARG = int, RIGHTARG = int, FUNCTION = trap.no);
CREATE TABLE trap.hidden (id int, body text, vec real[]);
CREATE TABLE trap.hidden_vecs (id int, embedding real[], text_hash bytea);
CREATE FUNCTION trap.pipeline_hash(text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT '\x00'::bytea $$;
GRANT ALL ON SCHEMA trap TO PUBLIC;
ALTER DATABASE postgres SET search_path = trap, pg_catalog, public;
ALTER ROLE owner SET search_path = trap, pg_catalog, public;
ALTER ROLE postgres SET search_path = trap, pg_catalog, public;
SQL
$node->restart;
$node->safe_psql('postgres', "SET search_path = trap, pg_catalog, public; SET distilbert.pipelines = on;
	INSERT INTO public.hidden SELECT i, 'row ' || i FROM pg_catalog.generate_series(1, 100) i", extra_params => [ '-U', 'writer' ]);
$node->safe_psql('postgres', "SET search_path = public; SELECT distil_wait_pipeline('$_', '1min')") for qw(hidden_vec hidden_vecs);
is(sql("SET search_path = public; SELECT count(*), count(vec), bool_and(vec = distil_embed_passage(body, 'e')) FROM hidden"), '100|100|t', 'all rows of an owner who sees none');
is(sql('SET search_path = public; SELECT count(*) FROM hidden_vecs'), '100', 'in the table, too');
is(sql('SELECT DISTINCT who, session FROM public.seen'), 'owner|stayed', 'his triggers run as himself, and stay so');
is(sql(q{SELECT count(*) FROM public.seen WHERE path !~ '^"?pg_catalog, pg_temp'}), '0', 'with a safe search_path');
is(sql("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = 'owner'"), 'f', 'he is no superuser');
is(sql('SELECT (SELECT count(*) FROM trap.hidden) + (SELECT count(*) FROM trap.hidden_vecs)'), '0', 'nothing went to tables of the same name');

# By hand: the owner's own alone.
is($node->psql('postgres', "SET search_path = public; CALL distil_run_pipeline('hidden_vec')", extra_params => [ '-U', 'writer' ], stderr => \my $err), 3, 'not by others');
like($err, qr/must be owner/, 'who are told so');
sql('GRANT owner TO writer');
$node->append_conf('postgresql.conf', 'distilbert.pipelines = off');
$node->reload;
ok(wait_until($node, "SELECT count(*) OPERATOR(pg_catalog.=) 0 FROM pg_catalog.pg_stat_activity WHERE backend_type OPERATOR(pg_catalog.=) 'distilbert pipelines'"), '(no worker)');
is($node->psql('postgres', "SET search_path = trap, pg_catalog, public; INSERT INTO public.hidden VALUES (200, 'by hand'); CALL distil_run_pipeline()", extra_params => [ '-U', 'writer' ]), 0, 'by members of the owner');
is(sql(q{SELECT count(*) FILTER (WHERE path !~ '^"?pg_catalog, pg_temp'), count(*) > 200 FROM public.seen}), '0|t', 'with a safe search_path, too');
$node->append_conf('postgresql.conf', 'distilbert.pipelines = on');
$node->reload;
sql('REVOKE owner FROM writer');

# What an error says may quote a row.
sql('DROP TRIGGER spy ON public.hidden_vecs; ALTER TABLE public.hidden_vecs ADD CHECK (id < 1000); INSERT INTO public.hidden VALUES (1000, $$secret$$)');
$node->safe_psql('postgres', "SET search_path = public; SELECT distil_wait_pipeline('hidden_vecs', '1min')");
is($node->safe_psql('postgres', 'SET search_path = public; SELECT rows_failed, last_error FROM distil_pipelines WHERE rows_failed > 0; SELECT count(*) FROM distil_pipeline_errors',
	extra_params => [ '-U', 'writer' ]), "1|\n0", 'others see that there are errors, not what they say');
like(sql('SET search_path = public; SELECT message FROM distil_pipeline_errors'), qr/violates check constraint/, 'a superuser sees it');

# ---- a database in another encoding

sql(q{ALTER DATABASE postgres RESET search_path; ALTER ROLE postgres RESET search_path});
sql(q{CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'});
$node->safe_psql('latin', 'CREATE EXTENSION distilbert');
load_model($node, 'bert-sentence', 'e', 'latin');
load_model($node, 'bert-ner', 'n', 'latin');
$node->safe_psql('latin', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, body text, masked text);
SELECT distil_create_pipeline('t', 'body', 'chunks', 'e', into_table => 'chunks', options => '{"max_tokens": 6}');
SELECT distil_create_pipeline('t', 'body', 'mask', 'n', into_column => 'masked');
INSERT INTO t SELECT i, 'caf' || chr(233) || ' in M' || chr(252) || 'nchen ' || repeat('na' || chr(239) || 'f ', i % 9) FROM generate_series(1, 60) i;
SQL
settled($node, $_, 'latin') for qw(chunks t_masked);
is($node->safe_psql('latin', <<'SQL'), 't|0|t', 'texts of LATIN1');
SELECT bool_and(masked = distil_mask(body, 'n')),
	(SELECT count(*) FROM (SELECT id, c.seq, c.chunk, distil_embed_passage(c.chunk, 'e') FROM t, distil_chunk(body, 'e', 6, 0) c
		EXCEPT SELECT id, seq, chunk, embedding FROM chunks) d),
	(SELECT count(*) FROM chunks) = (SELECT count(*) FROM t, distil_chunk(body, 'e', 6, 0) c) FROM t
SQL
alive($node);
done_testing();

# A database's owner creates the extension, uses and grants it, dumps and restores it; what
# is the server's stays with superusers.  Nothing that he put there before is picked up.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $fixtures = fixtures();
my $dir = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', <<'SQL');
CREATE ROLE owner LOGIN;
CREATE ROLE friend LOGIN;
CREATE ROLE stranger LOGIN;
CREATE DATABASE shop OWNER owner;
CREATE DATABASE copy OWNER owner;
CREATE DATABASE later OWNER owner;
SQL

# Output of a statement as a role, or its error.
sub said
{
	my ($role, $sql, $db) = @_;
	my ($rc, $out, $err) = $node->psql($db // 'shop', $sql, extra_params => [ '-U', $role ], on_error_stop => 1);

	return $rc == 0 ? $out : $err;
}

# ---- creating it, over traps that lie ready

is(said('owner', <<'SQL'), '', 'traps are laid');
CREATE SCHEMA s;
CREATE FUNCTION s.distil_embed(text) RETURNS real[] LANGUAGE sql AS 'SELECT ARRAY[1/0]';
CREATE FUNCTION s.distil_embed(text, text) RETURNS real[] LANGUAGE sql AS 'SELECT ARRAY[1/0]';
CREATE FUNCTION s.octet_length(bytea) RETURNS int LANGUAGE sql AS 'SELECT 1/0';
CREATE FUNCTION s.cosine(real[], real[]) RETURNS real LANGUAGE sql AS 'SELECT 1/0';
CREATE FUNCTION s.never(bytea, bytea) RETURNS bool LANGUAGE sql AS 'SELECT 1/0 > 0';
CREATE OPERATOR s.= (leftarg = bytea, rightarg = bytea, procedure = s.never);
CREATE DOMAIN s.text AS pg_catalog.text CHECK (1/0 > 0);
CREATE FUNCTION s.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS 'SELECT 1/0';
SET search_path = s, pg_catalog;
CREATE EXTENSION distilbert SCHEMA s;
SQL
is(said('owner', q{SELECT pg_get_userbyid(extowner) FROM pg_extension WHERE extname = 'distilbert'}), 'owner', 'the owner has created the extension');
like(said('stranger', 'CREATE EXTENSION distilbert', 'copy'), qr/permission denied to create extension/, 'who may not create in the database may not');

my $member = q{d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND
	d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'distilbert')};
is(said('owner', qq{SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
	WHERE $member AND pg_get_userbyid(proowner) = 'owner'}), '0', 'and owns no function of it');
is(said('owner', qq{SELECT count(*) FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
	WHERE $member AND pg_get_userbyid(relowner) = 'owner'}), '0', 'nor table or view');
is(said('owner', qq{SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid WHERE $member AND prosecdef}),
	'0', 'none runs with the rights of its owner');
is($node->safe_psql('shop', qq{SELECT pg_describe_object(u.refclassid, u.refobjid, 0) FROM pg_depend d
	JOIN pg_depend u ON u.classid = d.classid AND u.objid = d.objid AND u.deptype <> 'e'
	WHERE $member AND u.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass) AND u.refobjid >= 16384
		AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = u.refclassid AND m.objid = u.refobjid AND m.deptype = 'e')
		AND NOT EXISTS (SELECT FROM pg_type t WHERE u.refclassid = 'pg_type'::regclass AND t.oid = u.refobjid AND (t.typrelid <> 0 OR t.typelem <> 0))}),
	'', 'nothing of it uses what was there before');
is($node->safe_psql('shop', q{SET client_min_messages = warning; SELECT s.distil_load_model('e', 'bert-sentence') \g /dev/null
	SET distilbert.embed_model = 'e';
	SELECT round(s.distil_similarity('a', 'a')::numeric, 3), round(s.distil_similarity('a', 'a', 'e')::numeric, 3), s.distil_drop_model('e')}), '1.000|1.000|t',
	'no trap snaps shut');
is(said('owner', 'DROP FUNCTION s.distil_embed(text), s.distil_embed(text, text), s.octet_length, s.cosine, s.pg_get_userbyid; DROP OPERATOR s.= (bytea, bytea);
	DROP FUNCTION s.never; DROP DOMAIN s.text'), '', 'traps are taken away');

# ---- what he may

is(said('owner', q{ALTER DATABASE shop SET search_path = s; ALTER DATABASE copy SET search_path = s}), '', 'a search_path');
is(said('owner', q{SELECT name FROM distil_load_model('m', 'distilbert-sentiment')}), 'm', 'he loads a model');
is(said('owner', q{SELECT count(*) > 3 FROM distil_export_model('m')}), 't', 'exports it');
like(said('owner', q{SET client_min_messages = error; SELECT count(*) FROM distil_train('t', $$VALUES ('a', 'x'), ('b', 'y')$$, 'm', epochs => 1, validation => 0)}), qr/^1$/, 'trains');
is(said('owner', q{SELECT distil_drop_model('t')}), 't', 'drops');
is(said('owner', q{SELECT distil_stats_reset()}), '', 'resets the statistics');
like(said('friend', q{SELECT s.distil_load_model('f', 'distilbert-stars')}), qr/permission denied/, 'others may not');
is(said('owner', 'GRANT USAGE ON SCHEMA s TO friend, stranger; GRANT EXECUTE ON FUNCTION distil_load_model, distil_drop_model TO friend'), '', 'he grants it');
is(said('friend', q{SELECT name FROM distil_load_model('f', 'distilbert-stars')}), 'f', 'then they may');
like(said('friend', 'GRANT EXECUTE ON FUNCTION distil_load_model TO stranger; SELECT 1 / 0'), qr/no privileges were granted/, 'but not grant it');
is(said('friend', q{SELECT distil_drop_model('f')}), 't', 'and drop');
is(said('stranger', q{SELECT distil_sentiment('good', 'm') IS NOT NULL}), 't', 'everybody uses the model');

# ---- what stays with superusers

like(said('owner', "SELECT distil_load_model('x', '$fixtures/distilbert-stars')"), qr/permission denied to load a model from an absolute path/, 'absolute paths');
like(said('owner', "SELECT distil_load_model('x', '../fixtures/distilbert-stars')"), qr/ERROR/, 'paths that lead out');
for my $setting (q{distilbert.model_path = '/'}, q{distilbert.max_memory = 0}, q{distilbert.checkpoint_space = '1TB'}, q{distilbert.force_isa = scalar})
{
	like(said('owner', "SELECT distil_sentiment('good', 'm'); SET $setting"), qr/permission denied to set parameter/, $setting);
	like(said('owner', "SELECT distil_sentiment('good', 'm'); ALTER DATABASE shop SET $setting"), qr/permission denied/, "$setting for the database");
}
like(said('owner', 'DELETE FROM distilbert.model'), qr/permission denied/, 'changing rows');
like(said('owner', q{UPDATE distilbert.model SET name = 'y'}), qr/permission denied/, 'changing what a name means');
like(said('owner', 'ALTER FUNCTION distil_export_model CALLED ON NULL INPUT'), qr/must be owner/, 'what functions are');
like(said('owner', 'CREATE TABLE distilbert.x (a int)'), qr/permission denied/, 'the schema of the models');
like(said('owner', 'DROP TABLE distilbert.model'), qr/must be owner|permission denied|requires it/, 'its tables');
like(said('stranger', 'TABLE distilbert.model'), qr/permission denied/, 'others do not read the tables');

# ---- dump and restore, as the owner

is(said('owner', q{CREATE TABLE reviews (body text, mood real GENERATED ALWAYS AS (distil_sentiment(body, 'm')) STORED);
	INSERT INTO reviews VALUES ('good'), ('bad'); CREATE INDEX ON reviews (distil_sentiment(body, 'm'))}), '', 'a table with a generated column');
my $wanted = said('owner', 'TABLE reviews');
$node->command_ok([ 'pg_dump', '-U', 'owner', '-Fc', '-f', "$dir/dump", '-d', $node->connstr('shop') ], 'the owner dumps');
$node->command_ok([ 'pg_restore', '-U', 'owner', '-e', '-d', $node->connstr('copy'), @$_, "$dir/dump" ], "restores @$_")
  for [ '--section=pre-data' ], [ '--section=data', '-n', 'distilbert' ], [ '--section=data', '-N', 'distilbert' ], [ '--section=post-data' ];
is(said('owner', 'TABLE reviews', 'copy'), $wanted, 'the same rows');
is(said('owner', q{SELECT name FROM distil_models WHERE NOT builtin}, 'copy'), 'm', 'the same models');
is(said('friend', q{SELECT name FROM s.distil_load_model('f', 'distilbert-stars')}, 'copy'), 'f', 'the same privileges');
is(said('owner', q{SELECT name FROM distil_load_model('o', 'distilbert-stars')}, 'copy'), 'o', 'the owner loads there, too');
$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", '-d', $node->connstr('shop') ], 'a superuser dumps');
unlike(slurp_file("$dir/plain.sql"), qr/REVOKE|GRANT .* TO owner/, 'what the extension grants is not in it');

# ---- dropping it

is(said('owner', 'DROP TABLE reviews; DROP EXTENSION distilbert'), '', 'the owner drops the extension');
is(said('owner', 'CREATE EXTENSION distilbert SCHEMA s'), '', 'and creates it again');

# ---- settings before the first call

like(said('owner', 'SHOW distilbert.long_text'), qr/unrecognized configuration parameter/, 'a fresh session does not know the settings');
$node->safe_psql('postgres', q{ALTER DATABASE shop SET session_preload_libraries = 'distilbert'});
is(said('owner', 'SHOW distilbert.long_text'), 'window', 'with session_preload_libraries it does');
is(said('owner', q{SELECT count(*) > 15 FROM pg_settings WHERE name LIKE 'distilbert.%'}), 't', 'all of them');
like(said('owner', q{ALTER DATABASE shop SET distilbert.long_text = 'wrong'}), qr/invalid value for parameter/, 'wrong values are refused');
like(said('owner', q{SET distilbert.long_texts = 'window'}), qr/invalid configuration parameter name/, 'wrong names, too');
is(said('owner', q{ALTER DATABASE shop SET distilbert.long_text = 'truncate'}), '', 'right ones are not');
is(said('owner', 'SHOW distilbert.long_text'), 'truncate', 'and count from the beginning');
alive($node);
done_testing();

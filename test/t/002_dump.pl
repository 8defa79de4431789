# Dumps bring the models along: plain, custom and directory format, whole cluster.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my @models = qw(distilbert-sentiment bert-sentiment3 distilbert-multilabel);
my $node = new_node('main');
load_model($node, $_) for @models;
load_model($node, 'distilbert-sharded', 'sharded');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE reviews (id int, body text, score real GENERATED ALWAYS AS (distil_sentiment(body, 'distilbert-sentiment')) STORED);
INSERT INTO reviews VALUES (1, 'The film was a delight.'), (2, 'cold soup');
CREATE INDEX ON reviews (distil_sentiment(body, 'bert-sentiment3'));
CREATE MATERIALIZED VIEW labels AS SELECT id, distil_classify(body, 'distilbert-multilabel') FROM reviews;
SQL

my $view = 'SELECT name, task, architecture, labels, layers, hidden_size, parameters, max_tokens, precision, bytes, sha256, builtin FROM distil_models ORDER BY name';
my $rows = 'SELECT r.*, l.*, (SELECT md5(distil_embed(body, \'sharded\')::text)) FROM reviews r JOIN labels l USING (id) ORDER BY r.id';
my $wanted_view = $node->safe_psql('postgres', $view);
my $wanted_rows = $node->safe_psql('postgres', $rows);
my %wanted = map { $_ => answers($node, $_) } @models;
like($wanted_view, qr/sharded/, 'the view shows what was loaded');

sub same
{
	my ($server, $db, $name) = @_;

	is($server->safe_psql($db, $view), $wanted_view, "$name: the same models");
	is($server->safe_psql($db, $rows), $wanted_rows, "$name: the same rows, generated column and materialized view");
	is(answers($server, $_, $db), $wanted{$_}, "$name: the same answers of $_") for @models;
	is($server->safe_psql($db, q{SET enable_seqscan = off;
		SELECT count(*) FROM reviews WHERE distil_sentiment(body, 'bert-sentiment3') > -2}), '2', "$name: the expression index");
	load_model($server, 'distilbert-stars', 'another', $db);
	is($server->safe_psql($db, q{SELECT distil_drop_model('another')}), 't', "$name: loading and dropping work");
	is($server->safe_psql($db, q{SELECT count(*) FROM distilbert.model}), '4', "$name: four rows");
}

# pg_restore in steps, the models' rows before all others
my @models_first = ([ '--section=pre-data' ], [ '--section=data', '-n', 'distilbert' ],
	[ '--section=data', '-N', 'distilbert' ], [ '--section=post-data' ]);

my $dir = PostgreSQL::Test::Utils::tempdir;

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE plain');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('plain'), '-f', "$dir/plain.sql" ], 'psql reads it');
same($node, 'plain', 'plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", '-d', $node->connstr('postgres') ], 'pg_dump -Fc');
$node->safe_psql('postgres', 'CREATE DATABASE custom');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('custom'), "$dir/custom" ], 'pg_restore');
same($node, 'custom', 'custom format');

$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", '-d', $node->connstr('postgres') ], 'pg_dump -Fd -j2');
$node->safe_psql('postgres', 'CREATE DATABASE directory');
# Jobs restore tables side by side, and a generated column wants its model's rows
# there: the models first, as the README says.
$node->command_ok([ 'pg_restore', '-e', '-j2', '-d', $node->connstr('directory'), @$_, "$dir/directory" ], "pg_restore -j2 @$_")
  for @models_first;
same($node, 'directory', 'directory format, two jobs');

$node->command_ok([ 'pg_dump', '--schema-only', '-f', "$dir/schema.sql", '-d', $node->connstr('postgres') ], 'pg_dump --schema-only');
unlike(slurp_file("$dir/schema.sql"), qr/model_chunk/, 'a schema has no models in it');

$node->safe_psql('postgres', "DROP DATABASE $_") for qw(plain custom directory);
$node->command_ok([ 'pg_dumpall', '-f', "$dir/all.sql", '-d', $node->connstr('postgres') ], 'pg_dumpall');
my $other = PostgreSQL::Test::Cluster->new('other');
$other->init;
$other->append_conf('postgresql.conf', "distilbert.model_path = '" . fixtures() . "'");
$other->start;
my ($rc, $out, $err) = $other->psql('postgres', "\\i $dir/all.sql", on_error_stop => 0);
is($err =~ s/ERROR:  role ".*" already exists//r =~ /ERROR/ ? $err : '', '', 'another server reads it');
same($other, 'postgres', 'pg_dumpall');

# An extension in a schema of its own, functions found by path and without.
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', q{CREATE SCHEMA nlp; CREATE EXTENSION distilbert SCHEMA nlp;
	SELECT name FROM nlp.distil_load_model('m', 'bert-sentiment3');
	CREATE TABLE t (body text, score real GENERATED ALWAYS AS (nlp.distil_sentiment(body, 'm')) STORED);
	INSERT INTO t VALUES ('Berlin')});
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/elsewhere", '-d', $node->connstr('elsewhere') ], 'pg_dump, extension in a schema');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere2');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('elsewhere2'), "$dir/elsewhere" ], 'pg_restore');
is($node->safe_psql('elsewhere2', q{SELECT score = nlp.distil_sentiment(body, 'm') FROM t}), 't', 'the same answer there');

# pg_dump orders tables by schema: a generated column in a schema before
# "distilbert" wants the models restored first, as the README says.
$node->safe_psql('elsewhere', q{CREATE SCHEMA app; CREATE TABLE app.t (body text, score real GENERATED ALWAYS AS (nlp.distil_sentiment(body, 'm')) STORED);
	INSERT INTO app.t VALUES ('Berlin')});
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/app", '-d', $node->connstr('elsewhere') ], 'pg_dump, schema app');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere3');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('elsewhere3'), @$_, "$dir/app" ], "pg_restore @$_")
  for @models_first;
is($node->safe_psql('elsewhere3', q{SELECT score = nlp.distil_sentiment(body, 'm') FROM app.t}), 't', 'the same answer there');

# DROP EXTENSION leaves nothing, and it can be created again.
$node->safe_psql('elsewhere2', 'DROP EXTENSION distilbert CASCADE');
is($node->safe_psql('elsewhere2', q{SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text = 'distilbert'}), '0', 'DROP EXTENSION takes the tables along');
$node->safe_psql('elsewhere2', 'CREATE EXTENSION distilbert');
is($node->safe_psql('elsewhere2', 'SELECT count(*) FROM distilbert.model'), '0', 'a new extension is empty');
alive($node);
done_testing();

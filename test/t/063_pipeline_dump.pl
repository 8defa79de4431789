# Pipelines in dumps: what is set, what is there and what waits come back, and the
# rest gets done.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.pipelines = off\n");
my $dir = $node->backup_dir;
my $port = $node->port;

load_model($node, $_) for qw(bert-sentence distilbert-sentiment);
mkdir $dir;

sub sql { return $node->safe_psql($_[1] // 'postgres', $_[0]) }
sub run { return $node->command_ok([@_], join(' ', map { s{.*/}{}r } @_[0 .. 1])) }

# A column that was dropped, names that need quotes, a schema that sorts first, a
# target beside its source and one elsewhere; keys that wait, and one that failed.
sql(<<'SQL');
CREATE SCHEMA "A first";
CREATE TABLE "A first"."The docs" (gone int, "Id" int PRIMARY KEY, "The body" text, note text);
ALTER TABLE "A first"."The docs" DROP COLUMN gone;
INSERT INTO "A first"."The docs" SELECT i, 'text ' || i FROM generate_series(1, 50) AS i;
SELECT distil_create_pipeline('"A first"."The docs"', 'The body', 'chunks', 'bert-sentence', into_table => 'public.chunks', options => '{"max_tokens": 16}');
SELECT distil_create_pipeline('"A first"."The docs"', 'The body', 'sentiment', 'distilbert-sentiment', into_column => 'Mood', name => 'moods');
CREATE TABLE notes (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE notes_1 PARTITION OF notes FOR VALUES FROM (0) TO (100);
SELECT distil_create_pipeline('notes', 'body', 'embed', 'bert-sentence', into_table => 'vectors', mode => 'sync');
INSERT INTO notes VALUES (1, 'one');
SQL
sql('CALL distil_run_pipeline()');
sql(<<'SQL');
INSERT INTO "A first"."The docs" VALUES (60, 'waiting');
UPDATE "A first"."The docs" SET "The body" = 'changed' WHERE "Id" = 1;
SELECT distil_alter_pipeline('chunks', options => '{"max_tokens": 8}');
SQL

# What a database should be like when its pipelines have run.
sub right
{
	my ($db, $how) = @_;

	is(sql("SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM distil_pipelines", $db) =~ s/working|building|idle|backfill//gr, 'chunks , moods , vectors ', "$how: pipelines are there");
	sql('CALL distil_run_pipeline()', $db);
	is(sql('SELECT count(*) FROM distilbert.pipeline_queue', $db), 0, "$how: what waited is done");
	is(sql("SELECT string_agg(c.rows::text, '' ORDER BY n) FROM unnest(ARRAY['chunks', 'moods', 'vectors']) AS n, distil_check_pipeline(n) AS c", $db), '000000000000', "$how: all values are right");
	sql("SELECT distil_switch_pipeline('chunks')", $db);
	sql("INSERT INTO \"A first\".\"The docs\" VALUES (70, 'new'); INSERT INTO notes VALUES (2, 'two')", $db);
	sql('CALL distil_run_pipeline()', $db);
	is(sql("SELECT (SELECT count(*) FROM chunks WHERE \"Id\" = 70) || ' ' || (SELECT count(*) FROM vectors)", $db), '1 2', "$how: new rows are seen");
	sql('DROP TABLE notes; DROP TABLE "A first"."The docs"', $db);
	is(sql("SELECT to_regclass('chunks') IS NULL, to_regclass('vectors') IS NULL", $db), 't|t', "$how: targets go with their sources");
	sql('CALL distil_run_pipeline()', $db);
	is(sql('SELECT count(*) FROM distilbert.pipeline', $db), 0, "$how: and the pipelines");
}

# ---- plain, custom with several jobs, schema and data apart
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(plain jobs apart no_model);
run('pg_dump', '-f', "$dir/plain.sql", '-d', $node->connstr('postgres'));
run('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql", '-d', $node->connstr('plain'));
right('plain', 'plain');

run('pg_dump', '-Fd', '-j2', '-f', "$dir/dump", '-d', $node->connstr('postgres'));
run('pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('jobs'), "$dir/dump");
right('jobs', 'two jobs');

run('pg_restore', '--section=pre-data', '--exit-on-error', '-d', $node->connstr('apart'), "$dir/dump");
run('pg_restore', '--section=post-data', '--exit-on-error', '-d', $node->connstr('apart'), "$dir/dump");
run('pg_restore', '--section=data', '--disable-triggers', '--exit-on-error', '-d', $node->connstr('apart'), "$dir/dump");
right('apart', 'schema and data apart');

# ---- rows are loaded without their model: values are data
run('pg_restore', '--exit-on-error', '-d', $node->connstr('no_model'), '-L', list("$dir/dump"), "$dir/dump");
is(sql('SELECT count("Mood") FROM "A first"."The docs"', 'no_model'), 49, 'values come without a model');
my ($rc, $out, $err) = $node->psql('no_model', "CALL distil_run_pipeline('moods')");
like($err, qr/model "distilbert-sentiment" does not exist/, 'new ones do not');
load_model($node, $_, undef, 'no_model') for qw(bert-sentence distilbert-sentiment);
right('no_model', 'models that come later');

# The list of a dump's contents without the rows of the models.
sub list
{
	my ($dump) = @_;
	my ($all) = run_command(['pg_restore', '-l', $dump]);

	append_to_file("$dir/list", join("\n", grep { !/TABLE DATA distilbert model(_chunk)? / } split /\n/, $all) . "\n");
	return "$dir/list";
}

$node->stop;
done_testing();

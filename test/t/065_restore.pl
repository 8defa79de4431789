# A dump restores in one go, wherever its tables stand: generated columns and CHECKs whose models come later.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "max_worker_processes = 16\n");
my $dir = PostgreSQL::Test::Utils::tempdir;

# One schema before "distilbert", one behind it; two models in one expression, a name that says its content, values that
# hide a NULL, a column of an installed model that a loaded one replaces, partitions, row level security, a hostile
# owner's search_path.
load_model($node, $_) for qw(distilbert-sentiment distilbert-multilabel bert-sentence);
load_model($node, 'bert-sentiment3', 'sentiment-en-v1');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE author;
ALTER ROLE author SET search_path = nowhere;
CREATE SCHEMA app AUTHORIZATION author;
CREATE SCHEMA zoo;
CREATE TABLE app.reviews (id int PRIMARY KEY, body text,
	score real GENERATED ALWAYS AS (distil_sentiment(body, 'distilbert-sentiment')) STORED,
	class text GENERATED ALWAYS AS (coalesce(distil_classify(body, 'distilbert-multilabel'), 'none') || coalesce(distil_sentiment_label(body, 'distilbert-sentiment'), 'none')) STORED,
	pinned real GENERATED ALWAYS AS (distil_sentiment(body, 'distilbert-sentiment@b979b44d')) STORED,
	tokens int GENERATED ALWAYS AS (distil_token_count(body, 'bert-sentence')) STORED,
	mood real GENERATED ALWAYS AS (distil_sentiment(body, 'sentiment-en-v1')) STORED,
	CONSTRAINT kind CHECK (distil_score(body, 'distilbert-sentiment', 'NEGATIVE') < 2));
ALTER TABLE app.reviews OWNER TO author;
ALTER TABLE app.reviews ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
INSERT INTO app.reviews (id, body) SELECT i, CASE WHEN i % 7 > 0 THEN 'The film was number ' || i END FROM generate_series(1, 200) AS i;
CREATE TABLE app.part (id int, body text, v real[] GENERATED ALWAYS AS (distil_embed(body, 'bert-sentence')) STORED) PARTITION BY RANGE (id);
CREATE TABLE app.part1 PARTITION OF app.part FOR VALUES FROM (0) TO (50);
CREATE TABLE app.part2 PARTITION OF app.part FOR VALUES FROM (50) TO (200);
INSERT INTO app.part (id, body) SELECT i, 'warm soup ' || i FROM generate_series(1, 99) AS i;
CREATE TABLE zoo.animals (body text, v real[] GENERATED ALWAYS AS (distil_embed(body, 'bert-sentence')) STORED);
INSERT INTO zoo.animals (body) VALUES ('cat'), ('dog');
CREATE MATERIALIZED VIEW app.labels AS SELECT id, distil_classify(body, 'distilbert-multilabel') AS label FROM app.reviews;
CREATE TABLE app.plain (id int, body text, shown text);
CREATE TRIGGER m BEFORE INSERT ON app.plain FOR EACH ROW
	EXECUTE FUNCTION distil_moderate('column=body', 'model=distilbert-sentiment', 'label=NEGATIVE', 'threshold=1', 'action=mask', 'target=shown');
ALTER TABLE app.plain RENAME COLUMN body TO said;
SQL

my @source = ('-d', $node->connstr('postgres'));
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dir/noindex", @source ], 'pg_dump -Fd -j2, without an index on an expression');
$node->safe_psql('postgres', q{CREATE INDEX ON app.reviews (distil_sentiment_label(body, 'distilbert-sentiment'))});

my $rows = q{SET row_security = off;
SELECT md5(string_agg(r::text, ' ' ORDER BY id)) FROM app.reviews AS r;
SELECT md5(string_agg(r::text, ' ' ORDER BY id)) FROM app.part AS r;
SELECT md5(string_agg(r::text, ' ' ORDER BY body)) FROM zoo.animals AS r;
SELECT md5(string_agg(r::text, ' ' ORDER BY id)) FROM app.labels AS r;
SET enable_seqscan = off;
SELECT count(*) FROM app.reviews WHERE distil_sentiment_label(body, 'distilbert-sentiment') IN ('NEGATIVE', 'POSITIVE')};
my $wanted = $node->safe_psql('postgres', $rows);

sub fresh
{
	$node->safe_psql('postgres', 'DROP DATABASE IF EXISTS copy WITH (FORCE)');
	$node->safe_psql('postgres', 'CREATE DATABASE copy');
	return ('-d', $node->connstr('copy'));
}

sub same
{
	my ($name) = @_;

	is($node->safe_psql('copy', $rows), $wanted, "$name: the same rows, index and materialized view");
	my ($rc, $out, $err) = $node->psql('copy', 'ALTER TABLE app.plain DROP COLUMN said');
	like($err, qr/trigger m on table app\.plain depends on column said/, "$name: the trigger knows its columns");
	is($node->safe_psql('copy', q{INSERT INTO app.plain VALUES (1, 'soup') RETURNING shown}), 'soup', "$name: and works");
}

sub restore
{
	my ($name, @options) = @_;

	$node->command_ok([ 'pg_restore', '-e', fresh(), @options ], "pg_restore: $name");
	same($name);
}

$node->command_ok([ 'pg_dump', '-f', "$dir/plain.sql", @source ], 'pg_dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', fresh(), '-f', "$dir/plain.sql" ], 'psql reads it');
same('plain');
$node->command_ok([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', fresh(), '-f', "$dir/plain.sql" ], 'in one transaction');
same('plain, one transaction');
$node->command_ok([ 'pg_dump', '--inserts', '--rows-per-insert=50', '-f', "$dir/inserts.sql", @source ], 'pg_dump --inserts');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', fresh(), '-f', "$dir/inserts.sql" ], 'psql reads it');
same('inserts');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$dir/custom", @source ], 'pg_dump -Fc');
restore('custom format', "$dir/custom");
restore('custom format, one transaction', '-1', "$dir/custom");
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$dir/directory", @source ], 'pg_dump -Fd -j2');
restore('directory format', "$dir/directory");
restore("directory format, $_ jobs, no index", "-j$_", "$dir/noindex") for 2, 4, 8, 2, 4, 8;
# Jobs make an index as soon as its table is there: that waits for nothing, so it comes last.
my @fresh = fresh();
$node->command_ok([ 'pg_restore', '-e', '-j4', @fresh, "--section=$_", "$dir/directory" ], "pg_restore -j4 --section=$_") for qw(pre-data data post-data);
same('directory format, 4 jobs, in three sections');

# The table's rows and the model's are written side by side, in each order of their ends.
sub until_lock
{
	my ($state) = @_;

	return "DO \$\$ BEGIN FOR i IN 1 .. 1800 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'object' AND classid = 'pg_class'::regclass AND $state); " .
	  'PERFORM pg_sleep(0.1); END LOOP; END $$;';
}

# A script that runs while others do; its output is in the file beside it.
sub in_background
{
	my ($n, $sql) = @_;

	append_to_file("$dir/session$n.sql", "SET check_function_bodies = off;\n$sql\n");
	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', "$dir/session$n.sql" ], '<', '/dev/null', '>&', "$dir/session$n.out");
}

my $row = q{INSERT INTO app.reviews (id, body) VALUES (1, 'The film was number 1');};
my $model = q{INSERT INTO distilbert.model_chunk SELECT 'distilbert-sentiment', file, seq, data FROM distilbert.model_chunk WHERE name = 'stage';
	INSERT INTO distilbert.model SELECT 'distilbert-sentiment', sha256, task, architecture, labels, layers, hidden_size, dimensions, parameters, max_tokens,
		precision, bytes, loaded_at, loaded_by FROM distilbert.model WHERE name = 'stage';};
for (
	[ 'table', 'BEGIN;' . $row . until_lock('NOT granted') . 'COMMIT;', until_lock(q{mode = 'ShareLock'}) . "BEGIN; $model COMMIT;" ],
	[ 'model', until_lock(q{mode = 'ExclusiveLock'}) . $row, 'BEGIN;' . $model . until_lock('NOT granted') . 'COMMIT;' ])
{
	my ($first, @sql) = @$_;

	$node->command_ok([ 'pg_restore', '-e', fresh(), '--section=pre-data', "$dir/custom" ], 'schema');
	$node->safe_psql('copy', q{SELECT name FROM distil_load_model('stage', 'distilbert-sentiment')});
	my @sessions = map { in_background("$first$_", $sql[$_]) } 0, 1;
	$_->finish for @sessions;
	unlike(slurp_file("$dir/session$first$_.out"), qr/ERROR/, "$first first: no error") for 0, 1;
	is($node->safe_psql('copy', q{SELECT score = distil_sentiment(body, 'stage') FROM app.reviews}), 't', "$first first: the value is there");
}

# Elsewhere a model that is not there stays an error; nor is an index or a view made of NULLs.
$node->command_ok([ 'pg_restore', '-e', fresh(), '--section=pre-data', "$dir/custom" ], 'schema');
$node->command_fails_like([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-c', "SET check_function_bodies = on; INSERT INTO zoo.animals VALUES ('cat')" ],
	qr/model "bert-sentence" does not exist/, 'an ordinary INSERT');
$node->command_fails_like([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-c', "SET check_function_bodies = off", '-c', "INSERT INTO app.part (id, body) VALUES (1, 'x')",
	'-c', "CREATE INDEX ON app.part (distil_token_count(body, 'bert-sentence'))" ], qr/WARNING:  model "bert-sentence" is not restored yet.*ERROR:  model "bert-sentence" does not exist/s, 'an index');
# what waited is computed when the dump's models come at last
is($node->safe_psql('copy', 'SELECT v IS NULL FROM app.part'), 't', 'a value that waits');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('copy'), '--section=data', '-n', 'distilbert', "$dir/custom" ], 'models');
is($node->safe_psql('copy', q{SELECT v = distil_embed('x', 'bert-sentence') FROM app.part}), 't', 'has come');
alive($node);
done_testing();

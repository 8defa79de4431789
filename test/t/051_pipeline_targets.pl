# Pipelines: what becomes of targets when sources lose rows, partitions, columns, or go themselves.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.pipelines = off\n");

load_model($node, $_) for qw(bert-sentence distilbert-sentiment bert-ner);

sub sql { return $node->safe_psql('postgres', @_) }
sub run_all { return sql('CALL distil_run_pipeline()') }
sub error_of
{
	my (undef, undef, $err) = $node->psql('postgres', $_[0]);
	return $err;
}

# Chunks that are not those of their row's text now, rows without chunks, chunks without a row.
sub wrong
{
	my ($source) = @_;

	return sql("SELECT count(*) FROM $source FULL JOIN ${source}_chunks c USING (id) WHERE $source.body IS DISTINCT FROM c.chunk");
}

# ---- rows that go
sql(<<'SQL');
CREATE TABLE docs (id int PRIMARY KEY, body text);
INSERT INTO docs SELECT i, 'text ' || i FROM generate_series(1, 200) AS i;
SELECT distil_create_pipeline('docs', 'body', 'chunks', 'bert-sentence', into_table => 'docs_chunks');
CREATE TABLE parts (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT i, 'text ' || i FROM generate_series(1, 199) AS i;
SELECT distil_create_pipeline('parts', 'body', 'chunks', 'bert-sentence', into_table => 'parts_chunks');
CREATE TABLE keeps (id int PRIMARY KEY, body text);
INSERT INTO keeps SELECT i, 'text ' || i FROM generate_series(1, 20) AS i;
SELECT distil_create_pipeline('keeps', 'body', 'chunks', 'bert-sentence', into_table => 'keeps_chunks', stale => 'keep');
SQL
run_all();
is(join(' ', map { wrong($_) } qw(docs parts keeps)), '0 0 0', 'filled');
sql('DELETE FROM docs WHERE id > 100');
is(sql('SELECT count(*) FROM docs_chunks'), 100, 'many rows deleted: their chunks go in the same transaction');
sql("UPDATE docs SET body = 'secret' WHERE id = 1; UPDATE keeps SET body = 'secret' WHERE id = 1; DELETE FROM keeps WHERE id = 2");
is(sql('SELECT count(*) FROM docs_chunks WHERE id = 1'), 0, 'what the old text gave is gone at once');
is(sql('SELECT count(*) FROM keeps_chunks WHERE id IN (1, 2)'), 2, "with stale => 'keep' it is there");
run_all();
is(wrong('docs'), 0, 'the new text has chunks');
is(wrong('keeps'), 0, 'the old ones are replaced or removed then');
sql("BEGIN; DELETE FROM docs WHERE id = 3; ROLLBACK");
is(sql('SELECT count(*) FROM docs_chunks WHERE id = 3'), 1, 'a rollback brings them back');
sql('TRUNCATE parts_1');
is(sql('SELECT min(id), count(*) FROM parts_chunks'), '100|100', 'a partition is truncated');
sql('TRUNCATE parts, docs, keeps');
is(sql('SELECT (SELECT count(*) FROM parts_chunks), (SELECT count(*) FROM docs_chunks), (SELECT count(*) FROM keeps_chunks)'), '0|0|0', 'tables are truncated');

# ---- another one is made while a source is locked
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE docs IN ACCESS EXCLUSIVE MODE');
sql('CREATE TABLE beside (id int PRIMARY KEY, body text)');
is(sql("SET lock_timeout = '10s'; SELECT distil_create_pipeline('beside', 'body', 'chunks', 'bert-sentence', into_table => 'beside_chunks')"), 'beside_chunks',
	'it does not wait for the lock');
like(error_of("SET lock_timeout = '10s'; SELECT distil_create_pipeline('beside', 'body', 'chunks', 'bert-sentence', into_table => 'more', name => 'docs_chunks')"),
	qr/pipeline "docs_chunks" already exists/, 'nor does the error of a name that is taken');
$locker->query_safe('COMMIT');
$locker->quit;
sql('DROP TABLE beside');
run_all();
is(join(' ', map { wrong($_) } qw(docs parts keeps)), '0 0 0', 'and nothing comes back');

# a REPEATABLE READ writer does not fail because the worker wrote after its snapshot
sql("INSERT INTO docs VALUES (1, 'one')");
my $rr = $node->background_psql('postgres', on_error_stop => 0);
$rr->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM docs_chunks;');
run_all();
$rr->query("UPDATE docs SET body = 'two' WHERE id = 1;");
$rr->query('COMMIT;');
$rr->quit;
is(sql('SELECT body FROM docs WHERE id = 1'), 'two', 'a REPEATABLE READ writer goes on');
run_all();
is(wrong('docs'), 0, 'and is followed');

# ---- somebody writes the target
sql("INSERT INTO docs SELECT i, 'text ' || i FROM generate_series(2, 9) AS i");
run_all();
sql("DELETE FROM docs_chunks WHERE id = 2; UPDATE docs_chunks SET chunk = 'mine', text_hash = '' WHERE id = 3");
run_all();
sql('UPDATE docs SET body = body || \'!\'');
run_all();
is(wrong('docs'), 0, 'what was written to a target is replaced when the text changes');
sql('TRUNCATE docs_chunks; UPDATE docs SET body = body || \'!\'');
run_all();
is(wrong('docs'), 0, 'also after a TRUNCATE');

# ---- columns
sql("CREATE TABLE cols (id int PRIMARY KEY, body text, free int); SELECT distil_create_pipeline('cols', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood')");
for my $column (qw(body mood id))
{
	like(error_of("ALTER TABLE cols DROP COLUMN $column"), qr/cannot drop column $column of table cols because other objects depend on it.*trigger distil_cols_mood_update/s, "column $column is not dropped");
}
sql(<<'SQL');
ALTER TABLE cols RENAME body TO text;
ALTER TABLE cols RENAME mood TO feeling;
ALTER TABLE cols RENAME id TO nr;
ALTER TABLE cols DROP COLUMN free;
ALTER TABLE cols RENAME TO "Columns";
CREATE SCHEMA "An other";
ALTER TABLE "Columns" SET SCHEMA "An other";
INSERT INTO "An other"."Columns" VALUES (1, 'fine');
SQL
run_all();
is(sql(q{SELECT feeling = distil_sentiment(text, 'distilbert-sentiment') FROM "An other"."Columns"}), 't', 'renames are followed');
# in one session, which has planned to remove what is stale
sql("UPDATE docs SET body = 'before' WHERE id = 6; ALTER TABLE docs RENAME TO papers; ALTER TABLE docs_chunks RENAME TO pieces; ALTER TABLE pieces RENAME chunk TO piece; ALTER TABLE papers RENAME id TO nr; ALTER TABLE pieces RENAME id TO paper; UPDATE papers SET body = 'renamed' WHERE nr = 4; DELETE FROM papers WHERE nr = 5");
run_all();
is(sql('SELECT count(*) FROM papers FULL JOIN pieces ON nr = paper WHERE body IS DISTINCT FROM piece'), 0, 'of targets, too');
sql('ALTER TABLE "An other"."Columns" DROP COLUMN text CASCADE');
is(sql(q{INSERT INTO "An other"."Columns" VALUES (2) RETURNING nr}), 2, 'if a column goes by CASCADE, writers go on');
run_all();
sql("SELECT distil_drop_pipeline('cols_mood')");
sql('DROP TABLE pieces');
is(sql("INSERT INTO papers VALUES (10, 'x') RETURNING nr"), 10, 'if a target is dropped, too');
run_all();
sql("SELECT distil_drop_pipeline('docs_chunks')");

# ---- tables, schemas, owners, the extension go
sub residue
{
	return sql(<<'SQL');
SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%distil\_%'
UNION ALL SELECT count(*) FROM pg_class WHERE relname LIKE '%\_chunks' AND relkind = 'r'
UNION ALL SELECT count(*) FROM distilbert.pipeline
UNION ALL SELECT count(*) FROM distilbert.pipeline_generation
UNION ALL SELECT count(*) FROM distilbert.pipeline_queue
UNION ALL SELECT count(*) FROM pg_policy
SQL
}
my $nothing = join("\n", (0) x 6);
# a restored target does not know yet that it goes with its source
sql(q{DELETE FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = 'keeps_chunks'::regclass AND refobjid = 'keeps'::regclass});
like(error_of('DROP TABLE keeps'), qr/policy distil_source on table keeps_chunks depends on table keeps/, 'a dump does not hold that a target goes with its source');
run_all();
sql('DROP TABLE parts, keeps, papers');
run_all();
is(residue(), $nothing, 'DROP TABLE needs no CASCADE and leaves nothing');
sub other
{
	my ($schema) = @_;

	return <<"SQL";
CREATE TABLE $schema.docs (id int PRIMARY KEY, body text);
SELECT distil_create_pipeline('$schema.docs', 'body', 'chunks', 'bert-sentence', into_table => '$schema.docs_chunks');
SELECT distil_create_pipeline('$schema.docs', 'body', 'mask', 'bert-ner', into_column => 'masked');
INSERT INTO $schema.docs VALUES (1, 'x');
SQL
}
sql('CREATE SCHEMA other; ' . other('other'));
sql('DROP SCHEMA other CASCADE');
run_all();
is(residue(), $nothing, 'DROP SCHEMA CASCADE');
sql('CREATE ROLE somebody; CREATE SCHEMA AUTHORIZATION somebody; GRANT USAGE ON SCHEMA somebody TO PUBLIC; SET ROLE somebody; ' . other('somebody'));
is(sql("SELECT string_agg(tableowner, ' ') FROM pg_tables WHERE schemaname = 'somebody'"), 'somebody somebody', 'a target belongs to the owner of its source');
sql('DROP OWNED BY somebody');
run_all();
is(residue(), $nothing, 'DROP OWNED');
sql('CREATE SCHEMA other; ' . other('other') . "INSERT INTO other.docs VALUES (2, 'y'); DROP TABLE other.docs");
sql("CREATE TABLE other.docs (id text PRIMARY KEY, body text); SELECT distil_create_pipeline('other.docs', 'body', 'chunks', 'bert-sentence', into_table => 'other.docs_chunks')");
is(sql("SELECT count(*) FROM distilbert.pipeline") . sql('SELECT count(*) FROM distilbert.pipeline_queue'), '10', 'the next one under a name of a dead one begins anew');
like(error_of('DROP EXTENSION distilbert'), qr/cannot drop extension distilbert because other objects depend on it/, 'the extension stays while there are pipelines');
like(error_of("SELECT distil_drop_model('bert-sentence')"), qr/cannot drop model.*pipeline docs_chunks of table docs depends on model/s, 'so do models');
like(error_of("SELECT name FROM distil_load_model('bert-sentence', 'bert-ner', replace => true)"), qr/cannot replace model.*pipeline docs_chunks of table docs depends on model/s, 'they are not replaced either');

# ---- with a living worker
$node->append_conf('postgresql.conf', "distilbert.pipelines = on\n");
$node->reload;
sql("INSERT INTO other.docs SELECT i, 'text ' || i FROM generate_series(1, 20) AS i");
ok(wait_until($node, 'SELECT count(DISTINCT id) = 20 FROM other.docs_chunks'), 'a worker does it by itself');
sql("BEGIN; INSERT INTO other.docs VALUES (30, 'x'); DROP EXTENSION distilbert CASCADE; COMMIT");
is(sql('SELECT count(*) FROM pg_trigger WHERE tgname LIKE \'%distil%\''), 0, 'DROP EXTENSION CASCADE takes the triggers with it, worker or not');
is(sql("INSERT INTO other.docs VALUES (21, 'x') RETURNING id"), 21, 'the tables can be written');
sql('CREATE EXTENSION distilbert');
load_model($node, 'bert-sentence');
sql("CREATE TABLE again (id int PRIMARY KEY, body text); SELECT distil_create_pipeline('again', 'body', 'embed', 'bert-sentence', into_column => 'v'); INSERT INTO again VALUES (1, 'x')");
ok(wait_until($node, 'SELECT v IS NOT NULL FROM again'), 'and made again: the worker comes');

# no process is left for a worker: the write is done, and says so once
sql('DROP TABLE again');
my $small = new_node('small', conf => "max_worker_processes = 0\n");
load_model($small, 'bert-sentence');
$small->safe_psql('postgres', "CREATE TABLE docs (id int PRIMARY KEY, body text); SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', into_column => 'v')");
my ($rc, $out, $err) = $small->psql('postgres', "INSERT INTO docs VALUES (1, 'x'); INSERT INTO docs VALUES (2, 'y'); SELECT count(*) FROM docs", on_error_stop => 1);
is($out, 2, 'without a slot for a worker writers go on');
is(scalar(() = $err =~ /WARNING/g), 1, 'with one warning') or diag $err;
$small->safe_psql('postgres', 'CALL distil_run_pipeline()');
is($small->safe_psql('postgres', 'SELECT count(v) FROM docs'), 2, 'and CALL does the work');

alive($_) for $node, $small;
done_testing();

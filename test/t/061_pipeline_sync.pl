# Pipelines: synchronous ones, and partitions that come and go.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.pipelines = off\n");

load_model($node, $_) for qw(bert-sentence distilbert-sentiment);

sub sql { return $node->safe_psql('postgres', @_) }
sub run_all { return sql('CALL distil_run_pipeline()') }
sub error
{
	my ($rc, $out, $err) = $node->psql('postgres', $_[0]);

	return $rc ? $err : "no error: $out";
}
sub waiting { return sql('SELECT count(*) FROM distilbert.pipeline_queue') }

# Rows that are not what the functions say: of the column, of the table.
sub wrong
{
	return sql(<<'SQL');
SELECT (SELECT count(*) FROM docs WHERE mood IS DISTINCT FROM distil_sentiment(body, 'distilbert-sentiment')) || '/' ||
       (SELECT count(*) FROM (SELECT id, start_pos, chunk FROM docs_chunks EXCEPT
          SELECT id, c.start_pos, c.chunk FROM docs, LATERAL distil_chunk(body, 'bert-sentence', 16) c) x) || '/' ||
       (SELECT count(*) FROM (SELECT id, c.start_pos, c.chunk FROM docs, LATERAL distil_chunk(body, 'bert-sentence', 16) c
          EXCEPT SELECT id, start_pos, chunk FROM docs_chunks) x)
SQL
}

sql(<<'SQL');
CREATE TABLE docs (id int PRIMARY KEY, body text, note text);
SELECT distil_create_pipeline('docs', 'body', 'chunks', 'bert-sentence', into_table => 'docs_chunks', options => '{"max_tokens": 16}', mode => 'sync');
SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood', mode => 'sync');
SQL
run_all();

# ---- a statement's rows have their values when it ends
sql("INSERT INTO docs VALUES (1, 'one'), (2, NULL), (3, ''), (4, repeat('many words. ', 60))");
is(wrong(), '0/0/0', 'INSERT');
cmp_ok(sql('SELECT count(*) FROM docs_chunks WHERE id = 4'), '>', 5, '(many chunks)');
sql("UPDATE docs SET body = 'changed' WHERE id IN (1, 4)");
is(wrong(), '0/0/0', 'UPDATE of the text');
sql("UPDATE docs SET id = id + 10");
is(wrong(), '0/0/0', 'UPDATE of the key');
sql("UPDATE docs SET body = NULL WHERE id = 11");
is(wrong(), '0/0/0', 'UPDATE to NULL');
sql("MERGE INTO docs d USING (VALUES (14, 'merged'), (15, 'new')) v (id, body) ON d.id = v.id WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT VALUES (v.id, v.body)");
is(wrong(), '0/0/0', 'MERGE');
sql("INSERT INTO docs VALUES (15, 'newer') ON CONFLICT (id) DO UPDATE SET body = excluded.body");
is(wrong(), '0/0/0', 'ON CONFLICT');
sql("BEGIN; SAVEPOINT a; INSERT INTO docs VALUES (20, 'undone'); ROLLBACK TO a; SAVEPOINT b; INSERT INTO docs VALUES (21, 'done'); RELEASE b; COMMIT");
is(wrong(), '0/0/0', 'savepoints');
is(sql("WITH new AS (INSERT INTO docs VALUES (22, 'in a query') RETURNING id, mood) SELECT mood = distil_sentiment('in a query', 'distilbert-sentiment') FROM new"), 't', 'RETURNING has the value');
is(sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; INSERT INTO docs VALUES (23, 'serial'); SELECT count(*) FROM docs_chunks WHERE id = 23; COMMIT") =~ s/.*\n//sr, 1, 'REPEATABLE READ');
sql("COPY docs (id, body) FROM stdin;\n30\tcopied\n31\tas well\n\\.\n");
is(wrong(), '0/0/0', 'COPY');
sql("DELETE FROM docs WHERE id IN (30, 14)");
is(wrong(), '0/0/0', 'DELETE');
is(waiting(), 0, 'nothing was left to the worker');

# a text that fails is the writer's error, and the row is not there
my $long = "SELECT distil_alter_pipeline('docs_mood', options => '{\"long_text\": \"error\"}')";
sql($long);
run_all();
sql("SELECT distil_switch_pipeline('docs_mood')");
like(error("INSERT INTO docs VALUES (40, repeat('word ', 2000))"), qr/tokens/, 'a text that fails');
is(sql('SELECT count(*) FROM docs WHERE id = 40'), 0, 'is not stored');
like(error("INSERT INTO docs VALUES (41, 'fine'), (42, repeat('word ', 2000))"), qr/tokens/, 'nor is what came with it');
is(wrong(), '0/0/0', 'all the others are there');
sql('TRUNCATE docs');
is(sql('SELECT count(*) FROM docs_chunks'), 0, 'TRUNCATE');

# another mode
sql("SELECT distil_alter_pipeline('docs_mood', mode => 'async'), distil_alter_pipeline('docs_chunks', mode => 'async')");
sql("INSERT INTO docs VALUES (1, 'later')");
is(sql('SELECT mood IS NULL FROM docs'), 't', 'async: not at once');
run_all();
is(wrong(), '0/0/0', 'but by the worker');
sql("SELECT distil_alter_pipeline('docs_mood', mode => 'sync'), distil_alter_pipeline('docs_chunks', mode => 'sync')");
sql("INSERT INTO docs VALUES (2, 'at once')");
is(wrong() . ' ' . waiting(), '0/0/0 0', 'sync again');
like(error("SELECT distil_alter_pipeline('docs_mood', mode => 'now')"), qr/unrecognized mode.*"now".*"sync" and "async"/s, 'a mode that there is not');

# while it is paused, rows go to the queue and no writer fails
sql("SELECT distil_alter_pipeline('docs_chunks', paused => true)");
sql("INSERT INTO docs VALUES (3, 'paused')");
cmp_ok(waiting(), '>', 0, 'paused: the key waits');
sql("SELECT distil_alter_pipeline('docs_chunks', paused => false)");
run_all();
is(wrong() . ' ' . waiting(), '0/0/0 0', 'and is done afterwards');

# a generated text is there only after the trigger
sql("CREATE TABLE made (id int PRIMARY KEY, a text, body text GENERATED ALWAYS AS (a || '!') STORED)");
like(error("SELECT distil_create_pipeline('made', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'm', mode => 'sync')"), qr/'sync' cannot be had.*generated column "body".*async/s, 'a generated column');
sql("SELECT distil_create_pipeline('made', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'm', stale => 'keep')");
like(error("SELECT distil_alter_pipeline('made_m', mode => 'sync')"), qr/'sync' cannot be had/, 'nor later');
sql("SELECT distil_create_pipeline('made', 'body', 'sentiment', 'distilbert-sentiment', into_table => 'made_moods', mode => 'sync')");
sql("INSERT INTO made VALUES (1, 'fine')");
is(sql("SELECT sentiment = distil_sentiment('fine!', 'distilbert-sentiment') FROM made_moods"), 't', 'into a table it can be had');

# ---- partitions
sql(<<'SQL');
CREATE TABLE p (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 (id int PRIMARY KEY, body text, mood real);
INSERT INTO p2 VALUES (11, 'eleven'), (12, 'twelve');
SELECT distil_create_pipeline('p', 'body', 'embed', 'bert-sentence', into_table => 'vectors', mode => 'sync');
SELECT distil_create_pipeline('p', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
INSERT INTO p VALUES (1, 'one');
INSERT INTO p1 VALUES (2, 'two');
SQL
sub ids { return sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM vectors") }
is(ids(), '1 2', 'a partition that is written by its own name, synchronously');
run_all();
sql('ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20)');
run_all();
is(ids(), '1 2 11 12', 'a filled partition that is attached');
is(sql('SELECT count(*) FROM p WHERE mood IS NULL'), 0, 'of the column, too');
sql('CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)');
sql("INSERT INTO p3 VALUES (21, 'new')");
run_all();
is(ids(), '1 2 11 12 21', 'a new partition');
sql('UPDATE p SET id = 13 WHERE id = 1');
is(ids(), '2 11 12 13 21', 'a row that moves');
is(sql("SELECT (SELECT v.embedding::real[] FROM vectors v WHERE id = 13) = distil_embed('one', 'bert-sentence')"), 't', 'keeps its value');
sql('TRUNCATE p3');
is(ids(), '2 11 12 13', 'TRUNCATE of one partition');
sql('ALTER TABLE p DETACH PARTITION p2');
run_all();
is(ids(), '2', 'what is detached goes');
is(sql("SELECT count(*) FROM pg_trigger WHERE tgrelid = 'p2'::regclass"), 0, 'and keeps no trigger');
is(sql("SELECT array_to_string(parts, ' ') FROM distilbert.pipeline WHERE name = 'vectors'"), 'p1 p3', 'the catalogue knows');
run_all();
is(waiting(), 0, 'nothing is left to do');

# ---- what a transaction has prepared follows its own changes of names
sql(<<'SQL');
CREATE SCHEMA app;
CREATE TABLE app.q (id int PRIMARY KEY, body text) PARTITION BY RANGE (id);
CREATE TABLE app.q1 PARTITION OF app.q DEFAULT;
SELECT distil_create_pipeline('app.q', 'body', 'embed', 'bert-sentence', into_table => 'q_vectors', mode => 'sync', backfill => false);
BEGIN;
INSERT INTO app.q VALUES (1, 'a');
ALTER SCHEMA app RENAME TO apps;
INSERT INTO apps.q VALUES (2, 'b');
ALTER TABLE apps.q_vectors RENAME TO w;
INSERT INTO apps.q VALUES (3, 'c');
ALTER TABLE apps.q RENAME COLUMN body TO words;
INSERT INTO apps.q VALUES (4, 'd');
SAVEPOINT s;
INSERT INTO apps.q VALUES (5, 'e');
ROLLBACK TO s;
ALTER TABLE apps.w ADD CHECK (id <> 6);
DO $$ BEGIN INSERT INTO apps.q VALUES (6, 'f'); EXCEPTION WHEN check_violation THEN NULL; END $$;
INSERT INTO apps.q VALUES (7, 'g');
SELECT distil_alter_pipeline('q_vectors', paused => true);
INSERT INTO apps.q VALUES (8, 'h');
COMMIT;
SQL
is(sql("SELECT string_agg(id::text, ' ' ORDER BY id), bool_and(embedding::real[] = distil_embed(words, 'bert-sentence')) FROM apps.w JOIN apps.q USING (id)"),
	'1 2 3 4 7|t', 'renamed, rolled back and paused in one transaction');
is(sql('SELECT keys FROM distilbert.pipeline_queue'), '{{8}}', 'what came later waits');

# a trigger of the target writes to the source: its text is the newer one
sql(<<'SQL');
CREATE TABLE n (id int PRIMARY KEY, body text);
SELECT distil_create_pipeline('n', 'body', 'embed', 'bert-sentence', into_table => 'n_vectors', mode => 'sync');
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql SET search_path = public
	AS $$ BEGIN UPDATE n SET body = 'newer' WHERE id = 2 AND NEW.id = 1; RETURN NULL; END $$;
CREATE TRIGGER touch AFTER INSERT ON n_vectors FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO n VALUES (1, 'one'), (2, 'two');
SQL
is(sql("SELECT count(*), bool_and(embedding::real[] = distil_embed(body, 'bert-sentence')) FROM n JOIN n_vectors USING (id)"), '2|t', 'a text that changes while its statement is done');

$node->stop;
done_testing();

# Pipelines: which rows are queued by writers, whatever they do, and which are not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.pipelines = off\nmax_prepared_transactions = 4\n");

load_model($node, $_) for qw(bert-sentence distilbert-sentiment);

sub sql { return $node->safe_psql('postgres', @_) }
sub run_all { return sql('CALL distil_run_pipeline()') }

# Rows of a table whose column is not what the model says now, and keys that wait.
sub wrong
{
	my ($table) = @_;

	return sql("SELECT count(*) FROM $table WHERE mood IS DISTINCT FROM distil_sentiment(body, 'distilbert-sentiment')") . '/' . waiting();
}
sub waiting { return sql('SELECT count(*) FROM distilbert.pipeline_queue') }

# Numbers that the queue has given: nobody has added a row where they stay the same.
sub given { return sql('SELECT last_value FROM distilbert.pipeline_queue_seq') }

# ---- a row that does not change costs nothing
sql(<<'SQL');
CREATE TABLE docs (id int PRIMARY KEY, body text, mood real, other int, long text);
ALTER TABLE docs ALTER long SET STORAGE EXTERNAL, ALTER body SET STORAGE EXTERNAL;
CREATE TABLE longs (id int PRIMARY KEY, body text, other int);
ALTER TABLE longs ALTER body SET STORAGE EXTERNAL;
INSERT INTO longs SELECT i, repeat('x ', 50000) FROM generate_series(1, 20) AS i;
INSERT INTO docs (id, body) SELECT i, 'text ' || i FROM generate_series(1, 50) AS i;
SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
SELECT distil_create_pipeline('longs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood', options => '{"long_text": "truncate"}');
SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', into_table => 'vectors');
SELECT distil_create_pipeline('longs', 'body', 'embed', 'bert-sentence', into_table => 'long_vectors', options => '{"long_text": "truncate"}');
SQL
is(wrong('docs'), '50/0', 'rows that are there are not queued');
run_all();
is(wrong('docs'), '0/0', 'they are filled by the backfill');
is(sql('SELECT count(*) FROM vectors v JOIN docs d USING (id) WHERE v.embedding::real[] = distil_embed(d.body, \'bert-sentence\')'), 50, 'in a table, too');

my $toast = "SELECT sum(coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0)) FROM pg_statio_user_tables WHERE relname = 'longs'";
my $force = 'SELECT pg_stat_force_next_flush();';
sub blocks { return sql("$force SELECT 1; $toast") =~ s/.*\n//sr }
my $before = blocks();
my $given = given();
sql('UPDATE longs SET other = 1');
sql("UPDATE longs SET body = body");
sql("UPDATE docs SET other = 1, body = body");
is(blocks(), $before, 'a text that is not changed is not fetched');
is(given(), $given, 'and not queued');
sql("SELECT count(md5(body)) FROM longs");
isnt(blocks(), $before, '(fetching shows)');

# the same text, stored anew elsewhere: nothing is computed, nothing removed
my $same = "SELECT string_agg(ctid::text, ',' ORDER BY id) FROM";
my $rows = sql("$same long_vectors");
sql("UPDATE longs SET body = body || ''");
cmp_ok(waiting(), '>', 0, '(a text that is stored anew is queued)');
is(sql('SELECT count(*) FROM longs WHERE mood IS NULL'), 0, 'the same text written anew removes no value');
is(sql("$same long_vectors"), $rows, 'and no row of a table');
run_all();
is(sql("$same long_vectors"), $rows, 'which are not written again');

# what we write queues nothing, and no trigger of the user sees it
sql(<<'SQL');
CREATE TABLE seen (id int);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$;
CREATE TRIGGER see AFTER UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION see();
INSERT INTO docs (id, body) VALUES (60, 'sixty');
SQL
$given = given();
run_all();
is(given(), $given, 'values that are written queue nothing');
is(sql('SELECT count(*) FROM seen'), 0, 'and fire no trigger');
is(wrong('docs'), '0/0', 'they are there');
sql('DROP TRIGGER see ON docs');

# what an old text gave goes with it, in the writer's transaction
is(sql("UPDATE docs SET body = 'a new text' WHERE id = 2 RETURNING mood IS NULL"), 't', 'a value whose text has changed is gone at once');
run_all();

# a BEFORE trigger changes the text while another column is set
sql(<<'SQL');
CREATE FUNCTION rewrite() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := 'rewritten ' || NEW.id; RETURN NEW; END $$;
CREATE TRIGGER zzz BEFORE UPDATE ON docs FOR EACH ROW EXECUTE FUNCTION rewrite();
UPDATE docs SET other = 2 WHERE id = 7;
DROP TRIGGER zzz ON docs;
SQL
run_all();
is(wrong('docs'), '0/0', 'a text that a trigger changes is noticed');

# ---- writers who are there while a pipeline is made
sql("CREATE TABLE busy (id int PRIMARY KEY, body text); INSERT INTO busy VALUES (1, 'one')");
my $older = $node->background_psql('postgres', on_error_stop => 1);
$older->query_safe("BEGIN; INSERT INTO busy VALUES (2, 'older transaction');");
my $maker = $node->background_psql('postgres', on_error_stop => 1);
$maker->query_until(qr/making/, "\\echo making\nSELECT distil_create_pipeline('busy', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');\n\\echo made\n");
ok(wait_until($node, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type IN ('Lock', 'Extension') AND query LIKE '%create_pipeline%' AND pid <> pg_backend_pid()"), 'making waits for an older writer');
is(sql("SET lock_timeout = '10s'; INSERT INTO busy VALUES (3, 'between') RETURNING id"), 3, 'others are let through meanwhile');
$older->query_safe('COMMIT;');
$maker->query_until(qr/made/, '');
$maker->quit;
$older->quit;
run_all();
is(wrong('busy'), '0/0', 'rows of an older transaction are done');

sql("CREATE TABLE repeatable (id int PRIMARY KEY, body text)");
my $rr = $node->background_psql('postgres', on_error_stop => 1);
$rr->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM repeatable;');
sql("INSERT INTO repeatable VALUES (1, 'behind the snapshot')");
$rr->query_safe("SELECT distil_create_pipeline('repeatable', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood'); INSERT INTO repeatable VALUES (2, 'own');");
$rr->query_safe('COMMIT;');
$rr->quit;
run_all();
is(wrong('repeatable'), '0/0', 'rows that a REPEATABLE READ transaction does not see, too');

# a pipeline is made by a transaction that is rolled back
sql("BEGIN; SELECT distil_create_pipeline('busy', 'body', 'embed', 'bert-sentence', into_table => 'busy_vectors'); INSERT INTO busy VALUES (4, 'x'); ROLLBACK");
is(sql("SELECT count(*) FROM distilbert.pipeline WHERE name = 'busy_vectors'") . sql("SELECT to_regclass('busy_vectors') IS NULL"), '0t', 'a rollback leaves nothing');
is(waiting(), 0, 'not even keys');
sql("BEGIN; SELECT distil_create_pipeline('busy', 'body', 'embed', 'bert-sentence', into_table => 'busy_vectors'); INSERT INTO busy VALUES (4, 'x'); SELECT distil_drop_pipeline('busy_vectors', true); COMMIT");
is(sql("SELECT string_agg(DISTINCT pipeline, ' ') FROM distilbert.pipeline_queue"), 'busy_mood', 'keys of a pipeline that is dropped in the same transaction are forgotten');

sql("BEGIN; INSERT INTO busy VALUES (5, 'y'); SAVEPOINT a; SELECT distil_drop_pipeline('busy_mood'); ROLLBACK TO a; COMMIT");
run_all();
is(wrong('busy'), '0/0', 'those of one that is dropped and comes back are not');

# ---- transactions of all kinds
sub mixed
{
	my ($end) = @_;

	return <<"SQL";
BEGIN;
INSERT INTO docs (id, body) SELECT i, 'mixed ' || i FROM generate_series(1001, 1010) AS i;
SAVEPOINT a;
UPDATE docs SET body = 'changed' WHERE id = 1;
DELETE FROM docs WHERE id = 2;
ROLLBACK TO a;
DO \$\$ BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			UPDATE docs SET body = 'loop ' || i WHERE id = 10 + i;
			IF i % 2 = 0 THEN RAISE division_by_zero; END IF;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	END LOOP;
END \$\$;
INSERT INTO docs (id, body) VALUES (3, 'conflict') ON CONFLICT (id) DO UPDATE SET body = EXCLUDED.body;
MERGE INTO docs d USING (VALUES (4, 'merged'), (1011, 'merged')) AS v (id, body) ON d.id = v.id
	WHEN MATCHED THEN UPDATE SET body = v.body WHEN NOT MATCHED THEN INSERT (id, body) VALUES (v.id, v.body);
WITH gone AS (DELETE FROM docs WHERE id = 5 RETURNING *) INSERT INTO docs (id, body) SELECT 1012, body FROM gone;
$end;
SQL
}
my $queued = "SELECT count(DISTINCT k) FROM distilbert.pipeline_queue, LATERAL unnest(keys) AS k WHERE pipeline = 'docs_mood'";
run_all();
sql(mixed('COMMIT'));
is(sql($queued), 10 + 10 + 1 + 2 + 1, 'what a rollback to a savepoint undoes is not queued');
run_all();
is(wrong('docs'), '0/0', 'all is done');
is(sql("SELECT count(*) FROM docs d FULL JOIN vectors v USING (id) WHERE d.id IS NULL OR v.embedding::real[] IS DISTINCT FROM distil_embed(d.body, 'bert-sentence')"), 0, 'in the table, too');

sql('UPDATE docs SET body = body || \' again\' WHERE id < 40; DELETE FROM docs WHERE id > 1000; INSERT INTO docs (id, body) VALUES (2, \'two\'), (5, \'five\') ON CONFLICT DO NOTHING');
run_all();
sql(mixed("PREPARE TRANSACTION 'mixed'"));
is(waiting(), 0, 'keys of a prepared transaction are not seen');
$node->restart;
run_all();
sql("COMMIT PREPARED 'mixed'");
cmp_ok(sql($queued), '>', 20, 'they are when it commits, a restart later');
run_all();
is(wrong('docs'), '0/0', 'and are done');
sql("BEGIN; INSERT INTO docs (id, body) VALUES (2000, 'x'); PREPARE TRANSACTION 'other'; ROLLBACK PREPARED 'other'");
is(waiting(), 0, 'a prepared transaction that is rolled back leaves none');

# COPY, many rows: keys are written sooner than at the end, by the level that owns them
$node->safe_psql('postgres', join('', "COPY docs (id, body) FROM stdin;\n", (map { "$_\tcopied $_\n" } 3001 .. 3200), "\\.\n"));
is(sql($queued), 200, 'rows of COPY');
sql('CREATE TABLE many (id bigint PRIMARY KEY, body text)');
sql("SELECT distil_create_pipeline('many', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood')");
my $of_many = "SELECT sum(array_length(keys, 1)), max(array_length(keys, 1)) FROM distilbert.pipeline_queue WHERE pipeline = 'many_mood'";
sql(<<'SQL');
BEGIN;
INSERT INTO many SELECT i, 'a' FROM generate_series(1, 1000) AS i;
SAVEPOINT a;
INSERT INTO many SELECT i, 'b' FROM generate_series(10001, 80000) AS i;
ROLLBACK TO a;
INSERT INTO many SELECT i, 'c' FROM generate_series(100001, 170000) AS i;
COMMIT;
SQL
is(sql($of_many), '71000|1000', 'a large savepoint that is rolled back takes its keys with it, and no other ones');
is(sql("SELECT count(*) FROM many m LEFT JOIN (SELECT unnest(keys)::bigint AS k FROM distilbert.pipeline_queue WHERE pipeline = 'many_mood') AS q ON q.k = m.id WHERE q.k IS NULL"), 0, 'no key is missing');
cmp_ok(sql("SELECT sum(pg_column_size(keys)) / sum(array_length(keys, 1)) FROM distilbert.pipeline_queue WHERE pipeline = 'many_mood'"), '<=', 20, 'a key takes 20 bytes at most');
sql("SELECT distil_drop_pipeline('many_mood'); DROP TABLE many");
run_all();

# ---- keys of all kinds, several pipelines in a session
sql(<<'SQL');
CREATE TYPE kind AS ENUM ('a', 'b c');
CREATE DOMAIN code AS varchar(20) CHECK (VALUE <> '');
CREATE TABLE k1 (u uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text);
CREATE TABLE k2 (a code, b kind, c date, d numeric, body text, PRIMARY KEY (a, b, c, d));
CREATE TABLE k3 (t text PRIMARY KEY, body text);
SELECT distil_create_pipeline(t, 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood') FROM unnest('{k1,k2,k3}'::regclass[]) AS t;
SELECT distil_create_pipeline(t, 'body', 'chunks', 'bert-sentence', into_table => t || '_chunks') FROM unnest('{k1,k2,k3}'::regclass[]) AS t;
CALL distil_run_pipeline();
BEGIN;
SET LOCAL DateStyle = 'SQL, DMY';
INSERT INTO k1 (body) SELECT 'u ' || i FROM generate_series(1, 5) AS i;
INSERT INTO k2 VALUES ('x', 'a', '13.12.2024', 1.0, 'one'), ('{,"\', 'b c', '01.02.2024', 0.30, 'two'), ('NULL', 'a', 'infinity', 'NaN', 'three');
INSERT INTO k3 VALUES ('', 'empty'), ('NULL', 'null'), ('a''b"c\d{e},', 'odd'), (E'\u00e4\n', 'umlaut');
COMMIT;
SQL
run_all();
is(join(' ', map { wrong($_) } qw(k1 k2 k3)), '0/0 0/0 0/0', 'keys of all kinds');
is(join(' ', map { sql("SELECT count(*) FROM ${_}_chunks") } qw(k1 k2 k3)), '5 3 4', 'and their chunks');
sql("UPDATE k3 SET t = t || 'x'; UPDATE k2 SET d = d + 1, a = a || 'y' WHERE d = 1; DELETE FROM k1 WHERE body = 'u 1'");
run_all();
is(join(' ', map { wrong($_) } qw(k1 k2 k3)), '0/0 0/0 0/0', 'keys that change');
for my $t ([ 'k1', 'u' ], [ 'k2', 'a, b, c, d' ], [ 'k3', 't' ])
{
	my ($table, $key) = @$t;

	is(sql("SELECT count(*) FROM $table FULL JOIN ${table}_chunks c USING ($key) WHERE $table.body IS DISTINCT FROM c.chunk"), 0, "chunks of $table follow");
}
sql("UPDATE k2 SET mood = 0.5");
is(waiting(), 0, 'a value that a user writes is his affair');

# NULL, the empty text, texts without a result
$given = given();
sql("INSERT INTO docs (id, body) VALUES (4000, NULL)");
is(given(), $given, 'a new row without a text is not queued');
sql("INSERT INTO docs (id, body) VALUES (4001, NULL), (4002, ''); UPDATE docs SET body = NULL WHERE id = 1");
run_all();
is(sql("SELECT count(mood), count(*) FROM docs WHERE id IN (1, 4001, 4002)"), '1|3', 'NULL has no value');

# ---- another encoding
$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
$node->safe_psql('latin', 'CREATE EXTENSION distilbert');
load_model($node, 'distilbert-sentiment', undef, 'latin');
$node->safe_psql('latin', <<'SQL');
CREATE TABLE docs (k text PRIMARY KEY, body text);
SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
INSERT INTO docs VALUES (chr(228) || chr(223), 'gr' || chr(252) || chr(223) || 'e');
CALL distil_run_pipeline();
SQL
is($node->safe_psql('latin', "SELECT mood = distil_sentiment(body, 'distilbert-sentiment') FROM docs"), 't', 'LATIN1');

# ---- values that are there are taken as they are
sql(<<'SQL');
CREATE TABLE given (id int PRIMARY KEY, body text, mood real);
INSERT INTO given VALUES (1, 'has one', 0.125), (2, 'has none', NULL);
SELECT distil_create_pipeline('given', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
SQL
run_all();
is(sql("SELECT mood FROM given WHERE id = 1") . sql("SELECT mood = distil_sentiment(body, 'distilbert-sentiment') FROM given WHERE id = 2"), '0.125t', 'existing values are adopted');
sql("SELECT distil_create_pipeline('given', 'body', 'embed', 'bert-sentence', into_column => 'v', backfill => false); INSERT INTO given VALUES (3, 'new')");
run_all();
is(sql('SELECT string_agg(id::text, NULL) FROM given WHERE v IS NOT NULL'), '3', 'without a backfill only new rows are done');

alive($node);
done_testing();

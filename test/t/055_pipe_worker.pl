# Pipelines: what the worker does with the rows of a queue.  Texts that change
# under its hands, rows and models that fail, several workers, settings of
# roles and databases, cancelled and terminated workers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Pipelines;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = pipe_node('main', conf => "distilbert.pipeline_workers = 3\n");
my $long = long_text();

sub sql { return $node->safe_psql('postgres', $_[0]) }

sub create
{
	my ($table, $task, $model, $target, $options) = @_;

	return sql("SELECT distil_create_pipeline('$table', 'body', '$task', '$model', into_table => '$target', options => '" . ($options // '{}') . "')");
}

# ---- every task gives what its function gives

sql(<<'SQL');
CREATE TABLE t (id int PRIMARY KEY, body text, mood real, label text, score real, masked text, vec real[]);
INSERT INTO t SELECT i, CASE WHEN i % 9 = 0 THEN NULL WHEN i % 10 = 0 THEN '' ELSE 'Anna of Berlin saw a good film ' || i % 13 END FROM generate_series(1, 200) i;
SELECT distil_create_pipeline('t', 'body', 'sentiment', 's', into_column => 'mood');
SELECT distil_create_pipeline('t', 'body', 'classify', 's', into_column => 'label');
SELECT distil_create_pipeline('t', 'body', 'score', 's', into_column => 'score', options => '{"label": "POSITIVE"}');
SELECT distil_create_pipeline('t', 'body', 'mask', 'n', into_column => 'masked');
SELECT distil_create_pipeline('t', 'body', 'embed', 'e', into_column => 'vec');
SELECT distil_create_pipeline('t', 'body', 'embed', 'e', into_table => 'vecs');
SELECT distil_create_pipeline('t', 'body', 'chunks', 'e', into_table => 'chunks', options => '{"max_tokens": 6, "overlap": 1}');
SELECT distil_create_pipeline('t', 'body', 'entities', 'n', into_table => 'ents');
SQL
my @all = split /\n/, sql("SELECT name FROM distil_pipelines ORDER BY name");
is(scalar(@all), 8, 'eight pipelines');

my $same = <<'SQL';
SELECT bool_and(mood IS NOT DISTINCT FROM distil_sentiment(body, 's')), bool_and(label IS NOT DISTINCT FROM distil_classify(body, 's')),
	bool_and(score IS NOT DISTINCT FROM distil_score(body, 's', 'POSITIVE')), bool_and(masked IS NOT DISTINCT FROM distil_mask(body, 'n')),
	bool_and(vec IS NOT DISTINCT FROM distil_embed_passage(body, 'e')),
	(SELECT count(*) FROM (SELECT id, distil_embed_passage(body, 'e') FROM t WHERE body IS NOT NULL EXCEPT SELECT id, embedding FROM vecs) d),
	(SELECT count(*) FROM vecs) = count(body),
	(SELECT count(*) FROM (SELECT id, c.seq, c.start_pos, c.end_pos, c.chunk, distil_embed_passage(c.chunk, 'e') FROM t, distil_chunk(body, 'e', 6, 1) c
		EXCEPT SELECT id, seq, start_pos, end_pos, chunk, embedding FROM chunks) d),
	(SELECT count(*) FROM chunks) = (SELECT count(*) FROM t, distil_chunk(body, 'e', 6, 1) c),
	(SELECT count(*) FROM (SELECT id, e.entity, e.label, e.score, e.start_pos, e.end_pos FROM t, distil_entities(body, 'n') e
		EXCEPT SELECT id, entity, label, score, start_pos, end_pos FROM ents) d),
	(SELECT count(*) FROM ents) = (SELECT count(*) FROM t, distil_entities(body, 'n') e)
FROM t
SQL
settled($node, $_) for @all;
is(sql($same), 't|t|t|t|t|0|t|0|t|0|t', 'the backfill: all tasks, NULL and empty texts too');
sql(<<'SQL');
UPDATE t SET body = 'the new text of Paris ' || id WHERE id % 7 = 0;
UPDATE t SET body = NULL WHERE id % 11 = 0;
UPDATE t SET id = id + 1000 WHERE id % 13 = 0;
DELETE FROM t WHERE id % 17 = 0;
INSERT INTO t SELECT i, 'a late row ' || i FROM generate_series(301, 400) i;
SQL
settled($node, $_) for @all;
is(sql($same), 't|t|t|t|t|0|t|0|t|0|t', 'after changes of all kinds');
is(sql('SELECT count(*) FROM distilbert.pipeline_queue') . sql('SELECT count(*) FROM distil_pipeline_errors'), '00', 'nothing waits, nothing failed');

# ---- nothing is done again and again

my $done = sql('SELECT sum(rows_done) FROM distil_pipelines');
sql('SELECT pg_sleep(0.3)');
is(sql('SELECT sum(rows_done) FROM distil_pipelines'), $done, 'texts without entities or chunks are done');
sql(<<'SQL');
CREATE TABLE log (op text, id int, who text, hash bytea);
CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $$ BEGIN
	IF TG_OP = 'DELETE' THEN INSERT INTO public.log VALUES (TG_OP, OLD.id, current_user, OLD.text_hash); RETURN OLD; END IF;
	INSERT INTO public.log VALUES (TG_OP, NEW.id, current_user, NEW.text_hash);
	RETURN NEW;
END $$;
CREATE TRIGGER log AFTER INSERT OR DELETE ON vecs FOR EACH ROW EXECUTE FUNCTION log();
ALTER TABLE t ALTER body SET STORAGE EXTERNAL;
INSERT INTO t VALUES (500, repeat('x ', 3000));
SQL
settled($node, 'vecs');
is(sql('SELECT string_agg(op, NULL) FROM log WHERE id = 500'), 'INSERT', 'a row is written once');
sql('UPDATE t SET body = body || repeat($$$$, 1) WHERE id = 500');
sql('UPDATE t SET mood = mood WHERE id < 100');
settled($node, 'vecs');
is(sql('SELECT count(*) FROM log'), '1', 'the same text written again: nothing is removed, nothing computed');

# ---- a table without statistics looks large: what a trigger deletes is not compiled for each row

SKIP:
{
	skip 'no JIT here', 2 unless sql('SELECT pg_jit_available()') eq 't';
	my $from = -s $node->logfile;
	sql(<<'SQL');
LOAD 'auto_explain';
SET auto_explain.log_min_duration = 0;
SET auto_explain.log_nested_statements = on;
SET jit_above_cost = 0;
DELETE FROM t WHERE id = 500;
SQL
	my ($outer, $inner) = map { substr(slurp_file($node->logfile), $from) =~ /Query Text: (DELETE FROM $_ (?:(?!LOG:).)*)/s } 't', '\S*vecs';
	like($outer, qr/JIT:/, "the user's own statement is");
	unlike($inner, qr/JIT:/, 'that of the trigger is not');
}

# ---- a text that changes while its old one is computed

sql('CREATE TABLE slow (id int PRIMARY KEY, body text, other int); TRUNCATE log');
create('slow', 'embed', 'e', 'slow_vecs');
sql("CREATE TRIGGER log AFTER INSERT ON slow_vecs FOR EACH ROW EXECUTE FUNCTION log(); INSERT INTO slow VALUES (600, $long)");
my $old = sql('SELECT distilbert.pipeline_hash(body) FROM slow');
ok(slow_worker($node, 'slow_vecs'), 'the worker computes a long text');
is($node->psql('postgres', "SET lock_timeout = '50ms'; UPDATE slow SET body = 'short'; UPDATE slow SET other = 1"), 0, 'a writer does not wait for it');
settled($node, 'slow_vecs');
is(sql("SELECT count(*) FROM log WHERE hash = '$old'"), '0', 'what the old text gives is never written');
is(sql("SELECT embedding = distil_embed_passage('short', 'e') FROM slow_vecs"), 't', 'what the new one gives is');

# ---- rows that fail

sql(<<'SQL');
CREATE TABLE bad (id int PRIMARY KEY, body text);
INSERT INTO bad SELECT i, 'row ' || i FROM generate_series(1, 1000) i;
SQL
sql("SET distilbert.pipelines = off; SELECT distil_create_pipeline('bad', 'body', 'embed', 'e', into_table => 'bad_vecs', backfill => false)");
sql(<<'SQL');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN IF NEW.id IN (500, 501) THEN RAISE EXCEPTION 'not %', NEW.id USING ERRCODE = 'P0123'; END IF; RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON bad_vecs FOR EACH ROW EXECUTE FUNCTION refuse();
UPDATE bad SET body = 'text ' || id;
SQL
settled($node, 'bad_vecs');
is(sql('SELECT count(*) FROM bad_vecs'), '998', 'two of 1000 rows fail: the others are done');
is(sql('SELECT key, attempts, sqlstate, message, next_try > now() FROM distil_pipeline_errors ORDER BY key'),
	"{500}|1|P0123|not 500|t\n{501}|1|P0123|not 501|t", 'their keys, attempts, states and messages');
is(sql("SELECT rows_failed, state, last_error ~ 'not 50' FROM distil_pipelines WHERE name = 'bad_vecs'"), '2|idle|t', 'and in the view');
for my $attempt (2 .. 5)
{
	sql('UPDATE distilbert.pipeline_error SET next_try = now() WHERE key = $${500}$$');
	ok(wait_until($node, "SELECT attempts = $attempt FROM distil_pipeline_errors WHERE key = '{500}'"), "attempt $attempt");
}
is(sql('SELECT attempts, next_try IS NULL FROM distil_pipeline_errors ORDER BY key'), "5|t\n1|f", 'it waits longer each time, and is given up');
sql('DROP TRIGGER refuse ON bad_vecs; UPDATE bad SET body = $$again$$ WHERE id = 500; UPDATE distilbert.pipeline_error SET next_try = now() WHERE key = $${501}$$');
settled($node, 'bad_vecs');
ok(wait_until($node, 'SELECT count(*) = 0 FROM distil_pipeline_errors'), 'done, they are no errors any more');
is(sql('SELECT count(*) FROM bad_vecs'), '1000', 'a write, or time, makes up for it');

# New rows come before those that failed.
sql(<<'SQL');
CREATE TRIGGER log AFTER INSERT ON bad_vecs FOR EACH ROW EXECUTE FUNCTION log();
TRUNCATE log;
BEGIN;
UPDATE bad SET body = 'new ' || id WHERE id BETWEEN 200 AND 230;
DELETE FROM bad_vecs WHERE id = 500;
INSERT INTO distilbert.pipeline_error VALUES ('bad_vecs', '\x00', '{500}', 1, now() - interval '1 hour', 'P0001', 'x', now());
COMMIT;
SQL
ok(wait_until($node, 'SELECT count(*) >= 32 FROM log'), 'new rows and a retry');
is(sql('SELECT id FROM log ORDER BY ctid DESC LIMIT 1'), '500', 'the retry came last');
sql('DELETE FROM distilbert.pipeline_error');

# ---- a fault of a whole pipeline

sql('CREATE TABLE good (id int PRIMARY KEY, body text)');
create('good', 'embed', 'e', 'good_vecs');
settled($node, 'good_vecs');
sql(<<'SQL');
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON bad_vecs FOR EACH ROW EXECUTE FUNCTION full_disk();
UPDATE bad SET body = 'space ' || id WHERE id <= 100;
SQL
ok(wait_until($node, "SELECT state = 'failing' OR rows_failed > 0 FROM distil_pipelines WHERE name = 'bad_vecs'"), 'it is noticed');
is(sql("SELECT state FROM distil_pipelines WHERE name = 'bad_vecs'"), 'failing', 'a full disk is the pipeline\'s fault');
sql("INSERT INTO good VALUES (1, 'another pipeline')");
settled($node, 'good_vecs');
is(sql('SELECT count(*) FROM good_vecs'), '1', 'other pipelines go on');
is(sql('SELECT key, sqlstate, attempts > 0 FROM distil_pipeline_errors'), '{}|53100|t', 'no row is charged');
is(sql("SELECT pending FROM distil_pipelines WHERE name = 'bad_vecs'"), '100', 'nor lost');
sql('DROP TRIGGER full_disk ON bad_vecs');
settled($node, 'bad_vecs');
is(sql("SELECT count(*) FROM bad_vecs v JOIN bad USING (id) WHERE v.text_hash = distilbert.pipeline_hash(body)"), '1000', 'it goes on by itself');
is(sql("SELECT state, (SELECT count(*) FROM distil_pipeline_errors) FROM distil_pipelines WHERE name = 'bad_vecs'"), 'idle|0', 'and is well again');

# The model is gone, or another one.
sql('CREATE TABLE kept AS SELECT * FROM distilbert.model; CREATE TABLE kept_chunk AS SELECT * FROM distilbert.model_chunk');
sql("DELETE FROM distilbert.model WHERE name = 'e'; INSERT INTO good VALUES (2, 'no model')");
ok(wait_until($node, "SELECT state = 'failing' AND last_error ~ 'does not exist' FROM distil_pipelines WHERE name = 'good_vecs'"), 'the model is gone');
sql("INSERT INTO distilbert.model SELECT * FROM kept WHERE name = 'e'; UPDATE distilbert.pipeline_generation SET sha256 = sha256('x') WHERE pipeline = 'good_vecs'");
ok(wait_until($node, "SELECT last_error ~ 'is not the one' OR (SELECT count(*) FROM good_vecs) > 1 FROM distil_pipelines WHERE name = 'good_vecs'"), 'it is another one');
is(sql('SELECT count(*) FROM good_vecs'), '1', 'nothing is stored of another model');
sql("UPDATE distilbert.pipeline_generation g SET sha256 = m.sha256 FROM distilbert.model m WHERE m.name = g.model AND pipeline = 'good_vecs'");
settled($node, 'good_vecs');
is(sql('SELECT count(*) FROM good_vecs'), '2', 'the right one is there again');

# ---- rows that others hold

{
	my $holder = $node->background_psql('postgres');

	$holder->query_safe('BEGIN; SELECT FROM bad WHERE id = 7 FOR UPDATE');
	sql('TRUNCATE log; UPDATE bad SET body = $$while one is held $$ || id WHERE id BETWEEN 8 AND 20');
	sql("SELECT distil_wait_pipeline('bad_vecs', '1min')");
	sql(q{DELETE FROM bad_vecs WHERE id IN (6, 7); INSERT INTO distilbert.pipeline_queue VALUES ('bad_vecs', nextval('distilbert.pipeline_queue_seq'), '{{6},{7}}', now())});
	ok(wait_until($node, 'SELECT count(*) = 1 FROM distil_pipeline_errors'), 'a row that somebody holds');
	is(sql("SELECT distil_wait_pipeline('bad_vecs', '10ms')"), 'f', 'is not done');
	is(sql('SELECT key, attempts, sqlstate FROM distil_pipeline_errors'), '{7}|0|55P03', 'it is put off, and not charged');
	is(sql('SELECT count(*) FROM bad_vecs WHERE id IN (6, 7)'), '1', 'the others are done');
	$holder->query_safe('COMMIT');
	$holder->quit;
	ok(wait_until($node, 'SELECT count(*) = 2 FROM bad_vecs WHERE id IN (6, 7)'), 'it is done when it is free');
}

# ---- several workers, and by hand: each key once

sql('TRUNCATE log; UPDATE bad SET body = $$once $$ || id; UPDATE t SET body = $$once of the other table $$ || id');
my @calls = map { IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'CALL distil_run_pipeline()' ], '<', '/dev/null', '>', \my $out, '2>', \my $err) } 1 .. 4;
$_->finish for @calls;
settled($node, $_) for @all, 'bad_vecs';
my $keys = sql('SELECT (SELECT count(*) FROM t WHERE body IS NOT NULL) + (SELECT count(*) FROM bad)');
is(sql("SELECT count(*), count(DISTINCT (id, hash)) FROM log WHERE op = 'INSERT'"), "$keys|$keys", 'each key is written once');
is(sql($same), 't|t|t|t|t|0|t|0|t|0|t', 'and right');

# ---- settings of roles and databases

sql(<<'SQL');
ALTER DATABASE postgres SET statement_timeout = '1ms';
ALTER DATABASE postgres SET distilbert.long_text = 'error';
ALTER DATABASE postgres SET distilbert.on_error = 'null';
ALTER DATABASE postgres SET default_transaction_read_only = on;
ALTER DATABASE postgres SET default_transaction_isolation = 'serializable';
ALTER DATABASE postgres SET session_replication_role = 'replica';
ALTER DATABASE postgres SET DateStyle = 'SQL, DMY';
SQL
$node->restart;
$ENV{PGOPTIONS} = '-c statement_timeout=0 -c default_transaction_read_only=off -c session_replication_role=origin';
sql("UPDATE t SET body = 'with settings ' || repeat('many words ', 100) || id");
settled($node, $_) for @all;
is(sql("SET distilbert.long_text = 'window'; SET distilbert.on_error = 'error'; $same"), 't|t|t|t|t|0|t|0|t|0|t', 'no setting of a role or a database counts');
sql("ALTER DATABASE postgres RESET ALL");
$node->restart;

# ---- cancelled, terminated

sql("INSERT INTO bad VALUES (2000, $long)");
ok(slow_worker($node, 'bad_vecs'), 'the worker computes');
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query = 'bad_vecs'");
is(sql("SELECT backend_xmin IS NULL AND backend_xid IS NULL FROM pg_stat_activity WHERE pid = $pid"), 't', 'it holds no snapshot meanwhile');
is(sql("SELECT count(*) FROM pg_locks WHERE pid = $pid AND locktype = 'relation'"), '0', 'and locks no table');
sql("SELECT pg_cancel_backend($pid)");
ok(wait_until($node, "SELECT pg_read_file('" . $node->logfile . "') ~ 'canceling statement due to user request'"), 'it is cancelled');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '1', 'and goes on');
ok(slow_worker($node, 'bad_vecs'), 'with the same row');
sql("SELECT pg_terminate_backend($pid)");
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'it is terminated');
sql("INSERT INTO bad VALUES (2001, 'starts another')");
settled($node, 'bad_vecs');
is(sql('SELECT count(*) FROM bad_vecs WHERE id >= 2000'), '2', 'another one does what was left');

# ---- an idle worker costs nothing and holds nothing

ok(wait_until($node, "SELECT state = 'idle' AND backend_xmin IS NULL AND xact_start IS NULL FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' LIMIT 1"),
	'an idle worker is in no transaction');
$pid = worker_pid($node);
sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines'");
sql("SELECT pg_sleep(0.2)");
is(worker_pid($node), $pid, 'and has nothing to cancel');

# ---- who reads the source and then writes to it, as the worker does, and who drops the pipeline meanwhile

for my $change ("distil_alter_pipeline('held', mode => 'sync')", "distil_drop_pipeline('held')")
{
	my ($reader, $changer) = map { $node->background_psql('postgres') } 1, 2;

	sql("CREATE TABLE IF NOT EXISTS held_source (id int PRIMARY KEY, body text, mood real)");
	sql("SELECT distil_create_pipeline('held_source', 'body', 'sentiment', 's', into_column => 'mood', name => 'held')") if $change =~ /alter/;
	$reader->query_safe('BEGIN; SELECT FROM held_source');
	$changer->query_until(qr/begun/, "\\echo begun\nSELECT $change;\n\\echo changed\n");
	ok(wait_until($node, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'SELECT distil_%held%' AND state = 'active' AND pid <> pg_backend_pid()"), 'it waits');
	sleep(1);
	is(eval { $reader->query_safe("INSERT INTO held_source VALUES (" . ($change =~ /alter/ ? 1 : 2) . ", 'x'); COMMIT"); 1 }, 1, "no deadlock: $change");
	$changer->query_until(qr/changed/, "\n");
	$_->quit for $reader, $changer;
}

# ---- by hand

is($node->psql('postgres', 'BEGIN; CALL distil_run_pipeline();'), 3, 'not in a transaction block');
sql("SET distilbert.pipelines = off; ALTER SYSTEM SET distilbert.pipelines = off");
$node->reload;
ok(wait_until($node, "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines'"), 'switched off, workers end');
sql("UPDATE good SET body = 'by hand ' || id; INSERT INTO good SELECT i, 'more ' || i FROM generate_series(10, 109) i");
is(sql("SELECT pending, worker_pid FROM distil_pipelines WHERE name = 'good_vecs'"), '102|', 'nobody does it');
is(sql("SELECT distil_wait_pipeline('good_vecs', '10ms')"), 'f', 'who waits hears that it is not done');
sql("CALL distil_run_pipeline('good_vecs', 60)");
is(sql("SELECT pending FROM distil_pipelines WHERE name = 'good_vecs'"), '42', 'as many rows as were asked for');
sql("CALL distil_run_pipeline('good_vecs')");
is(sql("SELECT count(*) FROM good_vecs v JOIN good USING (id) WHERE v.text_hash = distilbert.pipeline_hash(body)"), '102', 'then the rest');
alive($node);
done_testing();

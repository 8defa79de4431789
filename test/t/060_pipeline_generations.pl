# Pipelines: another model or other options are built beside the live values, and
# switched; values are compared with what the model says.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => "distilbert.pipelines = off\n");

load_model($node, $_) for qw(bert-sentence distilbert-sentiment distilbert-base);

sub sql { return $node->safe_psql('postgres', @_) }
sub run_all { return sql('CALL distil_run_pipeline()') }

# What a failing statement says: all of it.
sub error
{
	my ($rc, $out, $err) = $node->psql('postgres', $_[0]);

	return $rc ? $err : "no error: $out";
}

# "missing/outdated/orphaned/failed"
sub check
{
	my ($name, $repair) = (@_, 'false');

	return sql("SELECT string_agg(rows::text, '/') FROM distil_check_pipeline('$name', $repair)");
}
sub state { return sql("SELECT state FROM distil_pipelines WHERE name = '$_[0]'") }

sql(<<'SQL');
CREATE ROLE reader;
CREATE TABLE docs (id int PRIMARY KEY, body text);
INSERT INTO docs SELECT i, 'text number ' || i || '. And more of it.' FROM generate_series(1, 100) AS i;
INSERT INTO docs VALUES (101, NULL), (102, '');
SELECT distil_create_pipeline('docs', 'body', 'chunks', 'bert-sentence', into_table => 'docs_chunks', options => '{"max_tokens": 16}');
SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood');
SQL
run_all();

# ---- check, and repair
is(check('docs_chunks'), '0/0/0/0', 'all chunks are there');
is(check('docs_mood'), '0/0/0/0', 'all values are there');
sql(<<'SQL');
DELETE FROM docs_chunks WHERE id IN (7, 8);
UPDATE docs_chunks SET text_hash = '\x00' WHERE id = 9;
INSERT INTO docs_chunks SELECT 5000, seq, start_pos, end_pos, chunk, embedding, text_hash FROM docs_chunks WHERE id = 10;
SET session_replication_role = replica;
UPDATE docs SET mood = 7 WHERE id = 4;
UPDATE docs SET mood = NULL WHERE id IN (5, 6);
UPDATE docs SET mood = 1 WHERE id = 101;
SQL
is(check('docs_chunks'), '2/1/1/0', 'chunks that are missing, of another text, of no row');
is(check('docs_mood'), '2/1/1/0', 'and values');
is(sql('SELECT count(*) FROM distilbert.pipeline_queue'), 0, 'checking alone queues nothing');
check('docs_chunks', 'true');
check('docs_mood', 'true');
run_all();
is(check('docs_chunks') . ' ' . check('docs_mood'), '0/0/0/0 0/0/0/0', 'repaired');
is(sql('SELECT count(*) FROM docs WHERE mood IS DISTINCT FROM distil_sentiment(body, \'distilbert-sentiment\')'), 0, 'to what the function says');
like(error("SELECT * FROM distil_check_pipeline('nope')"), qr/pipeline "nope" does not exist.*distil_pipelines/s, 'a pipeline that does not exist');

# ---- a table: other options
like(error("SELECT distil_switch_pipeline('docs_chunks')"), qr/cannot be switched.*builds no other values.*distil_alter_pipeline/s, 'nothing to switch to');
like(error("SELECT distil_alter_pipeline('docs_chunks', options => '{\"max_token\": 8}')"), qr/no option "max_token".*max_tokens/s, 'an option that there is not');
like(error("SELECT distil_alter_pipeline('docs_chunks', model => 'distilbert-sentimental')"), qr/distilbert-sentimental.*does not exist/s, 'a model that there is not');
sql("CREATE INDEX by_chunk ON docs_chunks (chunk); GRANT SELECT ON docs_chunks TO reader; GRANT SELECT (id) ON docs_chunks TO PUBLIC; CREATE VIEW shown AS SELECT chunk FROM docs_chunks");
sql("SELECT distil_alter_pipeline('docs_chunks', options => '{\"max_tokens\": 8}')");
is(state('docs_chunks'), 'building', 'its state');
like(error("SELECT distil_switch_pipeline('docs_chunks')"), qr/not all there.*"ready"/s, 'not before it is filled');

# while it is built, both follow
sql("INSERT INTO docs VALUES (200, 'a late text. with two sentences.'); DELETE FROM docs WHERE id = 3; UPDATE docs SET body = 'changed' WHERE id = 2");
run_all();
is(state('docs_chunks'), 'ready', 'ready');
is(sql('SELECT count(*) FROM docs_chunks__next WHERE id IN (2, 3)'), 1, 'writes reach the next table');
cmp_ok(sql('SELECT count(*) FROM docs_chunks__next'), '>', sql('SELECT count(*) FROM docs_chunks'), 'of shorter chunks there are more');
sql("UPDATE docs SET body = 'secret' WHERE id = 2; UPDATE docs SET body = 'open' WHERE id = 2");
is(sql('SELECT count(*) FROM docs_chunks__next WHERE id = 2'), 0, 'what was removed from a text leaves both at once');
run_all();

like(error("SELECT distil_switch_pipeline('docs_chunks')"), qr/other objects depend.*view.*shown/s, 'a view that would follow the old table');
sql('DROP VIEW shown');
my $hint = error("SELECT distil_switch_pipeline('docs_chunks')");
like($hint, qr/lack indexes/, 'an index that the next one has not');
my ($create) = $hint =~ /^(CREATE INDEX CONCURRENTLY ON .*);/m;
sql($create);
sql("SELECT distil_switch_pipeline('docs_chunks')");
is(state('docs_chunks'), 'idle', 'switched');
is(check('docs_chunks'), '0/0/0/0', 'all of the other options');
is(sql("SELECT options->>'max_tokens' FROM distilbert.pipeline_generation WHERE pipeline = 'docs_chunks'"), 8, 'which stand in the catalogue');
is(sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'docs_chunks%\\_\\_%'"), 0, 'nothing of the old table is left');
is(sql("SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'docs_chunks'::regclass"), 'by_chunk docs_chunks_pkey', 'indexes have their names');
is(sql("SELECT has_table_privilege('reader', 'docs_chunks', 'SELECT'), has_column_privilege('public', 'docs_chunks', 'id', 'SELECT')"), 't|t', 'and the privileges are the same');

# ---- a column, another model; the old one is kept
sql("CREATE INDEX by_mood ON docs (mood)");
sql("SELECT distil_alter_pipeline('docs_mood', options => '{\"long_text\": \"truncate\"}')");
sql("INSERT INTO docs VALUES (201, 'two hundred and one')");
run_all();
is(sql('SELECT count(*) FROM docs WHERE mood IS DISTINCT FROM mood__next'), 0, 'both columns are filled');
like(error("SELECT distil_switch_pipeline('docs_mood')"), qr/CREATE INDEX CONCURRENTLY ON public.docs USING btree \(mood__next\)/, 'its index');
sql('CREATE INDEX ON docs (mood__next)');
sql("SELECT distil_switch_pipeline('docs_mood', drop_old => false)");
is(sql("SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'docs'::regclass AND attnum > 2 AND NOT attisdropped"), 'mood__old mood', 'drop_old => false keeps it');
sql("INSERT INTO docs VALUES (202, 'two hundred and two')");
run_all();
is(sql('SELECT mood IS NOT NULL, mood__old IS NULL FROM docs WHERE id = 202'), 't|t', 'which is not followed any more');
is(check('docs_mood'), '0/0/0/0', 'the new one is');

# ---- begun anew, and given up
sql("SELECT distil_create_pipeline('docs', 'body', 'embed', 'bert-sentence', into_table => 'vectors')");
run_all();
sql("SELECT distil_alter_pipeline('vectors', model => 'distilbert-base')");
my $first = sql("SELECT 'vectors__next'::regclass::oid");
sql("SELECT distil_alter_pipeline('vectors', model => 'distilbert-base')");
is(sql("SELECT 'vectors__next'::regclass::oid"), $first, 'to ask for the same again changes nothing');
sql("SELECT distil_alter_pipeline('vectors', options => '{\"dimensions\": 8}')");
isnt(sql("SELECT 'vectors__next'::regclass::oid"), $first, 'to ask for something else begins anew');
sql("SELECT distil_alter_pipeline('vectors', model => 'bert-sentence')");
is(sql("SELECT to_regclass('vectors__next') IS NULL, count(*) FROM distilbert.pipeline_generation WHERE pipeline = 'vectors'"), 't|1', 'to ask for what is live gives it up');

# ---- a search names the pipeline: its model changes with the data
my $query = "SELECT distil_pipeline_embed('vectors', 'a question')";
is(sql($query), sql("SELECT distil_embed_query('a question', 'bert-sentence')"), 'the query, by the live model');
sql("SELECT distil_alter_pipeline('vectors', model => 'distilbert-base')");
run_all();
is(sql($query), sql("SELECT distil_embed_query('a question', 'bert-sentence')"), 'also while another one is built');
is(sql("BEGIN; $query; SELECT distil_switch_pipeline('vectors'); $query; COMMIT"),
	sql("BEGIN; SELECT distil_embed_query('a question', 'bert-sentence'); SELECT ''; SELECT distil_embed_query('a question', 'distilbert-base'); COMMIT"),
	'and by the next one from the switch on');
is(sql('SELECT count(*) FROM vectors v JOIN docs d USING (id) WHERE v.embedding::real[] = distil_embed_passage(d.body, \'distilbert-base\')'), sql('SELECT count(body) FROM docs'), 'as the vectors are');
is(sql("SELECT count(DISTINCT distil_pipeline_embed('vectors', body)) FROM docs WHERE id < 20"), sql('SELECT count(DISTINCT body) FROM docs WHERE id < 20'), 'a call for each row answers each');
like(error("SELECT distil_pipeline_embed('docs_mood', 'x')"), qr/makes no embeddings.*"sentiment"/s, 'a pipeline without vectors');

# ---- a model that is in use
like(error("SELECT distil_drop_model('distilbert-base')"), qr/other objects depend.*pipeline vectors of table docs/s, 'is not dropped');
sql("SELECT distil_drop_model('distilbert-base', force => true)");
like(error($query), qr/distilbert-base/, 'by force it is, and the search fails');
load_model($node, 'bert-sentence', 'distilbert-base');
like(error($query), qr/is not the one that pipeline "vectors" was made for/, 'another one of its name is not taken for it');
is(sql("SELECT distil_alter_pipeline('vectors', model => 'distilbert-base')"), '', 'but may be given to it');
sql("SELECT distil_alter_pipeline('vectors', paused => true)");
is(state('vectors'), 'paused', 'paused');
like(error("SELECT * FROM distil_check_pipeline('vectors')"), qr/paused.*paused => false/s, 'what is paused is not checked');

$node->stop;
done_testing();

# Publications FOR ALL TABLES have the extension's tables: models arrive, pipelines stay each server's own.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $a = new_node('a', allows_streaming => 'logical');
my $b = new_node('b', allows_streaming => 'logical');
my $from_a = $a->connstr('postgres') =~ s/'/''/gr;
my $from_b = $b->connstr('postgres') =~ s/'/''/gr;

sub there { return $a->safe_psql('postgres', @_) }
sub here { return $b->safe_psql('postgres', @_) }

# Are all tables of the subscription in step?  Not if rows of pipelines stand in its way, behind this place of the log.
sub in_step
{
	my ($from) = @_;

	for (1 .. 1800)
	{
		return 1 if here(q{SELECT count(*) = 0 FROM pg_subscription_rel WHERE srsubstate <> 'r'}) eq 't';
		return 0 if substr(slurp_file($b->logfile), $from) =~ /unique constraint "pipeline/;
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

# both have a table with a pipeline of one name, and the same model
for my $node ($a, $b)
{
	load_model($node, 'distilbert-sentiment');
	$node->safe_psql('postgres', q{CREATE TABLE docs (id int PRIMARY KEY, body text); CREATE TABLE back (id int PRIMARY KEY, body text)});
	$node->safe_psql('postgres', q{SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood', name => 'moods')});
	$node->safe_psql('postgres', q{SELECT distil_wait_pipeline('moods')});
}
there(q{INSERT INTO docs SELECT i, 'text ' || i FROM generate_series(1, 20) AS i});
there(q{SELECT distil_wait_pipeline('moods')});
there(q{SELECT distil_alter_pipeline('moods', paused => true)});
there(q{INSERT INTO docs VALUES (21, 'waits')});
there('CREATE PUBLICATION everything FOR ALL TABLES');

# without the extension there is no subscription
$b->safe_psql('postgres', 'CREATE DATABASE bare');
$b->safe_psql('bare', 'CREATE TABLE docs (id int PRIMARY KEY, body text, mood real); CREATE TABLE back (id int PRIMARY KEY, body text)');
my (undef, undef, $err) = $b->psql('bare', "CREATE SUBSCRIPTION bare CONNECTION '$from_a' PUBLICATION everything");
like($err, qr/"distilbert(\.\w+)?" does not exist/, 'a subscriber without the extension');

# two servers that loaded one model: the cure is to drop it here
my $log = -s $b->logfile;
here("CREATE SUBSCRIPTION everything CONNECTION '$from_a' PUBLICATION everything");
ok(wait_until($b, q{SELECT count(*) = 21 FROM docs}), 'the data come');
$b->wait_for_log(qr/duplicate key value violates unique constraint "model(_chunk)?_pkey"/, $log) if $b->can('wait_for_log');
is(here(q{SELECT distil_drop_model('distilbert-sentiment', force => true)}), 't', 'dropped here');
ok(in_step($log), 'all tables are in step');
is(answers($b, 'distilbert-sentiment'), answers($a, 'distilbert-sentiment'), 'the model came from the other server');

# pipelines are each server's own
is(here(q{SELECT count(*) FROM distilbert.pipeline WHERE paused}), '0', 'that it is paused there');
is(there(q{SELECT count(*) FROM distilbert.pipeline_queue}), '1', 'a key that waits there');
is(here(q{SELECT count(*) FROM distilbert.pipeline}), '1', 'pipelines here');
# a table that is made there has to be made here, as always
here('CREATE TABLE vectors (id int PRIMARY KEY, embedding real[], text_hash bytea)');
there(q{SELECT distil_create_pipeline('docs', 'body', 'embed', 'embeddings-en-v1', into_table => 'vectors')});
there(q{UPDATE docs SET body = 'new ' || id WHERE id < 5});
there(q{SELECT distil_alter_pipeline('moods', paused => false)});
there(q{SELECT distil_wait_pipeline('moods')});
there(q{SELECT distil_drop_pipeline('docs_vectors', if_exists => true), distil_drop_pipeline('vectors', if_exists => true)});
there(q{INSERT INTO back VALUES (0, 'mark')});
ok(wait_until($b, 'SELECT count(*) = 1 FROM back'), 'all of it has been applied');
is(here(q{SELECT count(*) FROM distilbert.pipeline}), '1', 'a pipeline made there is none here');

# models that come and go there
load_model($a, 'distilbert-stars');
ok(wait_until($b, q{SELECT count(*) = 1 FROM distil_models WHERE name = 'distilbert-stars'}), 'a model loaded there');
ok(wait_until($b, q{SELECT sum(length(data)) = (SELECT bytes FROM distilbert.model WHERE name = 'distilbert-stars') FROM distilbert.model_chunk WHERE name = 'distilbert-stars'}), 'all of it');
is(answers($b, 'distilbert-stars'), answers($a, 'distilbert-stars'), 'and works');
there(q{SELECT distil_drop_model('distilbert-stars')});
ok(wait_until($b, q{SELECT count(*) = 0 FROM distil_models WHERE name = 'distilbert-stars'}), 'dropped there, gone here');

# and the other way: a table of its own
here('CREATE PUBLICATION mine FOR TABLE back');
there("CREATE SUBSCRIPTION mine CONNECTION '$from_b' PUBLICATION mine WITH (copy_data = false)");
here(q{INSERT INTO back VALUES (1, 'one')});
ok(wait_until($a, q{SELECT count(*) = 1 FROM back WHERE id = 1}), 'rows go back');
there(q{SELECT distil_upload_part('half', 'config.json', 1, '{}')});
is(there(q{SELECT count(*) FROM pg_publication_tables WHERE tablename = 'upload_part'}), '0', 'uploads are in no publication');
alive($_) for $a, $b;
$_->stop('immediate') for $a, $b;
done_testing();

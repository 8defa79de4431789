# Pipelines and logical replication: a subscriber that computes for itself, and one
# that receives what the publisher has computed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = new_node('publisher', allows_streaming => 'logical');
my $subscriber = new_node('subscriber', allows_streaming => 'logical');

load_model($_, 'distilbert-sentiment') for ($publisher, $subscriber);

sub there { return $publisher->safe_psql('postgres', @_) }
sub here { return $subscriber->safe_psql('postgres', @_) }
sub wait_for { return wait_until($subscriber, @_) }

# Tables as both have them; the publisher computes the moods of docs.
$_->safe_psql('postgres', 'CREATE TABLE docs (id int PRIMARY KEY, body text); CREATE TABLE notes (id int PRIMARY KEY, body text)') for ($publisher, $subscriber);
my $create = "SELECT distil_create_pipeline('docs', 'body', 'sentiment', 'distilbert-sentiment', into_table => 'moods', name => 'moods')";
there("INSERT INTO docs SELECT i, 'text ' || i FROM generate_series(1, 20) i; INSERT INTO notes VALUES (1, 'one'), (2, 'two')");
there($create);
there('CREATE PUBLICATION computed FOR TABLE docs, moods; CREATE PUBLICATION plain FOR TABLE notes');

# The subscriber has the same pipeline, as a dump would bring it.
here($create);
my $from = $publisher->connstr('postgres') =~ s/'/''/gr;
here("CREATE SUBSCRIPTION computed CONNECTION '$from' PUBLICATION computed");
here("CREATE SUBSCRIPTION plain CONNECTION '$from' PUBLICATION plain");
ok(wait_for('SELECT count(*) = 2 FROM notes'), 'the tables arrive');

# ---- what the publisher has computed
ok(wait_for('SELECT count(*) = 20 FROM moods'), 'values come with the subscription');
is(here("SELECT state FROM distil_pipelines WHERE name = 'moods'"), 'elsewhere', 'the pipeline is elsewhere');
there("UPDATE docs SET body = 'changed' WHERE id = 3; DELETE FROM docs WHERE id = 4");
ok(wait_for("SELECT count(*) = 19 AND bool_and(sentiment = distil_sentiment(body, 'distilbert-sentiment')) FROM docs JOIN moods USING (id)"), 'and follow');
here('CALL distil_run_pipeline()');
is(here('SELECT count(*) FROM distilbert.pipeline_queue'), 0, 'nothing is queued here');
my ($rc, $out, $err) = $subscriber->psql('postgres', "SELECT * FROM distil_check_pipeline('moods')");
like($err, qr/kept up elsewhere.*publisher/s, 'nor checked here');

# ---- a subscriber that computes for itself
here("SELECT distil_create_pipeline('notes', 'body', 'sentiment', 'distilbert-sentiment', into_column => 'mood')");
my $right = "bool_and(mood = distil_sentiment(body, 'distilbert-sentiment')) FROM notes";
ok(wait_for("SELECT $right"), 'rows that have arrived');
there("INSERT INTO notes VALUES (3, 'three'); UPDATE notes SET body = 'first' WHERE id = 1");
ok(wait_for("SELECT count(*) = 3 AND $right"), 'rows that arrive');
is(here("SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgrelid = 'notes'::regclass"), 'A', 'its triggers see them');
there('TRUNCATE notes');
ok(wait_for('SELECT count(*) = 0 FROM notes'), 'TRUNCATE');
($rc, $out, $err) = $subscriber->psql('postgres', "SELECT distil_alter_pipeline('notes_mood', mode => 'sync')");
like($err, qr/'sync' cannot be had.*A subscription fills it/s, 'no text may stop the subscription');
like(here('SELECT string_agg(apply_error_count::text, \',\') FROM pg_stat_subscription_stats'), qr/^[0,]+$/, 'it never failed');

$_->stop for ($subscriber, $publisher);
done_testing();

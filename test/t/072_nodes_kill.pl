# A job over nodes, driven from one place: one node dies in the middle.  The others finish;
# it goes on behind its last slice when it is back; nothing is lost, nothing is there twice.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 1500;
my @shards = map { new_node($_, conf => "shared_preload_libraries = 'distilbert'\ndistilbert.pipeline_naptime = '20ms'\n") } qw(shard1 shard2);
my $node = new_node('coordinator');
my $all = "'s1', 's2'";

sub run_sql { return $node->safe_psql('postgres', @_) }

run_sql('CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink; CREATE TABLE reviews (id int, body text) PARTITION BY HASH (id)');
load_model($node, 'distilbert-sentiment', 'm');
for my $i (1, 2)
{
	my ($host, $port) = ($shards[ $i - 1 ]->host, $shards[ $i - 1 ]->port);

	$shards[ $i - 1 ]->safe_psql('postgres', 'CREATE TABLE reviews (id int PRIMARY KEY, body text)');
	run_sql("CREATE SERVER s$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'distilbert');
		CREATE USER MAPPING FOR CURRENT_USER SERVER s$i;
		CREATE FOREIGN TABLE reviews_$i PARTITION OF reviews FOR VALUES WITH (MODULUS 2, REMAINDER " . ($i - 1) . ") SERVER s$i OPTIONS (table_name 'reviews')");
}
run_sql("INSERT INTO reviews SELECT i, 'film number ' || i || repeat(' good and bad', 100 + i % 40) FROM generate_series(1, $rows) AS i");
my $pinned = run_sql("SELECT distil_send_model('m', s) FROM unnest(ARRAY[$all]) AS s LIMIT 1");
run_sql("SELECT distil_send_model('m', 's2')");
is(run_sql("SELECT count(*) FROM distil_check_nodes($all)"), 0, 'the nodes agree');

# ---- start the job; the second node rests most of the time
$shards[1]->safe_psql('postgres', "ALTER SYSTEM SET distilbert.pipeline_load = 2");
$shards[1]->reload;
is(run_sql("SELECT server, result, error FROM distil_run_on_nodes(\$\$SELECT distil_create_pipeline('reviews', 'body', 'sentiment', '$pinned', into_table => 'moods', name => 'job')\$\$, $all)"),
	"s1|job|\ns2|job|", 'one statement starts it');
run_sql("CREATE VIEW job AS SELECT * FROM distil_node_pipelines($all)");
sub done_on { return run_sql("SELECT coalesce(max(rows_done), 0) FROM job WHERE server = '$_[0]'") }

my %parts = map { $_ => $shards[ $_ - 1 ]->safe_psql('postgres', 'SELECT count(*) FROM reviews') } (1, 2);
is($parts{1} + $parts{2}, $rows, 'all rows are on the nodes');
ok($node->poll_query_until('postgres', "SELECT rows_done > 0 FROM job WHERE server = 's2'"), 'the second node has begun');

# ---- it dies
$shards[1]->stop('immediate');
like(run_sql("SELECT server, name, state, error FROM job WHERE server = 's2'"), qr/^s2\|\|unreachable\|could not connect to server "s2"/, 'it is seen to be down');
ok($node->poll_query_until('postgres', "SELECT state = 'idle' FROM job WHERE server = 's1'"), 'the first node finishes');
is(done_on('s1'), $parts{1}, 'all of its rows');
is(run_sql("SELECT server, coalesce(result, 'error') FROM distil_run_on_nodes('SELECT count(*) FROM moods', $all)"), "s1|$parts{1}\ns2|error", 'which can be read');

# ---- and comes back
$shards[1]->start;
my $before = $shards[1]->safe_psql('postgres', 'SELECT count(*) FROM moods');
cmp_ok($before, '>', 0, 'what it had committed is there');
cmp_ok($before, '<', $parts{2}, 'it died in the middle');
$shards[1]->safe_psql('postgres', 'ALTER SYSTEM RESET distilbert.pipeline_load');
$shards[1]->reload;
ok($node->poll_query_until('postgres', "SELECT state = 'idle' FROM job WHERE server = 's2'"), 'it goes on by itself');
cmp_ok(done_on('s2'), '<=', $parts{2}, 'no row was computed twice');	# fewer: what was written last was not counted yet
cmp_ok(done_on('s2'), '>=', $parts{2} - $before, 'all are counted that it did afterwards');
for my $i (1, 2)
{
	is($shards[ $i - 1 ]->safe_psql('postgres', "SELECT count(*), count(DISTINCT id), bool_and(sentiment = distil_sentiment(body, '$pinned')) FROM reviews JOIN moods USING (id)"),
		"$parts{$i}|$parts{$i}|t", "node $i: nothing is lost, nothing is twice");
	is($shards[ $i - 1 ]->safe_psql('postgres', 'SELECT count(*) FROM moods'), $parts{$i}, 'nor more');
}
is(run_sql("SELECT server, state, rows_failed FROM job ORDER BY server"), "s1|idle|0\ns2|idle|0", 'the job is done');

# ---- a query over both while one is down: an error, no part of the answer
$shards[0]->stop('immediate');
my ($rc, $out, $err) = $node->psql('postgres', "SELECT count(*) FROM reviews WHERE distil_sentiment(body, '$pinned') > 0");
isnt($rc, 0, 'a query over a node that is down fails');
is($out, '', 'without a part of the answer');
like($err, qr/could not connect to server "s1"|server closed the connection/, 'and says which');
$shards[0]->start;
is(run_sql("SELECT count(*) FROM reviews WHERE distil_sentiment(body, '$pinned') > -2"), $rows, 'and works when it is back');

alive($node);
$_->stop for @shards;
done_testing();

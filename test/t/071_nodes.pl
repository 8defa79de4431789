# Several servers: where calls over foreign tables are computed, and in batches; nodes that
# differ, are down, have no extension; models that are sent; wrong input.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $shard_conf = "session_preload_libraries = 'auto_explain'\nauto_explain.log_min_duration = 0\n";
my @shards = map { new_node($_, conf => $shard_conf) } qw(shard1 shard2);
my $node = new_node('coordinator');
my $rows = 400;

sub run_sql { return $node->safe_psql('postgres', @_) }

# What a failing statement says, detail and hint included.
sub refused
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql);

	isnt($rc, 0, "refused: $sql");
	return $err;
}

run_sql('CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink');
for my $i (1, 2)
{
	my ($host, $port) = ($shards[ $i - 1 ]->host, $shards[ $i - 1 ]->port);

	load_model($shards[ $i - 1 ], 'distilbert-sentiment', 'm');
	$shards[ $i - 1 ]->safe_psql('postgres', q{CREATE TABLE reviews (id int PRIMARY KEY, body text, mood real);
		CREATE VIEW scored AS SELECT id, distil_sentiment(body, 'm') AS mood, distil_sentiment_label(body, 'm') AS label FROM reviews});
	run_sql("CREATE SERVER s$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'distilbert', async_capable 'true', fetch_size '1000');
		CREATE USER MAPPING FOR CURRENT_USER SERVER s$i");
}
load_model($node, 'distilbert-sentiment', 'm');
run_sql(<<'SQL');
CREATE TABLE reviews (id int, body text, mood real) PARTITION BY HASH (id);
CREATE FOREIGN TABLE reviews_1 PARTITION OF reviews FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER s1 OPTIONS (table_name 'reviews');
CREATE FOREIGN TABLE reviews_2 PARTITION OF reviews FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER s2 OPTIONS (table_name 'reviews');
CREATE TABLE scored (id int, mood real, label text) PARTITION BY HASH (id);
CREATE FOREIGN TABLE scored_1 PARTITION OF scored FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER s1 OPTIONS (table_name 'scored');
CREATE FOREIGN TABLE scored_2 PARTITION OF scored FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER s2 OPTIONS (table_name 'scored');
SQL
run_sql("INSERT INTO reviews SELECT i, 'film number ' || i || repeat(' good', i % 5) FROM generate_series(1, $rows) AS i; CREATE TABLE plain AS TABLE reviews");
ok($_->safe_psql('postgres', 'SELECT count(*) FROM reviews') > $rows / 4, $_->name . ' has its part') for @shards;

# ---- computed here: above asynchronous scans, below aggregates
my $plan = run_sql(q{EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body, 'm') FROM reviews});
like($plan, qr/^Custom Scan \(DistilBatch\).*Append.*Async Foreign Scan.*Async Foreign Scan/s, 'a batch above the asynchronous append');
$plan = run_sql(q{EXPLAIN (COSTS OFF) SELECT sum(distil_sentiment(body, 'm')), max(distil_sentiment_label(body, 'm')) FROM reviews});
like($plan, qr/^Aggregate.*Custom Scan \(DistilBatch\).*Append.*Async Foreign Scan/s, 'and below an aggregate');
$plan = run_sql(q{EXPLAIN (COSTS OFF) SELECT id, distil_sentiment(body, 'm') FROM reviews_1 WHERE id > 3});
like($plan, qr/^Custom Scan \(DistilBatch\).*Foreign Scan on reviews_1/s, 'one foreign table');

# ---- computed on the nodes, which their own logs tell
my @marks = (0, 0);

# What the shards ran since the last call, each statement with its plan.
sub shards_ran
{
	my @ran;

	for my $i (0, 1)
	{
		my $log = slurp_file($shards[$i]->logfile);

		push @ran, substr($log, $marks[$i]);
		$marks[$i] = length $log;
	}
	return @ran;
}

# [what, query, what the shards run]: the same answer as here, and batches there
for my $case (
	[ 'WHERE', q{SELECT count(*), sum(id) FROM %s WHERE distil_sentiment(body, 'm') > 0.1}, qr/DECLARE c\d+ CURSOR/ ],
	[ 'WHERE with options', q{SELECT count(*) FROM %s WHERE distil_sentiment(body, 'm', long_text => 'truncate') > 0.1}, qr/truncate/ ],
	[ 'array', q{SELECT count(*) FROM %s WHERE distil_sentiment_label(body, 'm') = 'POSITIVE'}, qr/DECLARE/ ])
{
	my ($what, $query, $remote) = @$case;

	shards_ran();
	is(run_sql(sprintf $query, 'reviews'), run_sql(sprintf $query, 'plain'), "$what: the same answer");
	like($_, qr/$remote.*Custom Scan \(DistilBatch\)/s, "$what: in batches on a shard") for shards_ran();
}
my $view = 'SELECT label, count(*), round(sum(mood)::numeric, 3) FROM %s GROUP BY label ORDER BY label';
shards_ran();
is(run_sql(sprintf $view, 'scored'),
	run_sql(sprintf $view, q{(SELECT distil_sentiment(body, 'm') AS mood, distil_sentiment_label(body, 'm') AS label FROM plain) AS p}), 'a view on the shards');
like($_, qr/Custom Scan \(DistilBatch\)/, 'in batches there') for shards_ran();
unlike(run_sql('EXPLAIN (COSTS OFF) ' . sprintf $view, 'scored'), qr/DistilBatch/, 'and nothing is computed here');
run_sql(q{UPDATE reviews SET mood = distil_sentiment(body, 'm')});
like($_, qr/UPDATE public.reviews SET mood = .*Update on.*Custom Scan \(DistilBatch\)/s, 'UPDATE is sent, and batched') for shards_ran();
is(run_sql(q{SELECT count(*) FROM reviews AS r JOIN plain AS p USING (id) WHERE r.mood = distil_sentiment(p.body, 'm')}), $rows, 'with the same values');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM reviews ORDER BY distil_sentiment(body, 'm') LIMIT 5});
unlike($plan, qr/Async/, 'a sort that is sent is not asynchronous');
like($plan, qr/Limit.*Merge Append.*(?:Remote SQL: [^\n]*ORDER BY [^\n]*distil_sentiment.*){2}/s, 'each node is asked for its rows in that order');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM (SELECT id, mood FROM scored OFFSET 0) AS s ORDER BY mood});
like($plan, qr/Sort.*Append.*(?:Async Foreign Scan.*){2}/s, 'one outside is');
unlike($plan, qr/Remote SQL: [^\n]*ORDER BY/, 'and is not sent');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM reviews WHERE distil_sentiment(body) > 0});
unlike($plan, qr/Remote SQL: [^\n]*distil_sentiment/, 'the form without a model is not sent');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT avg(distil_sentiment(body, 'm')) FROM reviews_1});
like($plan, qr/^Foreign Scan\n.*Remote SQL: SELECT avg\([^\n]*distil_sentiment/s, 'an aggregate of one foreign table is sent');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT distil_sentiment_label(body, 'm'), count(*) FROM reviews GROUP BY 1});
like($plan, qr/distil_sentiment_label\([^\n]*\n.*Remote SQL: [^\n]*ORDER BY [^\n]*distil_sentiment_label/s, 'GROUP BY a call is computed there, and here');
$plan = run_sql(q{EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM reviews WHERE distil_sentiment(body, 'm') > 2});
like($plan, qr/(?:Foreign Delete[^\n]*\n\s*Remote SQL: DELETE FROM [^\n]*distil_sentiment.*){2}/s, 'DELETE is sent');
run_sql(q{DELETE FROM reviews WHERE distil_sentiment(body, 'm') > 2});
like($_, qr/DELETE FROM public.reviews .*Custom Scan \(DistilBatch\)/s, 'and batched') for shards_ran();
$plan = run_sql(q{EXPLAIN (COSTS OFF) INSERT INTO reviews SELECT id + 1000, body, distil_sentiment(body, 'm') FROM plain});
like($plan, qr/^Insert on reviews\n.*Custom Scan \(DistilBatch\)/s, 'rows that are inserted are computed here, in batches');

# a generated column on a node, which the coordinator reads
$shards[0]->safe_psql('postgres', q{CREATE TABLE kept (id int PRIMARY KEY, body text, mood real GENERATED ALWAYS AS (distil_sentiment(body, 'm')) STORED)});
run_sql(<<'SQL');
CREATE FOREIGN TABLE written (id int, body text) SERVER s1 OPTIONS (table_name 'kept');
CREATE FOREIGN TABLE kept (id int, mood real) SERVER s1;
INSERT INTO written SELECT id, body FROM plain WHERE id <= 20;
SQL
is(run_sql(q{SELECT count(*) FROM kept JOIN plain USING (id) WHERE kept.mood = distil_sentiment(body, 'm')}), 20, 'a generated column on a node');
run_sql('DROP FOREIGN TABLE written, kept');
$shards[0]->safe_psql('postgres', 'DROP TABLE kept');

# ---- threads, by an option of the server
run_sql("ALTER SERVER s1 OPTIONS (ADD options '-c distilbert.threads=2')");
is(run_sql("SELECT result FROM distil_run_on_nodes('SHOW distilbert.threads', 's1')"), 2, 'threads by server');
is(run_sql(sprintf $view, 'scored'), run_sql(sprintf $view, q{(SELECT distil_sentiment(body, 'm') AS mood, distil_sentiment_label(body, 'm') AS label FROM plain) AS p}),
	'the same answers with them');

# ---- a name's content: two contents are never mixed
my $pinned = run_sql(q{SELECT 'm@' || left(sha256, 8) FROM distil_models WHERE name = 'm'});
my $query = "SELECT count(*), sum(id) FROM %s WHERE distil_sentiment(body, '$pinned') > 0.1";
is(run_sql(sprintf $query, 'reviews'), run_sql(sprintf $query, 'plain'), 'a name with its content');
$shards[1]->safe_psql('postgres', q{SELECT name FROM distil_load_model('m', 'distilbert-sentiment', "precision" => 'int8', replace => true, force => true)});
my $port = $shards[1]->port;
like(refused(sprintf $query, 'reviews'), qr/model "m" does not have the content.*In database "postgres" at [^ ]*:$port it is "m\@/s, 'another content on one shard is an error that names it');
is(run_sql(q{SELECT server, kind, name, split_part(here, ' ', 1), split_part(there, ' ', 1) FROM distil_check_nodes('s1', 's2')}),
	's2|model|m|fp32|int8', 'and found by comparing');

# ---- models are sent
like(refused(q{SELECT distil_send_model('m', 's2')}), qr/already exists with different content.*replace => true.*server s2.*to server "s2"/s, 'not over another');
like(refused(q{SELECT distil_send_model('m', 's2', replace => true)}), qr/view scored depends on model "m".*force => true/s, 'nor over one in use');
is(run_sql(q{SELECT distil_send_model('m', 's2', replace => true, force => true)}), $pinned, 'unless told');
is(run_sql(q{SELECT distil_send_model('m', 's2')}), $pinned, 'once more');
is(run_sql(sprintf $query, 'reviews'), run_sql(sprintf $query, 'plain'), 'one content everywhere');
my $folder = PostgreSQL::Test::Utils::tempdir;
big_model("$folder/big", 5);
run_sql("SELECT name FROM distil_load_model('big/one', '$folder/big', task => 'embed')");
like(run_sql(q{SELECT distil_send_model('big/one', 's1')}), qr/^big\/one\@[0-9a-f]{8}$/, 'a model of many parts');
my $vector = q{SELECT md5(distil_embed('a film', 'big/one')::text)};
is($shards[0]->safe_psql('postgres', $vector), run_sql($vector), 'which answers the same there');
load_model($node, 'distilbert-sentiment', 'of_eight');
run_sql(q{SELECT name FROM distil_load_model('eight', 'distilbert-sentiment', task => 'classify', "precision" => 'int8')});
run_sql(q{SELECT distil_send_model(name, 's1') FROM distil_models WHERE name IN ('eight', 'of_eight')});
is($shards[0]->safe_psql('postgres', q{SELECT name, task, precision FROM distil_models WHERE name LIKE '%eight' ORDER BY name}),
	"eight|classify|int8\nof_eight|sentiment|fp32", 'task and precision go with it');
is($shards[0]->safe_psql('postgres', 'SELECT count(*) FROM distil_uploads'), 0, 'no parts are left');
run_sql(q{SELECT distil_drop_model(name) FROM distil_models WHERE name IN ('eight', 'of_eight', 'big/one')});
run_sql(q{SELECT * FROM distil_run_on_nodes($$SELECT distil_drop_model(name) FROM distil_models WHERE name IN ('eight', 'of_eight', 'big/one')$$, 's1')});

# ---- nodes that are down, or lack something
run_sql(q{CREATE SERVER gone FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere', dbname 'postgres');
	CREATE USER MAPPING FOR CURRENT_USER SERVER gone;
	CREATE SERVER stranger FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere');});
$shards[0]->safe_psql('postgres', 'CREATE DATABASE bare');
run_sql("CREATE SERVER bare FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '" . $shards[0]->host . "', port '" . $shards[0]->port . "', dbname 'bare');
	CREATE USER MAPPING FOR CURRENT_USER SERVER bare");
my $check = run_sql(q{SELECT server, kind, coalesce(name, there) FROM distil_check_nodes('gone', 's1', 'bare', 'stranger')});
like($check, qr/^gone\|error\|could not connect to server "gone": .*nowhere.*\nbare\|extension\|distilbert\nstranger\|error\|could not connect to server "stranger": user mapping not found/s, 'each has a row');
like(refused(q{SELECT distil_send_model('m', 'gone')}), qr/ERROR:  could not connect to server "gone"\n.*nowhere.*HINT: .*user mapping/s, 'nothing is sent to one that is down');
like(refused(q{SELECT distil_send_model('m', 'bare')}), qr/server "bare" has no extension "distilbert".*Run CREATE EXTENSION distilbert there/s, 'nor to one without the extension');
like(run_sql(q{SELECT server, state, error FROM distil_node_pipelines('gone', 'bare', 's1')}),
	qr/^gone\|unreachable\|could not.*\nbare\|unreachable\|server "bare" has no extension/s, 'pipelines of such nodes');
like(run_sql(q{SELECT * FROM distil_run_on_nodes('SELECT 1', 'gone', 's1')}), qr/^gone\|\|could not.*\ns1\|1\|$/s, 'one that is down keeps no other back');

# an older version, settings, rounding
$shards[0]->safe_psql('postgres', q{UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'distilbert';
	ALTER DATABASE postgres SET distilbert.long_text = 'truncate'; ALTER DATABASE postgres SET distilbert.sentiment_model = 'm';
	ALTER DATABASE postgres SET distilbert.force_isa = 'scalar'});
like(run_sql(q{SELECT kind, name, here, there FROM distil_check_nodes('s1')}),
	qr/^extension\|distilbert\|[^|]*\|0\.0\.9\nresults\|rounding\|[^\n]*\|scalar, [^\n]*\nsetting\|distilbert.long_text\|window\|truncate\nsetting\|distilbert.sentiment_model\|[^|]*\|m$/,
	'version, rounding and settings that differ');
$shards[0]->safe_psql('postgres', q{UPDATE pg_extension SET extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'distilbert') WHERE extname = 'distilbert';
	ALTER DATABASE postgres RESET ALL});
is(run_sql(q{SELECT count(*) FROM distil_check_nodes('s1', 's2')}), 0, 'nothing differs again');

# ---- wrong input
like(refused(q{SELECT * FROM distil_check_nodes('nobody')}), qr/server "nobody" does not exist.*CREATE SERVER .*pg_foreign_server/s, 'a server that does not exist');
like(refused(q{SELECT * FROM distil_check_nodes('')}), qr/server "" does not exist/, 'no name');
run_sql('CREATE FOREIGN DATA WRAPPER other; CREATE SERVER other FOREIGN DATA WRAPPER other; CREATE USER MAPPING FOR CURRENT_USER SERVER other');
like(refused(q{SELECT * FROM distil_check_nodes('s1', 'other')}), qr/server "other" is not a PostgreSQL server.*wrapper is "other".*postgres_fdw/s, 'a server of another kind');
like(refused(q{SELECT * FROM distil_check_nodes('host=/tmp dbname=postgres')}), qr/server "host=\/tmp dbname=postgres" does not exist/, 'a connection string is no server');
like(refused(q{SELECT * FROM distil_check_nodes(NULL::text)}), qr/must not be null/, 'NULL');
like(refused(q{SELECT * FROM distil_check_nodes(VARIADIC NULL)}), qr/names of the servers must not be null/, 'no array');
like(refused(q{SELECT * FROM distil_run_on_nodes(NULL, 's1')}), qr/command must not be null/, 'NULL');
like(refused(q{SELECT * FROM distil_node_pipelines('s1', NULL)}), qr/name of the server must not be null/, 'NULL');
like(refused(q{SELECT distil_send_model(NULL, 's1')}), qr/name of the model must not be null/, 'NULL');
like(refused(q{SELECT distil_send_model('m', NULL)}), qr/name of the server must not be null/, 'NULL');
like(refused(q{SELECT distil_send_model('nothing', 's1')}), qr/model "nothing" does not exist/, 'no such model');
like(refused(q{SELECT distil_send_model('m@00000000', 's1')}), qr/does not have the content/, 'nor such content');
is(run_sql(qq{SELECT distil_send_model('$pinned', 's1')}), $pinned, 'a name with its content');
like(run_sql(q{SELECT error FROM distil_run_on_nodes('SELECT 1, 2', 's1')}), qr/must have one column/, 'two columns');
like(run_sql(q{SELECT error FROM distil_run_on_nodes('SELEC', 's1')}), qr/syntax error/, 'no statement');
is(run_sql(q{SELECT result, error FROM distil_run_on_nodes('', 's1')}), '|the command gave no result that can be read', 'nothing to run');
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT error FROM distil_run_on_nodes('SELECT 1; SELECT 2; SELECT 1/0', 's1')});
like($out, qr/more than one statement/, 'more than one statement');
is($err, '', 'without messages of dblink');
like(run_sql(q{SELECT error FROM distil_run_on_nodes('SELECT 1; SELECT 1/0', 's1')}), qr/division by zero/, 'the second one fails');
is(run_sql(q{SELECT count(*) FROM distil_check_nodes(VARIADIC '{}')}), 0, 'no nodes');
is(run_sql(q{SELECT count(DISTINCT result) FROM distil_run_on_nodes('SELECT pg_backend_pid()', 's1', 's1')}), 2, 'one twice');
is(run_sql(q{SELECT count(*) FROM distil_run_on_nodes('SELECT 1 WHERE false', 's1', 's2')}), 0, 'no rows');
is(run_sql(q{SELECT count(*) FROM distil_run_on_nodes('SELECT NULL', 's1') WHERE result IS NULL AND error IS NULL}), 1, 'a row of nothing');
my $long = 'long' . 'ä' x 29;
run_sql(qq{ALTER SERVER s1 RENAME TO "$long"});
($rc, $out, $err) = $node->psql('postgres', qq{SELECT result FROM distil_run_on_nodes('SELECT 1', '$long')});
is("$out$err", '1', 'a server with a name of 62 bytes');
run_sql(qq{ALTER SERVER "$long" RENAME TO s1});

# ---- cancelled: at once, and there, too
my $started = time;
like(refused(q{SET statement_timeout = '400ms'; SELECT * FROM distil_run_on_nodes('SELECT pg_sleep(600)', 's1', 's2')}), qr/canceling statement due to statement timeout/, 'a timeout here');
ok($_->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%' AND state = 'active'}), 'ends the work on ' . $_->name) for @shards;
like(refused(q{SET statement_timeout = '400ms'; SELECT * FROM distil_run_on_nodes($$SELECT 1; SELECT repeat('x', 100000) || pg_sleep(600 * (i / 3)) FROM generate_series(1, 3) AS i$$, 's1')}), qr/canceling statement due to statement timeout/, 'in a second statement, too');
ok($shards[0]->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'SELECT 1; SELECT repeat%' AND state = 'active'}), 'which ends');
{
	# a lock there, on what is asked for
	my $locker = $shards[0]->background_psql('postgres');
	my %waits = (
		'distilbert.model' => q{SELECT * FROM distil_check_nodes('s2', 's1')},
		'distilbert.upload_part' => q{SELECT distil_send_model('sent', 's1')});

	load_model($node, 'distilbert-sentiment', 'sent');
	for my $table (sort keys %waits)
	{
		$locker->query_safe("BEGIN; LOCK TABLE $table");
		like(refused("SET statement_timeout = '400ms'; $waits{$table}"), qr/canceling statement due to statement timeout/, 'while it waits there');
		ok($shards[0]->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_locks WHERE NOT granted}), 'which ends');
		$locker->query_safe('ROLLBACK');
	}
	$locker->quit;
	run_sql(q{SELECT distil_drop_model('sent')});
}
ok(time - $started < 300, 'before it would have ended');

# what a node cancels by itself is its error, and no other's
run_sql(q{ALTER SERVER s2 OPTIONS (ADD options '-c statement_timeout=200ms')});
like(run_sql(q{SELECT * FROM distil_run_on_nodes($$SELECT 1 FROM pg_sleep(CASE current_setting('statement_timeout') WHEN '0' THEN 0 ELSE 600 END)$$, 's1', 's2', 's1')}),
	qr/^s1\|1\|\ns2\|\|canceling statement due to statement timeout\ns1\|1\|$/, 'a timeout there');
run_sql('ALTER SERVER s2 OPTIONS (DROP options)');
is(run_sql(q{DO $$ BEGIN PERFORM distil_send_model('m', 'gone'); EXCEPTION WHEN OTHERS THEN NULL; END $$;
	SELECT count(*) FROM distil_run_on_nodes('SELECT 1/0', 's1', 's2'); SELECT dblink_get_connections() IS NULL}), "2\nt", 'no connection is left');

# ---- rights
run_sql(q{CREATE ROLE plain_user LOGIN});
like(refused(q{SET ROLE plain_user; SELECT distil_send_model('m', 's1')}), qr/permission denied for function distil_send_model/, 'models are not for everybody to send');
like(run_sql(q{SET ROLE plain_user; SELECT error FROM distil_run_on_nodes('SELECT 1', 's1')}), qr/^could not connect to server "s1": (?:permission denied for foreign server s1|user mapping not found)/, 'nor servers to ask');
run_sql('CREATE USER MAPPING FOR plain_user SERVER s1');
for my $ask (q{distil_run_on_nodes('SELECT 1', 's1')}, q{distil_node_pipelines('s1')}, q{(SELECT there AS error FROM distil_check_nodes('s1')) AS c})
{
	like(run_sql("SET ROLE plain_user; SELECT error FROM $ask"), qr/^could not connect to server "s1": permission denied for foreign server s1$/, 'a mapping is not enough');
	like(run_sql("GRANT USAGE ON FOREIGN SERVER s1 TO plain_user; SET ROLE plain_user; SELECT error FROM $ask"), qr/^could not connect to server "s1": password .*required: Non-superusers must provide a password/, 'nor the server without a password');
	run_sql('REVOKE USAGE ON FOREIGN SERVER s1 FROM plain_user');
}
run_sql('GRANT USAGE ON FOREIGN SERVER s1 TO plain_user; GRANT EXECUTE ON FUNCTION distil_send_model TO plain_user');
like(refused(q{SET ROLE plain_user; SELECT distil_send_model('m', 's1')}), qr/could not connect to server "s1".*password .*required/s, 'who may send has to have one, too');

# ---- without dblink
run_sql('DROP EXTENSION dblink');
like(refused(q{SELECT * FROM distil_check_nodes('s1')}), qr/extension "dblink" is not installed in this database.*Run CREATE EXTENSION dblink/s, 'dblink is asked for');

alive($_) for ($node, @shards);
done_testing();

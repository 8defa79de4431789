# A preloaded library: statistics and, if asked for, a result cache for the whole
# server, workers included; without it each session has its own.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', conf => <<'CONF');
distilbert.sentiment_model = 's'
parallel_setup_cost = 0
parallel_tuple_cost = 0
CONF

load_model($node, 'distilbert-sentiment', 's');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, 'film ' || i AS body FROM generate_series(1, 3000) AS i;
ANALYZE t;
CREATE ROLE other LOGIN;
GRANT SELECT ON t TO other;
SQL

my $counts = 'SELECT model, rows, texts, cache_hits, errors, counted_in FROM distil_stats';

# each for itself
is($node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; SELECT count(distil_sentiment(body)) FROM t WHERE id <= 10; $counts"),
	"10\ns|10|10|0|0|backend", 'a session counts for itself');
is($node->safe_psql('postgres', $counts), '', 'another session knows nothing of it');
my (undef, undef, $err) = $node->psql('postgres', "SELECT distil_sentiment('good'); SET distilbert.shared_cache_size = '1MB'");
like($err, qr/invalid configuration parameter name/, 'there is no shared cache to be had');

# all together
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'distilbert'\nmax_worker_processes = 8");
$node->restart;
is($node->safe_psql('postgres', $counts), '', 'counts begin with the server');
my $plan = $node->safe_psql('postgres', 'EXPLAIN (ANALYZE, COSTS OFF) SELECT sum(distil_sentiment(body)) FROM t');
like($plan, qr/Parallel Custom Scan \(DistilBatch\)/, 'below a Gather');
like($plan, qr/Workers Launched: [12]/, 'in workers');
like($plan, qr/Distinct Texts: 3000 .*\n.*Tokenizer: \d+\.\d+ ms  Encoder: \d+\.\d+ ms/, 'EXPLAIN has the times');
ok($plan =~ /Encoder: (\S+) ms/ && $1 > 0, 'of all processes');
is($node->safe_psql('postgres', $counts), 's|3000|3000|0|0|server', 'workers and other sessions are counted');
$node->psql('postgres', "SET distilbert.long_text = error; SELECT distil_sentiment(repeat('a ', 1000))");
is($node->safe_psql('postgres', $counts), 's|3001|3000|0|1|server', 'what was rolled back is counted, too');
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', 'CREATE EXTENSION distilbert');
is($node->safe_psql('elsewhere', $counts), '', 'a database shows its own');
$node->safe_psql('postgres', 'SELECT distil_stats_reset()');
is($node->safe_psql('postgres', $counts), '', 'reset');

# an aborted statement in a session that goes on
is($node->safe_psql('postgres', <<"SQL"), "t\ns|2|2|0|0|server", 'counts are reported at the end of transactions');
SELECT distil_sentiment('good') IS NOT NULL AND distil_sentiment('bad') IS NOT NULL;
$counts;
SQL

# the shared cache: of a role, by content, across sessions and workers
$node->append_conf('postgresql.conf', "distilbert.shared_cache_size = '1MB'");
$node->restart;
my $sum = 'SELECT sum(distil_sentiment(body)::numeric) FROM t WHERE id <= 500';
my $expected = $node->safe_psql('postgres', $sum);
is($node->safe_psql('postgres', $counts), 's|500|500|0|0|server', 'the first session computes');
is($node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 0; $sum"), $expected, 'the same answers');
is($node->safe_psql('postgres', $counts), 's|1000|500|500|0|server', 'the second session finds');
is($node->safe_psql('postgres', $sum, extra_params => [ '-U', 'other' ]), $expected, 'another role');
is($node->safe_psql('postgres', $counts), 's|1500|1000|500|0|server', 'finds nothing of it');
is($node->safe_psql('postgres', "SET ROLE other; $sum"), $expected, 'that role again');
is($node->safe_psql('postgres', $counts), 's|2000|1000|1000|0|server', 'by SET ROLE');

# more than there is room for: the ring goes round, old entries are overwritten
is($node->safe_psql('postgres', <<'SQL'), 't|t', 'many results, many times');
SET max_parallel_workers_per_gather = 0;
CREATE TABLE many AS SELECT i % 20000 AS id, distil_sentiment('text ' || i % 20000) AS s FROM generate_series(1, 60000) AS i;
SELECT count(*) = 20000, bool_and(n = 1) FROM (SELECT id, count(DISTINCT s) AS n FROM many GROUP BY id) AS m;
SQL
is($node->safe_psql('postgres', <<'SQL'), '0', 'and embeddings between them');
SELECT count(*) FROM distil_load_model('e', 'bert-sentence') \g /dev/null
CREATE TABLE vectors AS SELECT i, distil_embed('text ' || i, 'e') AS v FROM generate_series(1, 10000) AS i;
SET distilbert.cache_size = '64kB';
SELECT count(*) FROM vectors WHERE v <> distil_embed('text ' || i, 'e') AND i % 7 = 0;
SQL
load_model($node, 'bert-sentiment3', 's');
isnt($node->safe_psql('postgres', $sum), $expected, 'a name with another content finds nothing of the old one');

# an installed model's files are hashed once since the server started
SKIP:
{
	my $read = q{SELECT (regexp_match(pg_read_file('/proc/self/io'), 'rchar: (\d+)'))[1]};
	my $pinned = $node->safe_psql('postgres', q{SELECT name || '@' || left(sha256, 8) FROM distil_models WHERE builtin LIMIT 1});

	skip 'no model is installed, or the system does not tell what was read', 2 unless $pinned && -r '/proc/self/io';
	$node->restart;
	for my $hashed (1, 0)
	{
		my ($before, undef, $after) = split /\n/, $node->safe_psql('postgres', "$read; SELECT distil_token_count('good', '$pinned'); $read");

		is($after - $before > 8 * 1024 * 1024 ? 1 : 0, $hashed, 'the ' . ($hashed ? 'first' : 'second') . ' session that names its content');
	}
}

# progress of loading and packing, for those who want it
my $big = PostgreSQL::Test::Utils::tempdir . '/big';
big_model($big, 40);
(undef, undef, $err) = $node->psql('postgres',
	"SET client_min_messages = debug1; SELECT name FROM distil_load_model('big', '$big'); SELECT distil_embed('good', 'big') IS NOT NULL");
like($err, qr/file "model.safetensors": 16 of 40 MB\n.*32 of 40 MB\n.*40 of 40 MB/s, 'loading tells how far it is');
like($err, qr/packing model "big"/, 'and so does packing');
alive($node);
done_testing();

# Training beside other sessions: cancelled at any moment, by a timeout or from
# outside; with threads; by a role that was granted it; on a standby; what is
# exported is opened by transformers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main', allows_streaming => 1);
my $count = 'SELECT (SELECT count(*) FROM distilbert.model), (SELECT count(*) FROM distilbert.model_chunk)';

load_model($node, $_) for qw(distilbert-base bert-base-cased);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body,
	CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 400) i;
SQL
my $rows = $node->safe_psql('postgres', $count);
my $query = q{'SELECT body, label FROM rows ORDER BY id'};

# A model of some size, so that a step takes a while: one that is installed, whatever it is called.
my ($large, $said) = split /\|/, $node->safe_psql('postgres', q{SELECT name, labels[1] FROM distil_models WHERE builtin AND task = 'sentiment' ORDER BY name LIMIT 1});
my $soups = qq{'SELECT ''soup'' || i, ''$said'' FROM generate_series(1, 100000000) i'};

# Cancelled while rows are read, while it trains, in every part of a step.
my %statement = (
	'reading' => q{SELECT count(*) FROM distil_train('m', 'SELECT repeat(''soup '', 100), i % 2 FROM generate_series(1, 100000000) i', 'distilbert-base')},
	'sleeping in the query' => q{SELECT count(*) FROM distil_train('m', 'SELECT pg_sleep(60)::text, 1', 'distilbert-base')},
	'steps' => qq{SELECT count(*) FROM distil_train('m', $query, '$large', epochs => 10000)},
	'small steps' => qq{SELECT count(*) FROM distil_train('m', $query, 'distilbert-base', epochs => 10000, batch_size => 1)},
	'evaluation' => q{SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows LIMIT 2', 'distilbert-base', epochs => 10000, learning_rate => 0, validation_query => 'SELECT body, label FROM rows, generate_series(1, 100)')},
	'compare' => qq{SELECT count(*) FROM distil_compare('$large', '$large', $soups)},
	'confusion' => qq{SELECT count(*) FROM distil_confusion('$large', $soups)},
	'pretraining' => qq{SELECT count(*) FROM distil_pretrain('m', 'SELECT body FROM rows', '$large', epochs => 10000)},
	'reading a long text' => q{SELECT count(*) FROM distil_pretrain('m', 'SELECT repeat(''soup '', 10000000)', 'distilbert-base')},
	'evaluate' => qq{SELECT count(*) FROM distil_evaluate('$large', $soups)});
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
for my $name (sort keys %statement)
{
	for my $threads (1, 2)
	{
		my ($rc, $out, $err) = $node->psql('postgres',
			"SET client_min_messages = error; SET distilbert.threads = $threads; SET statement_timeout = '400ms'; $statement{$name};");

		like($err, qr/canceling statement due to statement timeout/, "$name, $threads threads: timeout");
	}
	$session->query("SET client_min_messages = fatal; SET statement_timeout = '200ms'");
	$session->query($statement{$name});
	$session->query('RESET statement_timeout');
	is($session->query('SELECT pg_backend_pid()'), $pid, "$name: the session goes on");
}
is($session->query(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'distilbert training'}), '0', 'and holds no memory');
$session->quit;
is($node->safe_psql('postgres', $count), $rows, 'cancelled trainings leave no rows');

# Texts are held as tokens: large ones go through memory a few at a time.
SKIP:
{
	skip 'there is no /proc', 1 unless -e '/proc/self/status';
	$node->safe_psql('postgres', q{CREATE TABLE large AS SELECT repeat('soup ', 100000) AS body, i % 2 AS label FROM generate_series(1, 400) i});
	my $grown = $node->safe_psql('postgres', <<'SQL');
SET client_min_messages = warning;
CREATE FUNCTION peak_kb() RETURNS int LANGUAGE sql AS $$ SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int $$;
CREATE TEMP TABLE peak AS SELECT peak_kb() AS kb FROM distil_train('l', 'SELECT body, label FROM large LIMIT 10', 'distilbert-base', epochs => 1, max_tokens => 8);
DO $$ BEGIN PERFORM distil_train('l', 'SELECT body, label FROM large', 'distilbert-base', epochs => 1, max_tokens => 8, replace => true); END $$;
SELECT (peak_kb() - kb) / 1024 FROM peak;
SQL
	cmp_ok($grown, '<', 60, 'training on 200 MB of texts takes little memory');
}

# The same bits with any number of threads, in one session or another.
sub sha256_of
{
	my ($threads, $options) = @_;

	return $node->safe_psql('postgres', <<"SQL");
SET client_min_messages = warning;
SET distilbert.threads = $threads;
DO \$\$ BEGIN PERFORM distil_train('m', $query, 'distilbert-base', epochs => 2, max_tokens => 8, replace => true $options); END \$\$;
SELECT sha256 FROM distil_models WHERE name = 'm';
SQL
}
my $one = sha256_of(1, '');
is(sha256_of(2, ''), $one, 'two threads give the same model');
is(sha256_of(3, ''), $one, 'three, too');
isnt(sha256_of(1, ', seed => 1'), $one, 'another seed gives another');
isnt(sha256_of(1, ', dropout => 0'), $one, 'as does dropout');

# A role that was granted it trains on what it may read.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE trainer LOGIN;
GRANT EXECUTE ON FUNCTION distil_train TO trainer;
CREATE TABLE mine AS SELECT * FROM rows;
ALTER TABLE mine OWNER TO trainer;
SQL
my ($rc, $out, $err) = $node->psql('postgres', "SELECT distil_train('t', $query, 'distilbert-base')", extra_params => [ '-U', 'trainer' ]);
like($err, qr/permission denied for table rows/, 'what it may not read, it cannot train on');
($rc, $out, $err) = $node->psql('postgres',
	q{SELECT count(*) FROM distil_train('t', 'SELECT body, label FROM mine', 'distilbert-base', epochs => 2)}, extra_params => [ '-U', 'trainer' ]);
is($out, '2', 'its own table it can');
is($node->safe_psql('postgres', q{SELECT loaded_by FROM distilbert.model WHERE name = 't'}), 'trainer', 'the model tells who made it');

# Read-only transactions and standbys train nothing; a trained model answers there.
like(($node->psql('postgres', "SET default_transaction_read_only = on; SELECT distil_train('r', $query, 'distilbert-base')"))[2],
	qr/cannot execute distil_train\(\) in a read-only transaction/, 'read-only transaction');
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
my $says = q{SELECT string_agg(distil_classify(body, 't'), ' ' ORDER BY id) FROM rows WHERE id < 5};
is($standby->safe_psql('postgres', $says), $node->safe_psql('postgres', $says), 'a standby answers with the trained model');
like(($standby->psql('postgres', "SELECT distil_train('r', $query, 'distilbert-base')"))[2],
	qr/cannot execute distil_train\(\) (during recovery|in a read-only transaction)/, 'and trains none');
$standby->stop;

# Two of one name at a time: one of them is refused at the end.
my $first = $node->background_psql('postgres', on_error_stop => 0);
$first->query('SET client_min_messages = warning; BEGIN');
is($first->query("SELECT count(*) FROM distil_train('same', $query, 'distilbert-base', epochs => 1)"), '1', 'one trains');
my $second = $node->background_psql('postgres', on_error_stop => 0);
$second->query('SET client_min_messages = warning');
$second->query_until(qr/started/, "\\echo started\nSELECT distil_train('same', $query, 'distilbert-base', epochs => 1, seed => 2);\n\\echo ended\n");
ok(wait_until($node, q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), 'the other waits to store its model');
$first->query('COMMIT');
$second->query_until(qr/ended/, '');
is($node->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'same'}), '1', 'there is one');
$second->quit;
$first->quit;

# A directory of the exported files, opened by transformers.
SKIP:
{
	skip 'there is no python with transformers', 2
	  if !hf_python();
	for my $base ('distilbert-base', 'bert-base-cased')
	{
		$node->safe_psql('postgres', qq{SET client_min_messages = warning; SELECT count(*) FROM distil_train('x', $query, '$base', epochs => 2, learning_rate => 0.01, replace => true)});
		same_in_transformers($node, 'x', "transformers opens a model trained from $base and says the same");
	}
}
alive($node);
done_testing();

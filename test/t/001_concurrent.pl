# Sessions that query while another replaces, drops and loads the model of one
# name: every statement gets one model's answer or hears that there is none.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE texts AS SELECT i AS id, 'The film was a delight.'::text AS body FROM generate_series(1, 40) i;
CREATE FUNCTION slow_sum() RETURNS TABLE (n bigint, score real) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT count(DISTINCT s), min(s)
		FROM (SELECT distil_sentiment(body, 'm') AS s FROM texts WHERE pg_sleep(0.001)::text IS NOT NULL) x;
END $$;
SQL

my %score;
for my $fixture ('distilbert-sentiment', 'bert-sentiment3')
{
	load_model($node, $fixture, 'm');
	$score{ $node->safe_psql('postgres', "SELECT distil_sentiment(body, 'm') FROM texts LIMIT 1") } = $fixture;
}
is(scalar(keys %score), 2, 'the two models differ');

my $changes = join('', map { <<"SQL" } 1 .. 40);
SELECT name FROM distil_load_model('m', 'distilbert-sentiment', replace => true);
SELECT pg_sleep(0.01);
SELECT name FROM distil_load_model('m', 'bert-sentiment3', replace => true);
SELECT pg_sleep(0.01);
SELECT distil_drop_model('m');
BEGIN;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
ROLLBACK;
SELECT name FROM distil_load_model('m', 'bert-sentiment3');
SQL

# Each query gives lines "number of different scores|score".
my %query = (
	'rows of a table' => <<'SQL',
SELECT count(DISTINCT s), min(s) FROM (SELECT distil_sentiment(body, 'm') AS s FROM texts WHERE pg_sleep(0.001)::text IS NOT NULL) x;
SQL
	'two calls in a statement, one after the other' => <<'SQL',
SET max_parallel_workers_per_gather = 0;
SELECT count(DISTINCT s), min(s) FROM (SELECT distil_sentiment(body, 'm') AS s FROM texts WHERE pg_sleep(0.003)::text IS NOT NULL
	UNION ALL SELECT (distil_sentiment(ARRAY[body], 'm'))[1] FROM texts) x;
RESET max_parallel_workers_per_gather;
SQL
	'plpgsql' => "SELECT * FROM slow_sum();\n",
	'parallel workers' => <<'SQL',
SELECT count(DISTINCT s), min(s) FROM (SELECT distil_sentiment(body, 'm') AS s FROM texts WHERE clock_timestamp() IS NOT NULL) x;
SQL
	'prepared' => "EXECUTE p;\n");
my $setup = <<'SQL';
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
PREPARE p AS SELECT count(DISTINCT s), min(s) FROM (SELECT distil_sentiment(body, 'm') AS s FROM texts) x;
SQL

my $dir = PostgreSQL::Test::Utils::tempdir;
append_to_file("$dir/changes.sql", $changes);
my @psql = ('psql', '-XAtq', '-d', $node->connstr('postgres'));
my $writer_err = '';
my $writer = IPC::Run::start([ @psql, '-v', 'ON_ERROR_STOP=1', '-f', "$dir/changes.sql" ],
	'<', '/dev/null', '>', '/dev/null', '2>', \$writer_err);

my (%seen, %errors, $mixed, $statements, $broken);
my $script = $setup . join('', map { join('', values %query) } 1 .. 5);
do
{
	my ($out, $err) = ('', '');

	IPC::Run::run([@psql], '<', \$script, '>', \$out, '2>', \$err) or $broken .= $err;
	for my $line (split /\n/, $out)
	{
		my ($different, $one) = split /\|/, $line;

		$statements++;
		$mixed .= "$line\n" if $different != 1 || !$score{$one};
		$seen{ $score{$one} // 'other' }++;
	}
	$errors{$_}++ for $err =~ /ERROR:\s+(.*)/g;
	$writer->pump_nb;
} while ($writer->pumpable);
ok($writer->finish, 'the writer came through') or diag($writer_err);

is($broken // '', '', 'every reading session ended well');
is($mixed // '', '', 'no statement mixed two models');
note(explain({ %seen, statements => $statements }));
ok($seen{'bert-sentiment3'}, 'readers saw one model');
ok($seen{'distilbert-sentiment'}, 'and the other');
is_deeply([ grep { $_ !~ /^model "m" does not exist/ } keys %errors ], [], 'errors say that the model does not exist');
alive($node);

# A statement that began before a drop may have made the dropped model's pack again;
# unfinished files are never left.
my @packs = packs($node);
cmp_ok(scalar(@packs), '<=', 2, 'no more packs than models');
is_deeply([ grep { !/\.pack$/ } @packs ], [], 'and no other files');
$node->stop;
done_testing();

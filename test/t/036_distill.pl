# Distillation beside other sessions: cancelled at any moment; with threads; in a
# read-only transaction; resumed; what is exported is opened by transformers.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
load_model($node, $_) for qw(distilbert-sentiment bert-sentiment3 distilbert-base distilbert-mlm);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows AS SELECT i AS id, CASE i % 2 WHEN 0 THEN 'warm soup ' ELSE 'a long film ' END || i AS body FROM generate_series(1, 300) i;
SQL
my $count = 'SELECT (SELECT count(*) FROM distilbert.model), (SELECT count(*) FROM distilbert.model_chunk)';
my $files = q{SELECT count(*) FROM pg_ls_tmpdir()};
my $rows = $node->safe_psql('postgres', $count);
my $query = q{'SELECT body FROM rows ORDER BY id'};

# A model of some size, so that a step takes a while: one that is installed, whatever it is called.
my $large = $node->safe_psql('postgres', q{SELECT name FROM distil_models WHERE builtin AND task = 'sentiment' ORDER BY name LIMIT 1});

# Cancelled while the teacher reads, while the student learns; no model, file or memory remains.
my %statement = (
	'teacher' => qq{SELECT count(*) FROM distil_distill('m', '$large', 'SELECT repeat(''soup and film '', 60) || i FROM generate_series(1, 20000) i')},
	'student' => qq{SELECT count(*) FROM distil_distill('m', '$large', $query, epochs => 10000)},
	'small steps' => qq{SELECT count(*) FROM distil_distill('m', 'distilbert-sentiment', $query, epochs => 10000, batch_size => 1, alpha_hidden => 1)},
	'masks' => qq{SELECT count(*) FROM distil_distill('m', 'distilbert-mlm', $query, epochs => 10000)},
	'masks, teacher' => q{SELECT count(*) FROM distil_distill('m', 'distilbert-mlm', 'SELECT repeat(''soup and film '', 60) || i FROM generate_series(1, 30000) i')});
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
for my $name (sort keys %statement)
{
	for my $threads (1, 2)
	{
		my ($rc, $out, $err) = $node->psql('postgres',
			"SET client_min_messages = error; SET distilbert.threads = $threads; SET statement_timeout = '900ms'; $statement{$name};");

		like($err, qr/canceling statement due to statement timeout/, "$name, $threads threads: timeout");
	}
	$session->query("SET client_min_messages = fatal; SET statement_timeout = '900ms'");
	$session->query($statement{$name});
	$session->query('RESET statement_timeout');
	is($session->query('SELECT pg_backend_pid()'), $pid, "$name: the session goes on");
}
is($session->query(q{SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'distilbert t%'}), '0', 'and holds no memory');
$session->quit;
is($node->safe_psql('postgres', $count), $rows, 'cancelled distillations leave no rows');
is($node->safe_psql('postgres', $files), '0', 'and no temporary files');

# The same bits with any number of threads.
sub sha256_of
{
	my ($threads, $options, $teacher) = @_;

	$teacher //= 'distilbert-sentiment';

	return $node->safe_psql('postgres', <<"SQL");
SET client_min_messages = warning;
SET distilbert.threads = $threads;
DO \$\$ BEGIN PERFORM distil_distill('m', '$teacher', $query, epochs => 2, alpha_hidden => 1, replace => true $options); END \$\$;
SELECT sha256 FROM distil_models WHERE name = 'm';
SQL
}
my $one = sha256_of(1, '');
is(sha256_of(2, ''), $one, 'two threads give the same student');
isnt(sha256_of(1, ', temperature => 5'), $one, 'another temperature another');
is($node->safe_psql('postgres', $files), '0', 'no temporary file remains');
is(sha256_of(1, ', hidden => 16, alpha_attention => 1'), sha256_of(2, ', hidden => 16, alpha_attention => 1'), 'a narrow one, too');
is(sha256_of(1, '', 'distilbert-mlm'), sha256_of(2, '', 'distilbert-mlm'), 'and one that fills masks');

like(($node->psql('postgres', "SET default_transaction_read_only = on; SELECT distil_distill('r', 'distilbert-sentiment', $query)"))[2],
	qr/cannot execute distil_distill\(\) in a read-only transaction/, 'read-only transaction');
like(($node->psql('postgres', "SET temp_file_limit = 0; SELECT distil_distill('r', 'distilbert-sentiment', $query)"))[2],
	qr/temporary file size exceeds "?temp_file_limit/, 'temp_file_limit holds');

# A directory of the exported files, opened by transformers.
SKIP:
{
	skip 'there is no python with transformers', 3
	  if !hf_python();
	for my $options ('layers => 1', 'hidden => 16', q{base => 'distilbert-base', layers => 1})
	{
		$node->safe_psql('postgres', qq{SET client_min_messages = warning; SELECT count(*) FROM distil_distill('x', 'bert-sentiment3', $query, $options, epochs => 2, learning_rate => 0.01, replace => true)});
		same_in_transformers($node, 'x', "transformers opens a student ($options) and says the same");
	}
}
alive($node);
done_testing();

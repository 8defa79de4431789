# What is rolled back leaves nothing: no row, no chunk, no pack, no answer.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $count = 'SELECT (SELECT count(*) FROM distilbert.model), (SELECT count(*) FROM distilbert.model_chunk)';

sub run_in_one_session
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, on_error_stop => 0);

	return ($out, $err);
}

sub nothing_left
{
	my ($name) = @_;

	is($node->safe_psql('postgres', $count), '0|0', "$name: no rows");
	is_deeply([ packs($node) ], [], "$name: no packs");
}

my ($out, $err) = run_in_one_session(<<'SQL');
BEGIN;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
SELECT count(*) FROM distil_models WHERE name = 'm';
ROLLBACK;
SELECT distil_sentiment('warm', 'm');
SQL
is($out, "m\nt\n1", 'a model is usable in the transaction that loads it');
like($err, qr/model "m" does not exist/, 'and gone with it');
nothing_left('ROLLBACK');

($out, $err) = run_in_one_session(<<'SQL');
BEGIN;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
SELECT 1/0;
COMMIT;
SQL
like($err, qr/division by zero/, 'an error later in the transaction');
nothing_left('error');

($out, $err) = run_in_one_session(<<'SQL');
BEGIN;
SAVEPOINT a;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
ROLLBACK TO a;
SELECT name FROM distil_load_model('m', 'bert-sentiment3');
SELECT distil_classify('warm', 'm') IN ('positive', 'neutral', 'negative');
SAVEPOINT b;
SELECT name FROM distil_load_model('m', 'distilbert-stars', replace => true);
SELECT distil_classify('warm', 'm') LIKE '%star%';
ROLLBACK TO b;
SELECT distil_classify('warm', 'm') IN ('positive', 'neutral', 'negative');
SAVEPOINT c;
SELECT distil_drop_model('m');
SELECT distil_classify('warm', 'm');
ROLLBACK TO c;
SELECT distil_classify('warm', 'm') IN ('positive', 'neutral', 'negative');
ROLLBACK;
SQL
is($out, "m\nt\nm\nt\nm\nt\nt\nt\nt", 'savepoints: each part sees its own model');
like($err, qr/model "m" does not exist/, 'a drop in a subtransaction is seen at once');
nothing_left('savepoints');

# A committed savepoint in a rolled back transaction, and the other way round.
run_in_one_session(<<'SQL');
BEGIN;
SAVEPOINT a;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
RELEASE a;
ROLLBACK;
SQL
nothing_left('released savepoint, rolled back');

($out) = run_in_one_session(<<'SQL');
BEGIN;
SAVEPOINT a;
SELECT name FROM distil_load_model('lost', 'distilbert-stars');
SELECT distil_classify('warm', 'lost') LIKE '%star%';
ROLLBACK TO a;
SELECT name FROM distil_load_model('m', 'distilbert-sentiment');
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
COMMIT;
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
SQL
is($out, "lost\nt\nm\nt\nt", 'rolled back savepoint, committed');
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT name, ' ') FROM distilbert.model}), 'm', 'one model stays');
is(scalar(() = packs($node)), 1, 'with one pack');

# A replacement rolled back leaves the old content; a failed load keeps it too.
my $before = answers($node, 'm');
my @packs = packs($node);
run_in_one_session(<<'SQL');
BEGIN;
SELECT name FROM distil_load_model('m', 'bert-sentiment3', replace => true);
SELECT distil_sentiment('warm', 'm') IS NOT NULL;
ROLLBACK;
SQL
is(answers($node, 'm'), $before, 'a replacement rolled back');
is_deeply([ packs($node) ], \@packs, 'the same packs as before');
run_in_one_session(q{BEGIN; SELECT distil_drop_model('m'); ROLLBACK;});
is(answers($node, 'm'), $before, 'a drop rolled back');
is_deeply([ packs($node) ], \@packs, 'its pack is still there');

($out, $err) = run_in_one_session(q{SELECT name FROM distil_load_model('m', 'bert-sentiment3')});
like($err, qr/already exists/, 'another content under a used name is refused');
($out, $err) = run_in_one_session(q{SELECT name FROM distil_load_model('m', 'distilbert-sentiment')});
is($out, 'm', 'the same content again is no error');
($out, $err) = run_in_one_session(q{SELECT name FROM distil_load_model('m', 'no-such-folder', replace => true)});
like($err, qr/ERROR/, 'a load that fails');
is(answers($node, 'm'), $before, 'leaves the model that was there');

# A function that catches the error, in a loop: subtransactions must not leak.
($out, $err) = run_in_one_session(<<'SQL');
DO $$
BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN
			PERFORM distil_load_model('n', 'bert-sentiment3');
			PERFORM distil_sentiment('warm', 'n');
			RAISE EXCEPTION 'no';
		EXCEPTION WHEN raise_exception THEN NULL;
		END;
	END LOOP;
END $$;
SQL
is($err, '', 'loads in a loop of subtransactions');
is_deeply([ packs($node) ], \@packs, 'leave no packs');

# Dropped and committed: the pack goes; two names of one content share it.
$node->safe_psql('postgres', q{SELECT distil_load_model('again', 'distilbert-sentiment')});
is(answers($node, 'again'), $before, 'the same content under two names');
is_deeply([ packs($node) ], \@packs, 'has one pack');
$node->safe_psql('postgres', q{SELECT distil_drop_model('m')});
is(answers($node, 'again'), $before, 'one name dropped, the other answers');
$node->safe_psql('postgres', q{SELECT distil_drop_model('again')});
nothing_left('both dropped');
alive($node);
done_testing();

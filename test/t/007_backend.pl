# A backend is the same after our calls: one thread, floating point as it was,
# the environment untouched, memory bounded.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no /proc' unless -r '/proc/self/status';

my $node = new_node('main');
load_model($node, $_) for qw(distilbert-sentiment bert-ner bert-sentence distilbert-multilabel);
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');

sub status
{
	my ($field) = @_;

	return slurp_file("/proc/$pid/status") =~ /^$field:\s+(\d+)/m ? $1 : die "no $field";
}

# The program inherits the backend's environment.
my $environment = q{CREATE TEMP TABLE e (line text); COPY e FROM PROGRAM 'env | grep -v "^_="';
	SELECT string_agg(line, ' ' ORDER BY line) FROM e; DROP TABLE e;};
my $floats = q{SELECT x * 0.5 > 0, x * 3, 0.1::float8 + 0.2, 1 / 3::float4, sqrt(2), exp(-700::float8) * 1e-15 FROM (VALUES (1e-310::float8)) v (x)};
my $tasks = q{SELECT distil_sentiment('The film was a delight ' || i, 'distilbert-sentiment'), distil_classify('warm ' || i, 'distilbert-multilabel'),
	distil_embed('Berlin ' || i, 'bert-sentence'), (SELECT count(*) FROM distil_entities('Anna Keller works in Berlin ' || i, 'bert-ner')),
	distil_token_count('cold soup ' || i, 'bert-ner'), distil_sentiment(ARRAY['a', NULL, 'b ' || i], 'distilbert-sentiment')
	FROM generate_series(%d, %d) i};
my $calls = sub { return "SELECT count(*) FROM (" . sprintf($tasks, @_) . ' OFFSET 0) x' };

my ($before_env, $before_floats, $before_threads) = ($session->query_safe($environment), $session->query_safe($floats), status('Threads'));
like($before_env, qr/PATH=/, 'the environment can be seen');
like($before_floats, qr/^t\|/, 'small numbers are there before');
is($before_threads, 1, 'one thread before');

is($session->query_safe($calls->(1, 50)), '50', 'all tasks run');
is(status('Threads'), 1, 'one thread after');
is($session->query_safe($floats), $before_floats, 'floating point as before');
is($session->query_safe($environment), $before_env, 'the environment as before');

# Memory: warm up, then many times as many calls.
sub contexts
{
	return $session->query_safe('SELECT sum(total_bytes) FROM pg_backend_memory_contexts');
}

# $work is done once to warm up and then $times; both measures may grow a little.
sub bounded
{
	my ($name, $work, $times) = @_;
	my ($rss, $total);

	for my $i (0 .. $times)
	{
		$session->query($work->($i));
		($rss, $total) = (status('RssAnon'), contexts()) if $i == 0;
	}
	my ($more_rss, $more_total) = (status('RssAnon') - $rss, contexts() - $total);
	note("$name: resident memory grew by $more_rss kB, contexts by $more_total bytes");
	cmp_ok($more_rss, '<', 6000, "$name: resident memory is bounded");
	cmp_ok($more_total, '<', 1000000, "$name: memory contexts are bounded");
	return;
}

bounded('calls in many rows', sub { $calls->($_[0] * 1000, $_[0] * 1000 + 999) }, 20);
bounded('many statements', sub { join(' ', map { "SELECT distil_sentiment('warm $_', 'distilbert-sentiment');" } 1 .. 200) }, 20);
bounded('a loop in plpgsql', sub { q{DO $$ DECLARE s real; n text; BEGIN
	FOR i IN 1 .. 2000 LOOP
		s := distil_sentiment('warm ' || i, 'distilbert-sentiment');
		n := distil_classify('warm ' || i, 'distilbert-multilabel');
	END LOOP; END $$} }, 10);
bounded('errors', sub { q{DO $$ BEGIN
	FOR i IN 1 .. 300 LOOP
		BEGIN PERFORM distil_sentiment(repeat('long text ', 500) || i, 'distilbert-sentiment', 'error'); EXCEPTION WHEN others THEN NULL; END;
		BEGIN PERFORM distil_sentiment('x', 'no-such-model'); EXCEPTION WHEN others THEN NULL; END;
		BEGIN PERFORM distil_sentiment('x', 'bert-ner'); EXCEPTION WHEN others THEN NULL; END;
		BEGIN PERFORM distil_entities('x', 'bert-ner', 'no-such-strategy'); EXCEPTION WHEN others THEN NULL; END;
	END LOOP; END $$} }, 8);
bounded('loads and drops', sub { q{DO $$ BEGIN
	FOR i IN 1 .. 5 LOOP
		PERFORM distil_load_model('x', 'distilbert-stars');
		PERFORM distil_classify('warm', 'x');
		PERFORM distil_drop_model('x');
	END LOOP; END $$} }, 10);
bounded('loads that fail', sub { q{DO $$ BEGIN
	FOR i IN 1 .. 20 LOOP
		BEGIN PERFORM distil_load_model('x', 'bert-ner', 'classify'); EXCEPTION WHEN others THEN NULL; END;
		BEGIN PERFORM distil_load_model('x', 'no-such-folder'); EXCEPTION WHEN others THEN NULL; END;
	END LOOP; END $$} }, 10);
bounded('an index', sub { q{CREATE TEMP TABLE t AS SELECT 'warm ' || i AS body FROM generate_series(1, 500) i;
	CREATE INDEX ON t (distil_sentiment(body, 'distilbert-sentiment')); DROP TABLE t} }, 8);

# Replaced models do not stay mapped.
for my $i (1 .. 20)
{
	load_model($node, $i % 2 ? 'distilbert-stars' : 'bert-sentiment3', 'm');
	$session->query_safe(q{SELECT distil_classify('warm', 'm')});
}
my $maps = () = slurp_file("/proc/$pid/maps") =~ m{/distilbert/[^\n]*pack}g;
cmp_ok($maps, '<=', 10, 'replaced models are unmapped');
my @files = glob("/proc/$pid/fd/*");
cmp_ok(scalar(@files), '<', 100, 'and no files stay open');

# Thousands of rows from one call, each with the whole text: none is left behind while it runs.
load_model($node, 'bert-mlm');
my $fills = q{SELECT count(*) FROM distil_fill_mask('[MASK] [MASK] [MASK] [MASK]' || repeat(' film', 15000), 'bert-mlm', %d)};
$session->query_safe(sprintf($fills, 1));
my $peak = status('VmHWM');
cmp_ok($session->query_safe(sprintf($fills, 1000)), '>', 1000, 'many rows of distil_fill_mask');
cmp_ok(status('VmHWM') - $peak, '<', 30000, 'take little memory');

# A warning would tell of a leaked snapshot, buffer or file.
unlike(slurp_file($node->logfile), qr/WARNING/, 'no warnings in the log');
is(status('Threads'), 1, 'still one thread');
is($session->query_safe($floats), $before_floats, 'floating point still as before');
$session->quit;
alive($node);
done_testing();

# A text of 8,192 tokens takes the memory that distilbert.max_memory counts: a
# limit a tenth above what it takes lets it pass, one a tenth below refuses it
# before it is run, and the process itself grows by no more than a tenth over it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir . '/long';
mkdir $dir or die "$dir: $!";
for my $file (qw(config.json model.safetensors tokenizer.json tokenizer_config.json))
{
	my $text = slurp_file(fixtures() . "/modernbert-base/$file");

	$text =~ s/("(?:max_position_embeddings|model_max_length)": )64/${1}8192/;
	append_to_file("$dir/$file", $text);
}

my $node = new_node('main');
$node->safe_psql('postgres', <<"SQL");
SELECT distil_load_model('long', '$dir');
SELECT distil_embed('warm', 'long');
CREATE TABLE texts AS SELECT repeat('warm ', 8188) AS body;
CREATE FUNCTION counted() RETURNS bigint LANGUAGE sql AS
	\$\$ SELECT sum(total_bytes)::bigint / 1024 FROM pg_backend_memory_contexts WHERE name = 'distilbert model' \$\$;
SQL
is($node->safe_psql('postgres', q{SELECT distil_token_count(body, 'long') FROM texts}), 8190, 'tokens');

my $ask = q{SELECT md5(distil_embed(body, 'long')::text) FROM texts};
my $session = $node->background_psql('postgres');
my $pid = $session->query('SELECT pg_backend_pid()');

# kB of the process's own
sub own
{
	my $status = -r "/proc/$pid/status" ? slurp_file("/proc/$pid/status") : '';

	return $status =~ /^RssAnon:\s+(\d+) kB/m ? $1 : 0;
}

$session->query(q{SELECT distil_embed('warm', 'long')});
my $before = own();
my $said = $session->query($ask);
my $counted = $session->query('SELECT counted()');
my $grown = own() - $before;
$session->quit;
note("counted $counted kB, the process grew by $grown kB");
cmp_ok($counted, '>', 4096, 'more than a short text takes');
SKIP:
{
	skip 'no /proc/PID/status', 1 if $before == 0;
	cmp_ok($grown, '<=', 1.1 * $counted, 'the process has no more than is counted');
}

is($node->safe_psql('postgres', 'SET distilbert.max_memory = ' . int(1.1 * $counted) . "; $ask"), $said, 'a limit above');
my ($rc, $out, $err) = $node->psql('postgres', 'SET distilbert.max_memory = ' . int(0.9 * $counted) . "; $ask");
like($err, qr/models need more memory than "distilbert.max_memory" allows/, 'a limit below');
alive($node);
done_testing();

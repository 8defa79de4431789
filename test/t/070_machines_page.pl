# doc/machines.md on private servers: its blocks run where the comment before each says,
# and their output is what stands there.
#
# The page's servers are node1, node2, coordinator, source and inference; each host name
# becomes one of three servers here.  A comment "wait on server: query" waits until it is true.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Basename;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};
my $page = slurp_file(dirname($ENV{README}) . '/doc/machines.md');

my %options = (allows_streaming => 'logical', conf => "distilbert.pipeline_naptime = '20ms'\n");
my @servers = map { new_node($_, %options) } qw(one two three);
plan skip_all => 'no model is installed'
  if $servers[0]->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'sentiment-en-v1'}) eq '0';

# Where each of the page's servers is: a server here and a database.
my %place = (
	node1 => [ $servers[0], 'shop' ], node2 => [ $servers[1], 'shop' ], coordinator => [ $servers[2], 'shop' ],
	source => [ $servers[0], 'docs' ], inference => [ $servers[1], 'docs' ]);
$_->[0]->safe_psql('postgres', "CREATE DATABASE $_->[1]") for values %place;

# The page's host names as they are here.
sub here
{
	my ($sql) = @_;

	for my $name (keys %place)
	{
		my ($host, $port) = ($place{$name}[0]->host, $place{$name}[0]->port);

		$sql =~ s/\bhost '$name'/host '$host', port '$port'/g;
		$sql =~ s/\bhost=$name\b/host=$host port=$port/g;
	}
	return $sql;
}

sub run_on
{
	my ($where, $sql) = @_;
	my $out = '';

	IPC::Run::run([ 'psql', '-Xq', '-v', 'VERBOSITY=terse', '-d', $place{$where}[0]->connstr($place{$where}[1]) ], '<', \here($sql), '>&', \$out);
	$out =~ s/[ \t]+$//mg;
	$out =~ s/\n+\z/\n/;
	return $out;
}

my $fence = '```';
my $blocks = () = $page =~ /^${fence}sql$/mg;
while ($page =~ /<!-- wait on (\w+): ([^\n]*) -->\n|<!-- not run here, but by test[^\n]*: ([^\n]*) -->\n${fence}sql\n(.*?)^$fence\n(?:$fence\n(.*?)^$fence\n)?/smg)
{
	my ($waits, $query, $where, $sql, $output) = ($1, $2, $3, $4, $5);

	if ($waits)
	{
		ok($place{$waits}[0]->poll_query_until($place{$waits}[1], $query), "wait on $waits");
		next;
	}
	my $errors = $where =~ s/ errors$//;
	$blocks--;
	for my $server (split / /, $where)
	{
		my $got = run_on($server, $sql);

		unlike($got, qr/^(?:psql:\S+ )?(?:ERROR|WARNING|FATAL)/m, "$server: " . (split /\n/, $sql)[0]) unless $errors;
		$got =~ s/^psql:\S+ //mg;
		is($got, $output, 'and its output') if defined $output;
	}
}

is($blocks, 0, 'every block of the page was run');

# ---- what the page says of standbys
my $primary = $servers[0];
my $standby = PostgreSQL::Test::Cluster->new('standby');
$primary->backup('copy');
$standby->init_from_backup($primary, 'copy', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'hot_standby_feedback = on');
$standby->start;
$primary->wait_for_catchup($standby);
my $answers = "SELECT string_agg(distil_sentiment(body, 'reviewer')::text, ',' ORDER BY id) FROM docs";
is($standby->safe_psql('docs', $answers), $primary->safe_psql('docs', $answers), 'a standby answers the same');
is($primary->poll_query_until('postgres', 'SELECT backend_xmin IS NOT NULL FROM pg_stat_replication WHERE application_name = \'standby\''), 1,
	'and tells what it reads');

$standby->stop;
alive($_) for @servers;
done_testing();

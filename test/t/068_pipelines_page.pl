# doc/pipelines.md across its dump and restore: what stands before it runs in one database, what stands behind it in the restored one.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Basename;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};
my $node = new_node('main');
my ($before, $commands, $behind) = slurp_file(dirname($ENV{README}) . '/doc/pipelines.md') =~ /\A(.*)^```sh\n(.*?)^```\n(.*)\z/sm;
my $folder = PostgreSQL::Test::Utils::tempdir;

# A part's queries, and what stands behind each that has an output.
sub check_part
{
	my ($db, $part) = @_;

	while ($part =~ /^```sql\n(.*?)^```\n(?:```\n(.*?)^```\n)?|^<!-- setup\n(.*?)^-->\n/smg)
	{
		my ($sql, $wanted, $setup) = ($1, $2, $3);
		my ($out, $err) = ('', '');

		IPC::Run::run([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($db), '-f', '-' ], '<', \($setup // $sql), '>', \$out, '2>', \$err);
		s/ +$//mg, s/\n+\z//, s/^-+\+?.*$//mg for $out, ($wanted //= '');
		next if $setup;
		unlike($err, qr/ERROR/, (split /\n/, $sql)[0]);
		is($out, $wanted, 'and its output') if $wanted ne '';
	}
}

$node->safe_psql('postgres', 'CREATE DATABASE shop');
check_part('shop', $before);
local $ENV{PGHOST} = $node->host;
local $ENV{PGPORT} = $node->port;
is(system("cd '$folder' && set -e && $commands"), 0, 'dump and restore');
check_part('new', $behind);
alive($node);
done_testing();

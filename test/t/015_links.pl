# Links of README.md, of doc/ and of the other pages in Markdown: each relative one leads
# to a file or folder, with a "#" to a heading of the page.
use strict;
use warnings;
use Cwd;
use File::Basename;
use File::Find;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};
my $root = Cwd::abs_path(dirname($ENV{README}));

# A page without its blocks of code, and without code in lines if told.
sub page_text
{
	my ($file, $plain) = @_;

	open(my $in, '<:encoding(UTF-8)', $file) or die "$file: $!";
	my $text = do { local $/; <$in> };
	$text =~ s/^```.*?^```$//msg;
	$text =~ s/`[^`\n]*`//g if $plain;
	return $text;
}

# Anchors as GitHub makes them: a heading that stands there again gets a number.
my %anchors;

sub anchors_of
{
	my ($file) = @_;

	return $anchors{$file} if $anchors{$file};
	my (%found, %times);
	for my $heading (page_text($file, 0) =~ /^#+ (.*?)\s*$/mg)
	{
		my $anchor = lc $heading;

		$anchor =~ s/\[([^\]]*)\]\([^)]*\)/$1/g;
		$anchor =~ s/[^\w -]//g;
		$anchor =~ tr/ /-/;
		my $before = $times{$anchor}++;
		$found{ $before ? "$anchor-$before" : $anchor } = 1;
	}
	return $anchors{$file} = \%found;
}

# Why a link from a page leads nowhere; undef if it does lead somewhere.
sub broken
{
	my ($page, $link) = @_;
	my ($path, $anchor) = $link =~ /^([^#]*)#?(.*)/;
	my $file = $path eq '' ? $page : dirname($page) . "/$path";

	return 'no such file' unless -e $file;
	return undef if $anchor eq '';
	return 'no such heading' unless -f $file && anchors_of(Cwd::abs_path($file))->{$anchor};
	return undef;
}

my @pages;
find({ no_chdir => 1, wanted => sub { push @pages, $_ if /\.md$/ } }, $root);
for my $page (sort @pages)
{
	my @links = grep { !/^[a-z]+:/ } page_text($page, 1) =~ /\]\(([^)\s]+)\)/g;
	my @wrong = grep { $_ } map { my $why = broken($page, $_); $why && "$_: $why" } @links;

	is(join("\n", @wrong), '', 'links of ' . substr($page, length($root) + 1));
}
# a page out of reach would pass
isnt(scalar(grep { /\/doc\/\w+\.md$/ } @pages), 0, 'pages of doc are there');
done_testing();

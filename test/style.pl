# style.pl -- lengths in src: of functions, files and lines.  Prints "ok - ..." or
# "not ok - ..." for each rule, and before it what breaks it.  For layers.sh.
#
# A tab is worth four columns.  A line that holds nothing but a comment is a
# comment line and has 80 columns; a line with code on it has 100, a comment
# behind the code included.
use strict;
use warnings;
use open qw(:std :encoding(UTF-8));

use constant {
	FUNCTION_LINES => 60,
	FILE_LINES => 600,
	CODE_COLUMNS => 100,
	COMMENT_COLUMNS => 80,
};

sub columns
{
	my ($line) = @_;

	1 while $line =~ s/^([^\t]*)\t/$1 . ' ' x (4 - length($1) % 4)/e;
	return length $line;
}

# The text without comments: every comment is a blank, its line ends stay.  Strings
# and characters are stepped over, so that a slash and a star in them open nothing.
sub without_comments
{
	my ($text) = @_;

	$text =~ s{("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(/\*.*?\*/|//[^\n]*)}
		{ defined $1 ? $1 : blank($2) }gse;
	return $text;
}

sub blank { my ($comment) = @_; $comment =~ s/[^\n]+/ /g; return $comment }

# [name, line, lines] of each function.  Its body begins with a brace in the first
# column and ends with one that nothing follows (a structure's has a semicolon);
# the lines are counted from the one with its type.
sub functions
{
	my @lines = @_;
	my ($head, $body, @found);

	for my $i (0 .. $#lines)
	{
		local $_ = $lines[$i];
		if (!defined $body)
		{
			if (/^\{/) { $body = $i }
			elsif (/^\s*$|^#|[;}]\s*$/) { undef $head }
			elsif (/^\w/) { $head //= $i }
		}
		elsif (/^\}/)
		{
			push @found, [ name_of(@lines[ $head .. $body ]), $head + 1, $i - $head + 1 ]
			  if /^\}\s*$/ && defined $head;
			undef $_ for $head, $body;
		}
	}
	return @found;
}

sub name_of { return join(' ', @_) =~ /(\w+)\s*\(/ ? $1 : '?' }

my %broken = map { $_ => [] } qw(function file code comment);

for my $file (@ARGV)
{
	open(my $f, '<', $file) or die "$file: $!\n";
	my $text = do { local $/; <$f> };
	my @lines = split /\n/, $text;
	my @code = split /\n/, without_comments($text), -1;

	push @{ $broken{file} }, "$file: " . @lines . ' lines' if @lines > FILE_LINES;
	for (grep { $_->[2] > FUNCTION_LINES } functions(@code))
	{
		push @{ $broken{function} }, "$file:$_->[1]: $_->[0] has $_->[2] lines";
	}
	for my $i (0 .. $#lines)
	{
		my $columns = columns($lines[$i]);
		my $kind = $code[$i] =~ /\S/ ? 'code' : 'comment';

		push @{ $broken{$kind} }, "$file:" . ($i + 1) . ": $columns columns"
		  if $columns > ($kind eq 'code' ? CODE_COLUMNS : COMMENT_COLUMNS);
	}
}

my $failed = 0;
sub rule
{
	my ($name, @broken) = @_;

	print map { "  $_\n" } @broken;
	print @broken ? 'not ok' : 'ok', " - $name\n";
	$failed ||= @broken;
	return;
}

rule('no function has more than ' . FUNCTION_LINES . ' lines', @{ $broken{function} });
rule('no file has more than ' . FILE_LINES . ' lines', @{ $broken{file} });
rule('no line of code has more than ' . CODE_COLUMNS . ' columns', @{ $broken{code} });
rule('no line of a comment has more than ' . COMMENT_COLUMNS . ' columns', @{ $broken{comment} });
exit($failed ? 1 : 0);

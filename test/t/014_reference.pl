# doc/reference.md is complete: functions with their options and columns, views, settings
# with their defaults; nothing that any page names is gone.  Every object of the
# extension has a comment, every setting a description.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'README is not given' unless $ENV{README};
my $doc = dirname($ENV{README}) . '/doc';
my $reference = slurp_file("$doc/reference.md");
my $pages = join("\n", map { slurp_file($_) } $ENV{README}, sort glob "$doc/*.md");

# preloaded, as one setting is there only then; all settings at their defaults
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'distilbert'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION distilbert');

sub rows { return map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('postgres', $_[0]) }

# The reference's table row that begins with this text in backquotes.
sub table_row
{
	my ($begin) = @_;

	return (grep { /^\|[^|]*`\Q$begin\E/ } split /\n/, $reference)[0] // '';
}

my $member = q{d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND
	d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'distilbert')};

# Functions: users may call all but those of type internal, and triggers of the extension's own.
# Options and columns stand in the row; of a row with "..." on any page in backquotes, of
# a function behind a view with the view.
my %known;
for my $function (rows(qq{
	SELECT CASE pronamespace WHEN 'distilbert'::regnamespace THEN 'distilbert.' ELSE '' END || proname,
		(SELECT string_agg(DISTINCT a, ' ') FROM pg_proc AS p, unnest(proargnames, proargmodes) WITH ORDINALITY AS u (a, m, i)
		 WHERE p.proname = f.proname AND m IN ('t', 'o')),
		(SELECT string_agg(DISTINCT a, ' ') FROM pg_proc AS p, unnest(proargnames) WITH ORDINALITY AS u (a, i)
		 WHERE p.proname = f.proname AND i > pronargs - pronargdefaults AND i <= pronargs)
	FROM pg_proc AS f JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = f.oid
	WHERE $member AND prorettype NOT IN ('internal'::regtype, 'event_trigger'::regtype) AND NOT (prorettype = 'trigger'::regtype AND pronamespace = 'distilbert'::regnamespace)
	GROUP BY pronamespace, proname ORDER BY proname}))
{
	my ($name, $columns, $options) = @$function;
	my $row = table_row("$name(") || table_row("CALL $name(");

	$known{$name} = 1;
	isnt($row, '', "function $name");
	my $text = $row;
	$text = join("\n", $row, $pages =~ /`([^`\n]+)`/g) if $row =~ /\.\.\./;
	$text = join("\n", $reference =~ /^Columns of .*?(?:^$|\z)/smg) if $row =~ /the view `/;
	is(join(' ', grep { $text !~ /\b$_\b/ } split / /, "$columns $options"), '', "columns and options of $name");
}

for my $view (rows(qq{
	SELECT relname, string_agg(attname, ' ') FROM pg_class AS c
		JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
		JOIN pg_attribute ON attrelid = c.oid AND attnum > 0
	WHERE $member AND relkind = 'v' GROUP BY relname}))
{
	my ($name, $columns) = @$view;
	my ($text) = $reference =~ /(^Columns of `$name`.*?\.$)/sm;

	$known{$name} = 1;
	isnt(table_row($name), '', "view $name");
	is(join(' ', grep { ($text // '') !~ /\b$_\b/ } split / /, $columns), '', "columns of $name");
}

for my $setting (rows(q{SELECT name, current_setting(name), short_desc FROM pg_settings WHERE name LIKE 'distilbert.%'}))
{
	my ($name, $default, $description) = @$setting;
	my ($said) = table_row("$name`") =~ /^\|[^|]*\| (.*?) \|/;

	$known{$name} = 1;
	is($said, $default eq '' ? 'empty' : "`$default`", "setting $name and its default");
	isnt($description, '', "description of $name");
}

# What the pages name is there: scripts, too.
$known{ basename($_) } = 1 for glob "$doc/../client/*";
my %named = map { $_ => 1 } $pages =~ /\b(distil_[a-z_]+[a-z]|distilbert\.(?:stats|builtin_models|cosine)|distilbert\.[a-z_]+(?=`))/g;
is(join(' ', sort grep { !$known{$_} } keys %named), '', 'nothing is named that is gone');

is( $node->safe_psql('postgres', qq{
	SELECT pg_describe_object(classid, objid, objsubid) FROM pg_depend AS d
	WHERE $member AND classid <> 'pg_type'::regclass AND obj_description(objid, classid::regclass::text) IS NULL
	UNION ALL
	SELECT pg_describe_object('pg_trigger'::regclass, t.oid, 0) FROM pg_trigger AS t
		JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = tgrelid
	WHERE $member AND obj_description(t.oid, 'pg_trigger') IS NULL}),
	'', 'every object has a comment');
$node->stop;
done_testing();

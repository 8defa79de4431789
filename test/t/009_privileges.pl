# Who may load what from where.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use POSIX qw(mkfifo);
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = new_node('main');
my $fixtures = fixtures();

# The folder of models, and things beside it that it must not reach.
mkdir "$dir/models";
PostgreSQL::Test::RecursiveCopy::copypath("$fixtures/distilbert-sentiment", "$dir/models/good");
PostgreSQL::Test::RecursiveCopy::copypath("$fixtures/distilbert-sentiment", "$dir/outside");
symlink("$dir/outside", "$dir/models/link") or die;
symlink('good', "$dir/models/inner") or die;
for my $kind (qw(fifo folder fifo-weights linked-file unreadable not-a-directory))
{
	next if $kind eq 'not-a-directory';
	PostgreSQL::Test::RecursiveCopy::copypath("$fixtures/distilbert-sentiment", "$dir/models/$kind");
}
append_to_file("$dir/models/not-a-directory", 'x');
unlink "$dir/models/fifo/config.json", "$dir/models/folder/config.json", "$dir/models/fifo-weights/model.safetensors",
	"$dir/models/linked-file/config.json";
mkfifo("$dir/models/fifo/config.json", 0600) or die;
mkfifo("$dir/models/fifo-weights/model.safetensors", 0600) or die;
mkdir "$dir/models/folder/config.json";
symlink("$dir/outside/config.json", "$dir/models/linked-file/config.json") or die;
chmod 0, "$dir/models/unreadable/config.json";

$node->append_conf('postgresql.conf', "distilbert.model_path = '$dir/models'");
$node->reload;
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE plain LOGIN;
CREATE ROLE loader LOGIN;
CREATE ROLE reader LOGIN;
GRANT EXECUTE ON FUNCTION distil_load_model, distil_drop_model TO loader, reader;
GRANT pg_read_server_files TO reader;
SQL

# Error of a statement as a role, or ''.
sub error_of
{
	my ($role, $sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-U', $role ], timeout => 60);

	return $rc == 0 ? '' : $err;
}
my $super = $node->safe_psql('postgres', 'SELECT current_user');
sub load { return "SELECT name FROM distil_load_model('x', '$_[0]', replace => true)" }

like(error_of('plain', load('good')), qr/permission denied for function distil_load_model/, 'a plain user loads nothing');
like(error_of('plain', "SELECT distil_drop_model('x')"), qr/permission denied for function distil_drop_model/, 'and drops nothing');
is(error_of('loader', load('good')), '', 'a user with EXECUTE loads from the folder');
like(error_of('loader', load("$dir/models/good")), qr/permission denied to load a model from an absolute path/, 'but not by an absolute path');
like(error_of('loader', load("$dir/outside")), qr/permission denied/, 'nor from elsewhere');
is(error_of('reader', load("$dir/outside")), '', 'pg_read_server_files allows absolute paths');
is(error_of($super, load("$dir/outside")), '', 'so does being superuser');
like(error_of('loader', "SELECT count(*) FROM distil_models; SET distilbert.model_path = '$dir'"), qr/permission denied/, 'the folder is the superuser\'s to set');
like(error_of('loader', "SET distilbert.model_path = '$dir'; " . load('outside')), qr/ERROR/, 'also before the library is there');

for my $role ('loader', $super)
{
	like(error_of($role, load($_)), qr/ERROR/, "$role: \"$_\" is refused")
	  for '../outside', 'good/../../outside', '..', 'good/..', '/..', '', 'no-such-model', 'not-a-directory';
}
like(error_of('loader', load('link')), qr/lies outside/, 'a link out of the folder is refused');
is(error_of('loader', load('inner')), '', 'a link within the folder is followed');
is(error_of('loader', load('good/')), '', 'a slash at the end');
is(error_of('loader', load('./good')), '', 'a dot at the beginning');

# Files that are no files; a FIFO would block for ever.
for my $kind (qw(fifo folder fifo-weights unreadable))
{
	like(error_of($_, load($kind)), qr/ERROR/, "$kind is refused for $_") for 'loader', $super;
}
like(error_of('loader', load('linked-file')), qr/ERROR/, 'a file that links out of the folder is refused');
unlike(error_of('loader', load('linked-file')), qr/architectures/, 'without showing what is in it');

# Nobody writes the tables by hand, and names are found whatever search_path says.
for my $table (qw(distilbert.model distilbert.model_chunk))
{
	like(error_of('plain', "SELECT * FROM $table"), qr/permission denied/, "$table cannot be read");
	like(error_of('plain', "DELETE FROM $table"), qr/permission denied/, "$table cannot be written");
}
is(error_of('loader', load('good')), '', 'a model for all');
is(error_of('plain', "SELECT distil_sentiment('warm', 'x')"), '', 'a plain user uses what was loaded');
is(error_of('plain', 'SELECT * FROM distil_models'), '', 'and sees the list');
is(error_of('plain', "SET search_path = ''; SELECT public.distil_sentiment('warm', 'x')"), '', 'with an empty search_path');
is(error_of($super, <<'SQL'), '', 'and with somebody\'s own functions before the server\'s');
CREATE SCHEMA trap;
CREATE FUNCTION trap.octet_length(bytea) RETURNS int LANGUAGE sql AS 'SELECT 1/0';
CREATE FUNCTION trap.never(bytea, bytea) RETURNS bool LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''trapped''; END';
CREATE OPERATOR trap.= (leftarg = bytea, rightarg = bytea, procedure = trap.never);
CREATE TABLE trap.model (name text);
CREATE VIEW trap.distil_models AS SELECT 'trapped' AS name;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
SET search_path = trap, pg_catalog, public;
SELECT name FROM public.distil_load_model('y', 'good');
SELECT distil_sentiment('warm', 'y');
SELECT distil_drop_model('y');
SQL

# A function of its owner's rights, and one without EXECUTE on the task function.
$node->safe_psql('postgres', q{REVOKE EXECUTE ON FUNCTION distil_embed(text, text, boolean, integer, text, text) FROM PUBLIC});
like(error_of('plain', "SELECT distil_embed('warm', 'x')"), qr/permission denied for function distil_embed/, 'EXECUTE can be taken away');
$node->safe_psql('postgres', q{CREATE FUNCTION load_good() RETURNS text SECURITY DEFINER LANGUAGE sql AS 'SELECT name FROM distil_load_model(''z'', ''good'')'});
is(error_of('plain', 'SELECT load_good()'), '', 'a SECURITY DEFINER function may load for others');
alive($node);
done_testing();

# A node that is no PostgreSQL, but speaks its protocol, and not always well: whatever it
# answers becomes its error, or a row; the session lives, and no connection is left.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('main');
my $folder = PostgreSQL::Test::Utils::tempdir_short();
my $port = 5432;
my $parent = $$;
my $server;

sub run_sql { return $node->safe_psql('postgres', @_) }

END
{
	local $?;
	kill 'TERM', $server if $server && $$ == $parent;
}

# ---- the other side

sub message { my ($kind, $body) = @_; return $kind . pack('N', 4 + length $body) . $body }
sub ready { return message('Z', 'I') }
sub complete { return message('C', ($_[0] // 'SELECT 1') . "\0") }

sub columns
{
	my ($n) = @_;

	return message('T', pack('n', $n) . join('', map { "c\0" . pack('NnNnNn', 0, 0, 25, 0xffff, 0xffffffff, 0) } 1 .. $n));
}

# A row; undef is NULL.
sub row { return message('D', pack('n', scalar @_) . join('', map { defined $_ ? pack('N', length $_) . $_ : pack('N', 0xffffffff) } @_)) }
sub failure { my ($state, $text) = @_; return message('E', "SERROR\0VERROR\0C$state\0M$text\0\0") }
sub answer { my (@row) = @_; return columns(scalar @row) . row(@row) . complete() . ready() }

# What it says to the first statement, which asks for the extension, and to all behind it.
my $here = answer('public', '0.1.0');
my %answers = (
	nulls => [ answer(undef, undef) ],
	no_version => [ answer('public', undef), answer(undef), answer(undef, undef, undef) ],
	null_facts => [ $here, answer(undef, undef, undef) ],
	null_value => [ $here, answer(undef) ],
	null_columns => [ $here, answer((undef) x 8) ],
	many_columns => [ $here, answer(('x') x 1600) ],
	no_columns => [ $here, columns(0) . row() . complete() . ready() ],
	words => [ $here, answer(('x') x 8) ],
	command => [ complete('CREATE TABLE') . ready() ],
	later_command => [ $here, complete('CREATE TABLE') . ready() ],
	long => [ $here, answer('x' x (32 * 1024 * 1024)) ],
	long_schema => [ answer('x' x (8 * 1024 * 1024), 'y' x (8 * 1024 * 1024)), answer('z') ],
	many_results => [ $here, (columns(1) . row('x') . complete()) x 2000 . ready() ],
	quotes => [ answer('"; SELECT 1; --', q{'; %s%n%1$s}), answer('%s') ],
	bytes => [ $here, answer("\xff\xfe\x80") ],
	error => [ failure('XX000', 'no') . ready() ],
	empty_error => [ $here, message('E', "\0") . ready() ],
	long_error => [ $here, failure('XX000', "%s%n\n\t" x 100000) . ready() ],
	in_the_middle => [ $here, columns(1) . row('x') . failure('57014', 'canceling statement due to user request') . ready() ],
	shutdown => [ $here, columns(1) . row('x') . failure('57P01', 'terminating connection') ],
	copy_out => [ $here, message('H', "\0" . pack('n', 0)) ],
	copy_in => [ $here, message('G', "\0" . pack('n', 0)) ],
	empty_query => [ $here, message('I', '') . ready() ],
	cut => [ $here, columns(1) . substr(row('x' x 100), 0, 40) ],
	wrong_count => [ $here, columns(1) . row('x', 'y') . complete() . ready() ],
	wrong_length => [ $here, columns(1) . message('D', pack('nN', 1, 1000) . 'x') . complete() . ready() ],
	noise => [ $here, join('', map { chr(($_ * 167 + 13) % 256) } 1 .. 5000) ],
	huge_message => [ $here, 'D' . pack('N', 0x7fffffff) . 'x' x 100 ],
	closed => ['']);
# These say nothing more and keep the connection.
my %stays = map { $_ => 1 } qw(copy_out copy_in silent);
$answers{silent} = [ $here, '' ];

sub read_exactly
{
	my ($socket, $n) = @_;
	my $data = '';

	while (length $data < $n)
	{
		return unless sysread($socket, $data, $n - length $data, length $data);
	}
	return $data;
}

# One connection; the database's name says what to answer.
sub serve
{
	my ($socket) = @_;
	my $length = read_exactly($socket, 4) // return;
	my $startup = read_exactly($socket, unpack('N', $length) - 4) // return;
	my ($name) = $startup =~ /\0database\0([a-z_]+)\0/ or return;	# else it is a cancel
	my @all = @{ $answers{$name} };

	syswrite($socket, message('R', pack('N', 0)) . message('S', "client_encoding\0UTF8\0") . message('S', "server_version\0" . "15.0\0") .
		message('K', pack('NN', 1, 1)) . ready());
	while (defined(my $head = read_exactly($socket, 5)))
	{
		my ($kind, $n) = unpack('aN', $head);

		read_exactly($socket, $n - 4);
		return if $kind eq 'X';
		my $text = @all > 1 ? shift @all : $all[0];
		for (my $at = 0; $at < length $text;)
		{
			$at += syswrite($socket, $text, 65536, $at) // return;
		}
		# what is not ended well is followed by the end of the connection
		return unless $text =~ /Z\0\0\0\x05I\z/ || $stays{$name};
	}
	return;
}

my $listener = IO::Socket::UNIX->new(Local => "$folder/.s.PGSQL.$port", Listen => 20) or die $!;
chmod 0777, "$folder/.s.PGSQL.$port";
$server = fork // die $!;
if ($server == 0)
{
	local $SIG{CHLD} = 'IGNORE';
	local $SIG{PIPE} = 'IGNORE';
	while (1)
	{
		my $socket = $listener->accept or next;
		my $child = fork;

		if (defined $child && $child == 0)
		{
			serve($socket);
			close $socket;
			require POSIX;
			POSIX::_exit(0);
		}
		close $socket;
	}
}
close $listener;

# ---- this side
run_sql('CREATE EXTENSION postgres_fdw; CREATE EXTENSION dblink');
load_model($node, 'distilbert-sentiment', 'm');
run_sql(join '', map { "CREATE SERVER $_ FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$folder', port '$port', dbname '$_');
	CREATE USER MAPPING FOR CURRENT_USER SERVER $_;" } keys %answers);

my %ask = (
	run => q{SELECT count(*) FROM distil_run_on_nodes('SELECT 1', '%s')},
	pipelines => q{SELECT count(*) FROM distil_node_pipelines('%s')},
	check => q{SELECT count(*) FROM distil_check_nodes('%s')},
	send => q{SELECT distil_send_model('m', '%s')});
for my $name (sort keys %answers)
{
	for my $what (sort keys %ask)
	{
		my $sql = sprintf $ask{$what}, $name;
		my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '" . ($stays{$name} ? '300ms' : '60s') .
			"';\n$sql;\nSELECT coalesce(array_length(dblink_get_connections(), 1), 0);", on_error_stop => 0);
		my @lines = split /\n/, $out;

		is($lines[-1], 0, "$name, $what: no connection is left");
		if ($what eq 'send' || $name eq 'silent')
		{
			like($err, qr/ERROR: /, "$name, $what: an error");
		}
		else
		{
			like($lines[0], qr/^\d+$/, "$name, $what: rows");
		}
		unlike($err, qr/statement timeout/, "$name, $what: in time") unless $stays{$name};
	}
}

# ---- what is said of some of them
sub error_of { return run_sql("SELECT error FROM distil_run_on_nodes('SELECT 1', '$_[0]')") }
is(error_of('many_columns'), q{rows of the statement must have one column; join more of them, as in SELECT concat_ws(' ', a, b)}, 'many columns');
is(error_of('in_the_middle'), 'canceling statement due to user request', 'a cancel over there');
like(error_of('closed'), qr/server closed the connection/, 'a connection that ends');
is(error_of('copy_out'), 'the command gave no result that can be read', 'COPY');
is(run_sql(q{SELECT count(*), bool_and(error IS NULL), max(length(result)) FROM distil_run_on_nodes('SELECT 1', 'long')}), '1|t|33554432', 'a long result is one');
like(run_sql(q{SELECT error FROM distil_node_pipelines('words')}), qr/invalid input syntax for type bigint/, 'words for numbers');
like(run_sql(q{SELECT there FROM distil_check_nodes('null_facts') WHERE kind = 'error'}), qr/^$/, 'NULLs are no error');

alive($node);
$node->stop;
done_testing();

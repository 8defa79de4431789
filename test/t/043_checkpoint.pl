# A checkpoint's file in other hands: cut at any byte, any byte changed, also
# with checksums that are right again, as whoever can write the file can make
# them.  The training is refused or goes on; the view tells what it can.
#
# One bit of each byte; DBERT_BITS=8 for all of them.  DBERT_SEED repeats a run.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use PostgreSQL::Test::Utils;
use Test::More;

# Of DistilCheckpointHeader and DistilTrainRow.
use constant { HEADER => 296, MODEL => 40, ROWS_CRC => 288, CRC => 292, SIZE => 8, ROW => 48 };

my @crc_table = map { my $c = $_; $c = $c & 1 ? ($c >> 1) ^ 0x82f63b78 : $c >> 1 for 1 .. 8; $c } 0 .. 255;

my $bits = $ENV{DBERT_BITS} // 1;
my $seed = $ENV{DBERT_SEED} // $$ ^ int(time());
my $node = new_node('main', conf => "client_min_messages = error\n");

srand($seed);
diag("DBERT_SEED=$seed");
load_model($node, 'distilbert-base');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE rows AS SELECT i AS id, 'soup ' || i AS body, CASE i % 2 WHEN 0 THEN 'food' ELSE 'film' END AS label FROM generate_series(1, 20) i;
CREATE FUNCTION train() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM distil_train('m', 'SELECT body, label FROM rows ORDER BY id', 'distilbert-base', epochs => 5, batch_size => 4, resume => true) $$;
SQL

# ---- a checkpoint from the middle of a training

my $file;
for my $time (1 .. 500)
{
	$node->psql('postgres', "SET distilbert.checkpoint_interval = '1ms'; SET statement_timeout = '${time}ms'; BEGIN; SELECT train(); ROLLBACK");
	($file) = grep { /checkpoint$/ } training_files($node);
	last if $node->safe_psql('postgres', 'SELECT count(*) FROM distil_checkpoints WHERE epoch > 1 AND step < steps') eq '1';
}
my $path = $node->data_dir . "/distilbert/pgsql_tmp_training/$file";
my $good = slurp_file($path);
my $rows = unpack('l', substr($good, 268, 4));

is(unpack('L', substr($good, CRC, 4)), crc32c(substr($good, 0, CRC)), 'the header is as this test takes it to be');
is(unpack('L', substr($good, ROWS_CRC, 4)), crc32c(substr($good, HEADER, $rows * ROW)), 'rows, too');
ok($rows > 0 && length($good) > HEADER + $rows * ROW + 4, 'there are rows and blocks');

# ---- damage: [ name, bytes kept, place, bytes put there, place, bytes, ... ]

sub crc32c
{
	my ($data) = @_;
	my $crc = 0xffffffff;

	$crc = ($crc >> 8) ^ $crc_table[($crc ^ $_) & 255] for unpack('C*', $data);
	return $crc ^ 0xffffffff;
}

# The header with some bytes changed and its checksum made right.
sub header
{
	my (%put) = @_;
	my $header = substr($good, 0, HEADER);

	substr($header, $_, length($put{$_})) = $put{$_} for keys %put;
	substr($header, CRC, 4) = pack('L', crc32c(substr($header, 0, CRC)));
	return $header;
}

sub some_bits { my @all = map { 1 << $_ } 0 .. 7; return $bits >= 8 ? @all : map { $all[rand 8] } 1 .. $bits }

my (@broken, @forged);
my $blocks = HEADER + $rows * ROW;

for my $at (0 .. $blocks + 15, map({ int(rand(length($good))) } 1 .. 50 * $bits), length($good) - 8 .. length($good) - 1)
{
	push @broken, [ "cut at $at", $at ];
	push @forged, [ "cut at $at, with its size", $at, 0, header(SIZE, pack('Q', $at)) ] if $at >= HEADER;
	push @broken, map { [ "byte $at ^ $_", length($good), $at, substr($good, $at, 1) ^ chr($_) ] } some_bits();
}
for my $at (0 .. CRC - 1)
{
	push @forged, map { [ "header's byte $at ^ $_", length($good), 0, header($at, substr($good, $at, 1) ^ chr($_)) ] } some_bits();
}
for my $at (0 .. $rows * ROW - 1)
{
	my $changed = substr($good, HEADER, $rows * ROW);

	substr($changed, $at, 1) ^= chr((some_bits())[0]);
	push @forged, [ "rows' byte $at", length($good), 0, header(ROWS_CRC, pack('L', crc32c($changed))), HEADER, $changed ];
}
# numbers at their ends, in each place that may have one
for my $at (map { 4 * $_ } 0 .. CRC / 4 - 1)
{
	push @forged, map { [ "header's number at $at is " . unpack('H*', $_), length($good), 0, header($at, $_) ] }
	  map { substr($_, 0, CRC - $at) } pack('l', -1), pack('l', 0x7fffffff), pack('l', -0x80000000), pack('q', -1), "\xff" x 7 . "\x7f", pack('d', 9**9**9), pack('d', -sin(9**9**9));
}
push @forged, [ 'a model of half a character', length($good), 0, header(MODEL, "\xe2\x82\0") ];
# weights and moments that are not finite
for my $at (map { $blocks + 4 * int(rand((length($good) - $blocks - 4) / 4)) } 1 .. 4 * $bits)
{
	my $changed = substr($good, $blocks, -4);

	substr($changed, $at - $blocks, 4) = pack('f', 9**9**9);
	push @forged, [ "block's number at $at", length($good), $at, pack('f', 9**9**9), length($good) - 4, pack('L', crc32c($changed)) ];
}

# ---- tried in the server: what the training said, and whether the view could be read

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE damage (n int, kept int, put bytea[], places int[]);
CREATE FUNCTION write(path text, data bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE lo oid := lo_from_bytea(0, data);
BEGIN
	PERFORM lo_export(lo, path), lo_unlink(lo);
END $$;
CREATE FUNCTION try(path text, good bytea, d damage, OUT said text, OUT seen text) LANGUAGE plpgsql AS $$
DECLARE data bytea := good;
BEGIN
	FOR i IN 1 .. coalesce(cardinality(d.put), 0) LOOP
		data := overlay(data PLACING d.put[i] FROM d.places[i] + 1);
	END LOOP;
	PERFORM write(path, substr(data, 1, d.kept));
	BEGIN
		SELECT coalesce(string_agg(convert_from(convert_to(c::text, 'UTF8'), 'UTF8'), ' '), 'none') INTO seen FROM distil_checkpoints AS c;
	EXCEPTION WHEN OTHERS THEN
		seen := SQLERRM;
	END;
	BEGIN
		PERFORM train();
		RAISE 'trained';
	EXCEPTION WHEN OTHERS THEN
		said := SQLSTATE || ' ' || SQLERRM;
	END;
END $$;
SQL

sub try_all
{
	my (@damage) = @_;
	my $table = "$path.table";

	open(my $f, '>', $table) or die $!;
	for my $n (0 .. $#damage)
	{
		my ($name, $kept, @put) = @{ $damage[$n] };
		my (@places, @bytes);

		while (my ($at, $data) = splice(@put, 0, 2))
		{
			push @places, $at;
			push @bytes, '"\\\\\\\\x' . unpack('H*', $data) . '"';
		}
		print $f join("\t", $n, $kept, '{' . join(',', @bytes) . '}', '{' . join(',', @places) . '}'), "\n";
	}
	close($f) or die $!;
	my $good_hex = "$path.good";
	open($f, '>:raw', $good_hex) or die $!;
	print $f $good;
	close($f) or die $!;
	my $out = $node->safe_psql('postgres', "TRUNCATE damage; COPY damage FROM '$table';
		SELECT n, t.said, t.seen FROM damage AS d, pg_read_binary_file('$good_hex') AS g, try('$path', g, d) AS t ORDER BY n", timeout => 1200);
	unlink $table, $good_hex;
	return map { my ($n, $said, $seen) = split(/\|/, $_, 3); [ $damage[$n][0], $said, $seen ] } split(/\n/, $out);
}

sub report
{
	my ($name, $tried, $said, $seen, @results) = @_;
	my @wrong = grep { $_->[1] !~ $said || $_->[2] !~ $seen } @results;

	is(scalar(@results), $tried, "$name: $tried tried");
	is(scalar(@wrong), 0, "$name: said and seen what should be") or diag join("\n", map { "@$_" } splice(@wrong, 0, 20));
	return;
}

my $damaged = qr/^XX001 the checkpoint of the training of "m" is damaged$/;
my $possible = qr/$damaged|^55000 the checkpoint of the training of "m" is one of another training$|^P0001 trained$|^22023 could not train model "m"$/;

report('as it was', 1, qr/^P0001 trained$/, qr/^\(m,.*\)$/, try_all([ 'nothing', length($good) ]));
report('broken', scalar(@broken), $damaged, qr/^(none|\(m,.*\))$/, try_all(@broken));
report('forged', scalar(@forged), $possible, qr/^(none|\(.*\))$/, try_all(@forged));
alive($node);
done_testing();

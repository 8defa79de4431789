# Distil.pm -- what the TAP tests share: a node with the extension in it, models
# from the fixtures, answers as one string.
package Distil;

use strict;
use warnings;

use Exporter 'import';
use File::Copy;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(fixtures new_node load_model big_model answers packs training_files wait_until ready_again alive hf_python same_in_transformers session_answers);

sub fixtures { return $ENV{FIXTURES} || die "FIXTURES is not set" }

# A started node; extra options go to init, "conf" to postgresql.conf.  Answers
# are computed: tests of the result cache turn it on.
sub new_node
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = PostgreSQL::Test::Cluster->new($name);

	$node->init(%options);
	$node->append_conf('postgresql.conf', "distilbert.model_path = '" . fixtures() . "'\ndistilbert.cache_size = 0\n$conf");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION distilbert');
	return $node;
}

# Load a fixture under a name; the name is the fixture's if there is none.
sub load_model
{
	my ($node, $fixture, $name, $db) = @_;

	$name //= $fixture;
	return $node->safe_psql($db // 'postgres',
		"SELECT name FROM distil_load_model('$name', '$fixture', replace => true)");
}

# Write a model directory of this many MB that takes a while to load: a fixture
# whose position embeddings, all zero, are the rest of a sparse file.
sub big_model
{
	my ($dir, $megabytes) = @_;
	my $from = fixtures() . '/distilbert-base';
	my $rows = $megabytes * 1024 * 1024 / (32 * 4);
	my $weights = slurp_file("$from/model.safetensors");
	my $header_size = unpack('Q<', $weights);
	my $header = decode_json(substr($weights, 8, $header_size));
	my $data = substr($weights, 8 + $header_size);
	my $config = decode_json(slurp_file("$from/config.json"));
	my $positions = $header->{'embeddings.position_embeddings.weight'};
	my $old_bytes = $positions->{data_offsets}[1] - $positions->{data_offsets}[0];
	my $cut = $positions->{data_offsets}[0];

	# the tensor moves to the end
	substr($data, $cut, $old_bytes) = '';
	for my $name (keys %$header)
	{
		next if $name eq '__metadata__' || $header->{$name}{data_offsets}[0] < $cut;
		$_ -= $old_bytes for @{ $header->{$name}{data_offsets} };
	}
	$positions->{shape} = [ $rows, 32 ];
	$positions->{data_offsets} = [ length($data), length($data) + $rows * 32 * 4 ];
	$config->{max_position_embeddings} = $rows;

	mkdir $dir or die $!;
	my $text = encode_json($header);
	$text .= ' ' x (-length($text) % 8);
	open(my $file, '>:raw', "$dir/model.safetensors") or die $!;
	print $file pack('Q<', length($text)), $text, $data;
	truncate($file, 8 + length($text) + length($data) + $rows * 32 * 4) or die $!;
	close($file) or die $!;
	append_to_file("$dir/config.json", encode_json($config));
	copy("$from/$_", "$dir/$_") or die $! for qw(vocab.txt tokenizer_config.json);
	return;
}

# A fingerprint of what a model says, to the last bit.
sub answers
{
	my ($node, $model, $db) = @_;

	return $node->safe_psql($db // 'postgres', <<"SQL");
SELECT string_agg(s.label || '=' || s.score, ' ' ORDER BY t.n, s.label)
FROM (VALUES (1, 'The film was a delight.'), (2, 'Worst meal ever, cold soup'), (3, 'Berlin')) AS t (n, body),
	distil_scores(t.body, '$model') AS s
SQL
}

# Names of the files in the node's folder of packs, but for those that a copy leaves out; files of trainings are in a folder below.
sub packs
{
	my ($node) = @_;
	my $folder = $node->data_dir . '/distilbert';

	return () unless -d $folder;
	my @files = sort(grep { -f "$folder/$_" && !/^pgsql_tmp/ } slurp_dir($folder));
	return @files;
}

# Names of the files that trainings have.
sub training_files
{
	my ($node) = @_;
	my $folder = $node->data_dir . '/distilbert/pgsql_tmp_training';

	return -d $folder ? sort(grep { -f "$folder/$_" } slurp_dir($folder)) : ();
}

# What psql says, rows and messages, to each of the statements (or several in
# one string); they run in one session, which begins with others.
sub session_answers
{
	my ($node, $begin, @statements) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir . '/script.sql';
	my $out = '';

	open(my $script, '>', $file) or die $!;
	print $script "\\set VERBOSITY terse\n$begin;\n";
	print $script "\\echo ==== $_\n$statements[$_]\n" for 0 .. $#statements;
	close($script) or die $!;
	IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', $file ], '>&', \$out);
	$out =~ s/^psql:[^:]*:\d+: //mg;

	my (undef, @answers) = split(/^==== \d+\n/m, $out, -1);
	return @answers;
}

# Has the server come up again after a crash that stands behind this place of its log?
# A client may hear of the crash before the postmaster does.
sub ready_again
{
	my ($node, $from) = @_;

	for (1 .. 1800)
	{
		return 1 if substr(slurp_file($node->logfile), $from) =~ /reinitializing.*ready to accept connections/s;
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

# Ask again until the query gives the wanted answer; generous, as all bounds here.
sub wait_until
{
	my ($node, $query, $wanted) = @_;

	return $node->poll_query_until('postgres', $query, $wanted // 't');
}

# No backend died: a crash would have restarted the postmaster's children.
sub alive
{
	my ($node, $name) = @_;
	my $log = slurp_file($node->logfile);

	unlike($log, qr/terminated by signal|PANIC:/, $name // 'no backend died');
	return;
}

# A python that has transformers, or nothing: HF_PYTHON, with words before the script; it runs as the user who runs the servers.
sub hf_python
{
	my @python = split / /, $ENV{HF_PYTHON} // 'python3';

	return system("@python -c 'import torch, transformers' >/dev/null 2>&1") == 0 ? @python : ();
}

# transformers opens the exported directory of a classifier and gives a text the same scores.
sub same_in_transformers
{
	my ($node, $model, $name) = @_;
	my $dir = PostgreSQL::Test::Utils::tempdir;

	for my $line (split /\n/, $node->safe_psql('postgres', qq{SELECT file, encode(data, 'hex') FROM distil_export_model('$model')}))
	{
		my ($file, $hex) = split /\|/, $line;

		open(my $f, '>:raw', "$dir/$file") or die $!;
		print $f pack('H*', $hex);
		close($f) or die $!;
	}
	my $ours = $node->safe_psql('postgres', qq{SELECT label || ' ' || score FROM distil_scores('warm soup and a film', '$model') ORDER BY label});
	my $script = <<'PY';
import os, sys
os.environ["HF_HUB_OFFLINE"] = "1"
from transformers import pipeline
ours = dict(line.split(" ") for line in sys.argv[2].splitlines())
theirs = pipeline("text-classification", model=sys.argv[1], top_k=None, device="cpu")(["warm soup and a film"])[0]
print("same" if set(ours) == {s["label"] for s in theirs} and
      all(abs(float(ours[s["label"]]) - s["score"]) < 1e-4 for s in theirs) else (ours, theirs))
PY
	my ($said, $noise) = ('', '');
	IPC::Run::run([ hf_python(), '-c', $script, $dir, $ours ], '>', \$said, '2>', \$noise);
	is($said, "same\n", $name) or diag $noise;
	return;
}

1;

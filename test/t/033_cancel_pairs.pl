# Cancelling functions on pairs of texts and on masks: in long contexts, in many
# labels, documents and targets, row by row and in batches.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use Test::More;

my $node = new_node('main');
load_model($node, "distilbert-$_", $_) for qw(qa nli mlm);
load_model($node, 'bert-rerank', 'rerank');
load_model($node, 'bert-sentence', 'vectors');
my $ask = q{SELECT distil_answer_text('Where is Anna?', 'Anna is in Berlin', 'qa'), (SELECT sum(score) FROM distil_zero_shot('x', '{y,z}', 'nli'))};
my $said = $node->safe_psql('postgres', $ask);
my $many = q{(SELECT array_agg('label ' || i) FROM generate_series(1, 300000) i)};

my %statement = (
	'a long context' => q{SELECT distil_answer_text('Who?', repeat('unbelievably strange ', 60000), 'qa')},
	'all answers of a long context' => q{SELECT count(*) FROM distil_answer('Who?', repeat('unbelievably strange ', 60000), 'qa', 1000000)},
	'many contexts' => q{SELECT count(distil_answer_text('Who ' || i || '?', repeat('Anna is in Berlin ', i % 50), 'qa')) FROM generate_series(1, 10000000) i},
	'an array of contexts' => qq{SELECT distil_answer_text($many, $many, 'qa')},
	'many labels' => qq{SELECT count(*) FROM distil_zero_shot('warm', $many, 'nli')},
	'many documents' => qq{SELECT distil_rerank('warm', $many, 'rerank')},
	'many distances' => q{SELECT sum(distil_rerank_distance('warm', 'number ' || i, 'rerank')) FROM generate_series(1, 10000000) i},
	'many labels by vectors' => qq{SELECT count(*) FROM distil_zero_shot('warm', $many, 'vectors')},
	'many documents by vectors' => qq{SELECT distil_rerank('warm', $many, 'vectors')},
	'many distances of vectors' => q{SELECT sum(distil_rerank_distance('warm', 'number ' || i, 'vectors')) FROM generate_series(1, 10000000) i},
	'many masks' => q{SELECT count(*) FROM distil_fill_mask(repeat('[MASK] ', 60000), 'mlm', 1000000)},
	'many targets' => qq{SELECT count(*) FROM distil_fill_mask('[MASK]', 'mlm', 5, $many)});

my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query('SELECT pg_backend_pid()');
for my $name (sort keys %statement)
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET client_min_messages = error; SET statement_timeout = '200ms'; $statement{$name};");

	like($err, qr/canceling statement due to statement timeout/, "$name: timeout");
	$session->query("SET client_min_messages = fatal; SET statement_timeout = '200ms'");
	$session->query($statement{$name});
	$session->query('RESET statement_timeout');
	is($session->query($ask), $said, "$name: the session goes on");
}
is($session->query('SELECT pg_backend_pid()'), $pid, 'in the same backend');
$session->quit;
alive($node);
done_testing();

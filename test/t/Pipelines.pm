# Pipelines.pm -- what the tests of pipelines share: a node, waiting, the worker.
package Pipelines;

use strict;
use warnings;

use Distil;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(pipe_node settled worker_pid long_text slow_worker);

# A started node whose worker looks often, with models: s (sentiment), e (embeddings), n (entities).
sub pipe_node
{
	my ($name, %options) = @_;
	my $conf = delete $options{conf} // '';
	my $node = new_node($name, %options, conf => "distilbert.pipeline_naptime = '20ms'\n$conf");

	load_model($node, 'distilbert-sentiment', 's');
	load_model($node, 'bert-sentence', 'e');
	load_model($node, 'bert-ner', 'n');
	return $node;
}

# All that was committed is done.
sub settled
{
	my ($node, $pipeline, $db) = @_;

	return is($node->safe_psql($db // 'postgres', "SELECT distil_wait_pipeline('$pipeline', '3min')"), 't', "$pipeline is done");
}

# The worker's process; waits until there is one.
sub worker_pid
{
	my ($node, $db) = @_;
	my $query = "SELECT min(pid) FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' AND datname = '" . ($db // 'postgres') . "'";

	$node->poll_query_until('postgres', "SELECT ($query) IS NOT NULL") or die 'no worker';
	return $node->safe_psql('postgres', $query);
}

# SQL for a text that takes the models of the tests about a second: nearly as many tokens as a text may have.
sub long_text { return "repeat('a good film and a bad one, ', 90000)" }

# Wait until the worker computes: it has read what it does, and has not written it.
sub slow_worker
{
	my ($node, $pipeline) = @_;

	return $node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'distilbert pipelines' AND state = 'active' AND query = '$pipeline'
			AND backend_xmin IS NULL AND now() - state_change > '100ms')");
}

1;

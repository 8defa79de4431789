# A streaming standby answers as the primary does, from a pack that it builds
# itself; loads, replacements and drops arrive by WAL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_node('primary', allows_streaming => 1);
load_model($primary, 'distilbert-sentiment', 'before');
my $before = answers($primary, 'before');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
rmtree($standby->data_dir . '/distilbert');
$standby->start;
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'this is a standby');
is(scalar(() = packs($standby)), 0, 'it has no pack yet');
is(answers($standby, 'before'), $before, 'a model from before the backup answers the same');
is(scalar(() = packs($standby)), 1, 'the standby built its pack');

# A session that stays open while the primary changes the models.
my $session = $standby->background_psql('postgres', on_error_stop => 0);
my $ask = q{SELECT string_agg(label || '=' || score, ' ' ORDER BY label) FROM distil_scores('Berlin', 'm')};

load_model($primary, 'bert-sentiment3', 'm');
$primary->wait_for_catchup($standby);
my $one = $primary->safe_psql('postgres', $ask);
is($session->query($ask), $one, 'a load arrives');
is(answers($standby, 'm'), answers($primary, 'm'), 'with the same answers');
is($standby->safe_psql('postgres', 'TABLE distil_models'), $primary->safe_psql('postgres', 'TABLE distil_models'), 'and the same view');

load_model($primary, 'distilbert-stars', 'm');
$primary->wait_for_catchup($standby);
my $two = $primary->safe_psql('postgres', $ask);
isnt($two, $one, 'the replacement differs');
is($session->query($ask), $two, 'a replacement arrives in an open session');

$primary->safe_psql('postgres', q{SELECT distil_drop_model('m')});
$primary->wait_for_catchup($standby);
my ($rc, $out, $err) = $standby->psql('postgres', $ask);
like($err, qr/model "m" does not exist/, 'a drop arrives');
$session->query($ask);
is($session->query(q{SELECT distil_sentiment('Berlin', 'before') IS NOT NULL}), 't', 'the open session goes on');

# A snapshot from before the drop still sees the model.
load_model($primary, 'bert-sentiment3', 'm');
$primary->wait_for_catchup($standby);
$session->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$session->query('SELECT count(*) FROM distil_models');
rmtree($standby->data_dir . '/distilbert');
is($session->query($ask), $one, 'repeatable read on a standby, packs gone');
$session->query('COMMIT');

($rc, $out, $err) = $standby->psql('postgres', q{SELECT * FROM distil_load_model('x', 'distilbert-stars')});
like($err, qr/read-only|recovery/, 'loading on a standby is refused');
($rc, $out, $err) = $standby->psql('postgres', q{SELECT distil_drop_model('m')});
like($err, qr/read-only|recovery/, 'dropping on a standby is refused');

# A restart finds its packs; promotion makes it a primary.
is(answers($standby, 'before'), $before, 'packs are made again');
my @packs = packs($standby);
$session->quit;
$standby->restart;
is(answers($standby, 'before'), $before, 'after a restart');
is_deeply([ packs($standby) ], \@packs, 'the packs are used again');
$standby->promote;
is(answers($standby, 'before'), $before, 'after promotion');
load_model($standby, 'distilbert-stars', 'new');
like(answers($standby, 'new'), qr/5 stars/, 'the promoted server loads models');
is($standby->safe_psql('postgres', q{SELECT distil_drop_model('before')}), 't', 'and drops them');
alive($_) for $primary, $standby;
done_testing();

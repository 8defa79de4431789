# distil_mask knows the labels that distil_entities shows, whatever the tags look like.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use Distil;
use File::Copy;
use PostgreSQL::Test::Utils;
use Test::More;

my $from = fixtures() . '/distilbert-ner-io';
my $dir = PostgreSQL::Test::Utils::tempdir();
my $config = slurp_file("$from/config.json");

# A dash in a tag that is no part of a scheme.
$config =~ s/"(id2label)":\s*\{[^}]*\}/"id2label": {"0": "O", "1": "DATE-DAY", "2": "X-HOUR", "3": "PLACE"}/;
$config =~ s/"(label2id)":\s*\{[^}]*\}/"label2id": {"O": 0, "DATE-DAY": 1, "X-HOUR": 2, "PLACE": 3}/;
append_to_file("$dir/config.json", $config);
copy("$from/$_", "$dir/$_") or die $! for grep { $_ ne 'config.json' && -f "$from/$_" } slurp_dir($from);
chmod 0755, $dir;

my $node = new_node('main');
$node->safe_psql('postgres', "SELECT distil_load_model('tags', '$dir')");
$node->safe_psql('postgres', q{CREATE TABLE body AS SELECT c ->> 'text' AS body FROM jsonb_array_elements(pg_read_file('}
	. "$from/golden.json" . q{')::jsonb -> 'cases') AS c WHERE c ? 'text'});
is($node->safe_psql('postgres', q{SELECT string_agg(DISTINCT label, ',' ORDER BY label) FROM body, distil_entities(body, 'tags')}),
	'DAY,HOUR,PLACE', 'labels are what stands behind the dash');
is($node->safe_psql('postgres', q{SELECT count(*) > 3, count(*) FILTER (WHERE distil_mask(body, 'tags', ARRAY[label]) = body)
	FROM body, distil_entities(body, 'tags')}), 't|0', 'and can be masked by these names');
my ($rc, $out, $err) = $node->psql('postgres', q{SELECT distil_mask('x', 'tags', labels => '{DATE-DAY}')});
like($err, qr/has no label "DATE-DAY".*"DAY", "HOUR", "PLACE"/s, 'others are refused');
$node->stop;
done_testing();

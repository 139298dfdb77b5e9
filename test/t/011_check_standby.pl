# vamana_check on a standby: without the merge lock, on what was replayed. Merges and unlogged indexes are refused there.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my $primary = vecidx_node('primary', 'autovacuum = off');
fill_vectors($primary, 'items', rows => 3000, dims => 16);
$primary->safe_psql('postgres', q(
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 100000);
	CREATE UNLOGGED TABLE brief (embedding vector(3));
	CREATE INDEX brief_idx ON brief USING vamana (embedding vector_l2_ops);
));
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

fill_vectors($primary, 'items', rows => 500, dims => 16, first => 5000);
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT vamana_check('items_idx', true)"), '', 'pending rows');
my (undef, undef, $error) = $standby->psql('postgres', "SELECT vamana_merge('items_idx')");
like($error, qr/recovery is in progress/, 'no merge');
(undef, undef, $error) = $standby->psql('postgres', "SELECT vamana_check('brief_idx')");
like($error, qr/cannot access temporary or unlogged relations during recovery/, 'no unlogged index');

$primary->safe_psql('postgres', "SELECT vamana_merge('items_idx')");
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 3 = 0');
$primary->safe_psql('postgres', 'VACUUM items');
$primary->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT vamana_check('items_idx', true)"), '', 'after a merge and a repair');
my $stats = "SELECT * FROM vamana_stats('items_idx')";
is($standby->safe_psql('postgres', $stats), $primary->safe_psql('postgres', $stats), 'both count the same');

done_testing();

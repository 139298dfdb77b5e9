# Recovery that ends in the middle of a merge: from an archive, at chosen points of the WAL that the merge wrote, and by a
# replica that is promoted while its primary merges. The index is sound and has every row once, while the server is
# still read-only as well as when it goes on: it merges what was left, and takes more rows.
# VECIDX_CRASH_ROUNDS says how many points are tried (2).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my ($dims, $rows) = (16, 2000);
my $points = $ENV{VECIDX_CRASH_ROUNDS} // 2;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(has_archiving => 1, allows_streaming => 1);
$primary->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nwal_consistency_checking = 'all'\nmax_wal_size = 4GB\n");
$primary->start;
$primary->safe_psql('postgres', 'CREATE EXTENSION vecidx; CREATE EXTENSION pageinspect');
fill_vectors($primary, 'items', rows => $rows, dims => $dims);
$primary->safe_psql('postgres', 'CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000)');
# gone rows leave slots that the merge takes first
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id % 5 = 0');
$primary->safe_psql('postgres', 'VACUUM items');
$primary->backup('base');

# As many rows as the index has are pending, and more that are equal to some of these or of those.
my $next = 10001;
sub add_rows
{
	fill_vectors($primary, 'items', rows => $rows, dims => $dims, first => $next, seed => 2);
	$primary->safe_psql('postgres', "INSERT INTO items SELECT $next + $rows + i, embedding FROM generate_series(1, $rows / 2) i"
		  . " JOIN items ON id = CASE i % 2 WHEN 0 THEN $next ELSE 1 END + i % 100 * 5");
	$next += 10000;
	return $primary->safe_psql('postgres', "SELECT pending_rows FROM vamana_stats('items_idx')");
}

sub index_is_right
{
	my ($server, $stage) = @_;
	index_is_sound($server, 'items_idx', "$stage: check");
	all_rows_are_found($server, 'items', $dims, $stage);
	return;
}

# What a server that begins to write in the middle of a merge makes of it.
sub goes_on
{
	my ($server, $pending, $stage) = @_;
	ok(is_merge_unfinished($server, 'items_idx'), "$stage: the merge is unfinished");
	index_is_right($server, $stage);
	fill_vectors($server, 'items', rows => 100, dims => $dims, first => 1_000_001, seed => 3);
	is($server->safe_psql('postgres', "SELECT vamana_merge('items_idx')"), $pending + 100, "$stage: is merged");
	index_is_right($server, "$stage, merged");
	$server->safe_psql('postgres', 'DELETE FROM items WHERE id % 3 = 0');
	$server->safe_psql('postgres', 'VACUUM items');
	index_is_right($server, "$stage, vacuumed");
	cmp_ok(recall($server, 'items', dims => $dims, queries => 20), '>=', 0.95, "$stage: recall");
	return;
}

# Where a merge begins in the WAL and how much it writes. What comes after it is not wanted.
my $pending = add_rows();
my $start = $primary->lsn('insert');
is($primary->safe_psql('postgres', "SELECT vamana_merge('items_idx')"), $pending, 'the merge');
my $bytes = $primary->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$start'");
note("wrote $bytes bytes from $start on");
$primary->safe_psql('postgres', "INSERT INTO items SELECT -1, embedding FROM items LIMIT 1; SELECT pg_switch_wal()");

sub point
{
	my ($part) = @_;
	return $primary->safe_psql('postgres', "SELECT '$start'::pg_lsn + trunc($part * $bytes)::numeric");
}

my $last = $primary->safe_psql('postgres', 'SELECT pg_walfile_name(pg_current_wal_lsn() - 1)');
$primary->poll_query_until('postgres', "SELECT last_archived_wal >= '$last' FROM pg_stat_archiver") or die 'is not archived';
foreach my $i (1 .. $points)
{
	my $part = ($i - 0.5) / $points;
	my $target = point($part);
	my $server = PostgreSQL::Test::Cluster->new("restored$i");
	$server->init_from_backup($primary, 'base', has_restoring => 1, standby => 0);
	$server->append_conf('postgresql.conf', "recovery_target_lsn = '$target'\nrecovery_target_timeline = 'current'\narchive_mode = off\n");
	$server->start;
	$server->poll_query_until('postgres', "SELECT pg_get_wal_replay_pause_state() = 'paused'") or die 'does not get there';
	my $stage = sprintf('point %.2f', $part);
	ok(is_merge_unfinished($server, 'items_idx'), "$stage, in recovery: the merge is unfinished");
	index_is_right($server, "$stage, in recovery");
	$server->safe_psql('postgres', 'SELECT pg_wal_replay_resume()');
	$server->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'stays in recovery';
	goes_on($server, $pending, $stage);
	$server->stop('immediate');
	$server->clean_node;
}

# A replica that is promoted in the middle of a merge which it replays. Its primary does not mind.
$primary->safe_psql('postgres', 'CHECKPOINT');
$primary->backup('later');
$pending = add_rows();
$start = $primary->lsn('insert');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($primary, 'later', has_streaming => 1);
$replica->append_conf('postgresql.conf', "archive_mode = off\nrecovery_target_action = 'promote'\nrecovery_target_lsn = '" . point(0.7) . "'\n");
$replica->start;
$primary->wait_for_catchup($replica, 'replay', $start);
my $before = rows_found($replica, 'items', dims => $dims);
is($primary->safe_psql('postgres', "SELECT vamana_merge('items_idx')"), $pending, 'replica: the primary merges');
$replica->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'stays in recovery';
is(rows_found($replica, 'items', dims => $dims), $before, 'replica: has the rows it had');
goes_on($replica, $pending, 'replica');
index_is_right($primary, 'the primary');
$replica->stop;
$primary->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|inconsistent page|is corrupted|terminated by signal/, "nothing bad in the server's log")
  foreach $primary, $replica;

done_testing();

# A streaming replica answers from its copy of the index as the primary does, row for row, whatever is done to the
# primary: builds by several processes, inserts, merges, deletes, vacuums with repair, reindexing. All WAL is replayed with its
# consistency checked, so a page that replay makes differently stops the replica. At the end it is promoted and written to.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my ($dims, $wide) = (16, 3072);
my $primary = vecidx_node('primary', 'autovacuum = off', "wal_consistency_checking = 'all'", 'max_wal_size = 4GB',
	'min_parallel_table_scan_size = 0', 'max_parallel_maintenance_workers = 2');
$primary->backup('base');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($primary, 'base', has_streaming => 1);
$replica->start;

# The ids nearest to some vectors, in order, from the index or from the table alone.
sub nearest
{
	my ($node, $table, $dim, $access, $limit) = @_;
	my $query = random_vector('99::bigint * 1000000000 + q', $dim);
	my $off = $access eq 'index' ? 'enable_seqscan' : 'enable_indexscan';
	return $node->safe_psql('postgres', qq(
		SET $off = off;
		SELECT q, array_agg(id ORDER BY distance, id) FROM generate_series(1, 5) q,
		LATERAL (SELECT id, embedding <-> v AS distance FROM (SELECT $query AS v OFFSET 0) s, $table
			ORDER BY embedding <-> v LIMIT $limit) n GROUP BY q ORDER BY q));
}

sub same_answers
{
	my ($stage, @tables) = @_;
	@tables = qw(items wide) if !@tables;
	$primary->wait_for_catchup($replica, 'replay', $primary->lsn('insert'));
	foreach my $table (@tables)
	{
		my ($dim, $limit) = $table eq 'items' ? ($dims, 10) : ($wide, 3);
		my $answers = nearest($replica, $table, $dim, 'index', $limit);
		is($answers, nearest($primary, $table, $dim, 'index', $limit), "$stage: $table, replica as primary");
		is($answers, nearest($replica, $table, $dim, 'table', $limit), "$stage: $table, replica exact")
		  if $table eq 'wide';
		is(rows_found($replica, $table, dims => $dim), rows_found($primary, $table, dims => $dim),
			"$stage: $table, all rows");
		index_is_sound($replica, "${table}_embedding_idx", "$stage: $table, check on the replica");
	}
	return;
}

fill_vectors($primary, 'items', rows => 1500, dims => $dims);
fill_vectors($primary, 'wide', rows => 100, dims => $wide);
$primary->safe_psql('postgres', "CREATE INDEX ON $_ USING vamana (embedding vector_l2_ops)") foreach qw(items wide);
same_answers('build');

fill_vectors($primary, 'items', rows => 1000, dims => $dims, first => 2001);
fill_vectors($primary, 'wide', rows => 50, dims => $wide, first => 201);
same_answers('inserts');

$primary->safe_psql('postgres', "SELECT vamana_merge('${_}_embedding_idx')") foreach qw(items wide);
same_answers('merge');

$primary->safe_psql('postgres', "DELETE FROM $_ WHERE id % 3 = 0") foreach qw(items wide);
same_answers('deletes');

$primary->safe_psql('postgres', "VACUUM $_") foreach qw(items wide);
same_answers('vacuum');

# Equal vectors, and slots that the vacuum freed.
$primary->safe_psql('postgres',
	'INSERT INTO items SELECT 5000 + i, embedding FROM items, generate_series(1, 60) i WHERE id = 1');
fill_vectors($primary, 'items', rows => 300, dims => $dims, first => 6001);
fill_vectors($primary, 'wide', rows => 30, dims => $wide, first => 301);
$primary->safe_psql('postgres', "VACUUM $_") foreach qw(items wide);
same_answers('slots reused');

$primary->safe_psql('postgres', "SET maintenance_work_mem = '1MB'; REINDEX INDEX ${_}_embedding_idx")
  foreach qw(items wide);
same_answers('reindex in little memory');

$primary->safe_psql('postgres', "REINDEX INDEX CONCURRENTLY ${_}_embedding_idx") foreach qw(items wide);
same_answers('reindex concurrently');

# More than a quarter of the index at once; then thousands of rows with two vectors.
fill_vectors($primary, 'items', rows => 1500, dims => $dims, first => 20001, seed => 5);
$primary->safe_psql('postgres', "SELECT vamana_merge('items_embedding_idx')");
same_answers('large merge', 'items');

foreach my $first (100_000, 200_000)
{
	$primary->safe_psql('postgres', "INSERT INTO items SELECT $first + i, embedding FROM generate_series(1, 1200) i JOIN items ON id = 20001 + i % 2");
	$primary->safe_psql('postgres', "SELECT vamana_merge('items_embedding_idx')");
}
same_answers('posting chains', 'items');

$primary->safe_psql('postgres', 'DELETE FROM items WHERE id > 100000 AND id % 3 > 0');
$primary->safe_psql('postgres', 'VACUUM items');
same_answers('shorter posting chains', 'items');

# Nearly all rows go, from the index's end as well; whatever a vacuum makes of the file, the replica makes of its own.
$primary->safe_psql('postgres', 'DELETE FROM items WHERE id > 500');
$primary->safe_psql('postgres', 'VACUUM items');
fill_vectors($primary, 'items', rows => 100, dims => $dims, first => 300_001, seed => 6);
$primary->safe_psql('postgres', 'VACUUM (TRUNCATE) items');
same_answers('few rows left', 'items');
my $size = "SELECT pg_relation_size('items_embedding_idx')";
is($replica->safe_psql('postgres', $size), $primary->safe_psql('postgres', $size), 'few rows left: size of the index');
fill_vectors($primary, 'items', rows => 1500, dims => $dims, first => 400_001, seed => 7);
$primary->safe_psql('postgres', "SELECT vamana_merge('items_embedding_idx')");
same_answers('many again', 'items');

# A table too small for a graph, where rows come and go: its pending pages are written together again.
fill_vectors($primary, 'small', rows => 200, dims => $dims);
fill_vectors($primary, 'pool', rows => 300, dims => $dims, seed => 8);
$primary->safe_psql('postgres', 'CREATE INDEX small_embedding_idx ON small USING vamana (embedding vector_l2_ops)');
$primary->safe_psql('postgres', join('', map {
	"UPDATE small SET embedding = (SELECT embedding FROM pool WHERE pool.id = small.id + $_) WHERE id % 3 = $_ % 3;\n"
	  . "VACUUM small;\n" } 1 .. 24));
$primary->wait_for_catchup($replica, 'replay', $primary->lsn('insert'));
is(rows_found($replica, 'small', dims => $dims), '200|200|200', 'a small table');
index_is_sound($replica, 'small_embedding_idx', 'a small table: check');
cmp_ok($replica->safe_psql('postgres', "SELECT pending_pages FROM vamana_stats('small_embedding_idx')"),
	'<=', 9, 'a small table: pending pages');

# A scan of the replica that began before a merge and a vacuum are replayed goes on, as far as the snapshot allows.
fill_vectors($primary, 'items', rows => 200, dims => $dims, first => 7001);
$primary->wait_for_catchup($replica, 'replay', $primary->lsn('insert'));
my $reader = $replica->background_psql('postgres');
my $query = random_vector('77', $dims);
my $count = $primary->safe_psql('postgres', 'SELECT count(*) FROM items');
$reader->query_safe("BEGIN ISOLATION LEVEL REPEATABLE READ; SET enable_seqscan = off; SET enable_sort = off;"
	  . " DECLARE c CURSOR FOR SELECT id FROM items ORDER BY embedding <-> $query; FETCH 5 FROM c");
$primary->safe_psql('postgres', "SELECT vamana_merge('items_embedding_idx')");
$primary->wait_for_catchup($replica, 'replay', $primary->lsn('insert'));
my $rest = () = $reader->query_safe('FETCH ALL FROM c') =~ /^\d+$/mg;
is($rest + 5, $count, 'a cursor of the replica goes on over a merge');
$reader->quit;

$replica->promote;
$replica->safe_psql('postgres', 'DELETE FROM items WHERE id % 2 = 0');
fill_vectors($replica, 'items', rows => 500, dims => $dims, first => 10001);
$replica->safe_psql('postgres', 'VACUUM items');
index_is_sound($replica, 'items_embedding_idx', 'written to after promotion');
my ($returned, $different, $rows) = split /\|/, rows_found($replica, 'items', dims => $dims);
is("$returned $different", "$rows $rows", 'all rows after promotion');
cmp_ok(recall($replica, 'items', dims => $dims, queries => 20), '>=', 0.95, 'recall after promotion');

done_testing();

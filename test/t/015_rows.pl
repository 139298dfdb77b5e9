# Rows of few vectors, so that many share a node: inserts of equal vectors, updates that leave the vector alone, deletes,
# scans, merges and vacuums at once. No client gets an error, a scan returns each row that it sees once; afterwards the index
# is sound, also on a replica, and vacuums of an empty table that do not end leave it so. VECIDX_STRESS_SECONDS says how long (6).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my $dims = 8;
my $seconds = $ENV{VECIDX_STRESS_SECONDS} // 6;
my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'wal_consistency_checking = generic');
fill_vectors($node, 'few', rows => 1500, dims => $dims);
$node->safe_psql('postgres', qq(
	CREATE TABLE items (id int, tag int, embedding vector($dims));
	INSERT INTO items SELECT id, id, embedding FROM few;
	INSERT INTO items SELECT 10000 + i, i, embedding FROM few, generate_series(1, 200) i WHERE id <= 10;
	CREATE INDEX ON items (tag);
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 300);
	CREATE SEQUENCE ids START 100000;
	-- Every row that the transaction sees, from the index and from the heap; ERROR when they differ.
	CREATE FUNCTION look_at_all(k int) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off
		SET work_mem = '64kB' AS \$\$
	DECLARE
		query vector := embedding FROM few WHERE id = k;
		by_index bigint; different bigint; by_heap bigint;
	BEGIN
		SELECT count(*), count(DISTINCT ctid) INTO by_index, different
		FROM (SELECT ctid FROM items ORDER BY embedding <-> query) s;
		SELECT count(id + 0) INTO by_heap FROM items;
		IF by_index <> by_heap OR different <> by_heap THEN
			RAISE 'index % (% different), heap %', by_index, different, by_heap;
		END IF;
	END \$\$;
));
my $backup = $node->backup('base');
my $replica = PostgreSQL::Test::Cluster->new('replica');
$replica->init_from_backup($node, 'base', has_streaming => 1);
$replica->start;

my %scripts = (
	update => q(\set k random(1, 1500)
		UPDATE items SET tag = tag + 1 WHERE id = :k;),
	update_copies => q(\set k random(1, 200)
		UPDATE items SET tag = tag WHERE id = 10000 + :k; UPDATE items SET tag = tag + 1 WHERE id = 10000 + :k;),
	insert_copy => q(\set k random(1, 10)
		INSERT INTO items SELECT nextval('ids'), 0, embedding FROM few WHERE id = :k;),
	insert_copies => q(\set k random(1, 10)
		INSERT INTO items SELECT nextval('ids'), 0, embedding FROM few, generate_series(1, 60) WHERE id = :k;),
	delete => q(\set k random(1, 20)
		DELETE FROM items WHERE id > 100000 AND id % 20 = :k - 1;),
	select_all => q(\set k random(1, 1500)
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT look_at_all(:k);
		COMMIT;),
	merge => q(SELECT vamana_merge('items_idx');),
	check => q(SELECT vamana_check('items_idx');),
);
my %weight = (update => 30, update_copies => 10, insert_copy => 10, insert_copies => 3, delete => 2, select_all => 3, merge => 1, check => 1);

my $dir = PostgreSQL::Test::Utils::tempdir();
my @mix;
foreach my $name (sort keys %scripts)
{
	append_to_file("$dir/$name.sql", "$scripts{$name}\n");
	push @mix, '-f', "$dir/$name.sql\@$weight{$name}";
}
append_to_file("$dir/vacuum.sql", "VACUUM items;\n");

my @pgbench = ('pgbench', '-n', '-T', $seconds, '--max-tries=100', '-d', $node->connstr('postgres'));
my ($out, $err, $vacuum_out, $vacuum_err) = ('', '', '', '');
my $clients = IPC::Run::start([ @pgbench, '-c', 6, '-j', 2, @mix ], '>', \$out, '2>', \$err);
my $vacuum = IPC::Run::start([ @pgbench, '-c', 1, '-f', "$dir/vacuum.sql" ], '>', \$vacuum_out, '2>', \$vacuum_err);
ok($clients->finish, 'clients end without an error') or diag($err);
ok($vacuum->finish, 'vacuums end without an error') or diag($vacuum_err);
unlike("$err$vacuum_err", qr/ERROR|WARNING/, 'nobody is told of an error') or diag("$err$vacuum_err");
note($1) if $out =~ /(number of transactions actually processed.*)/;

foreach my $stage ('afterwards', 'merged and vacuumed', 'empty')
{
	$node->wait_for_catchup($replica);
	foreach my $server ($node, $replica)
	{
		my $where = $server->name;
		index_is_sound($server, 'items_idx', "$stage: check on $where");
		my ($returned, $different, $heap) = split /\|/, rows_found($server, 'items', dims => $dims);
		is($returned, $heap, "$stage: every row once on $where");
	}
	$node->safe_psql('postgres', q(SELECT vamana_merge('items_idx')));
	$node->safe_psql('postgres', 'DELETE FROM items') if $stage eq 'merged and vacuumed';
	$node->safe_psql('postgres', 'VACUUM (PARALLEL 0) items');
}
# A vacuum that is cancelled, or a server that is killed, while it drops the graph: the next one ends it.
foreach my $milliseconds (2, 5, 10, 20, 40, 80)
{
	$node->safe_psql('postgres', q(INSERT INTO items SELECT id, id, embedding FROM few, generate_series(1, 4);
		SELECT vamana_merge('items_idx'); DELETE FROM items;));
	$node->psql('postgres', "SET statement_timeout = $milliseconds; VACUUM (PARALLEL 0) items", on_error_stop => 0);
	my $half = $node->safe_psql('postgres', q(SELECT centroids = 0 AND nodes + tombstones > 0 FROM vamana_stats('items_idx')));
	note('in the middle of a drop') if $half eq 't';
	if ($milliseconds > 10)
	{
		$node->stop('immediate');
		$node->start;
	}
	index_is_sound($node, 'items_idx', "a vacuum of $milliseconds ms, check");
	$node->safe_psql('postgres', 'INSERT INTO items SELECT id, id, embedding FROM few WHERE id <= 100');
	is(rows_found($node, 'items', dims => $dims), '100|100|100', 'new rows are found');
	$node->safe_psql('postgres', 'VACUUM (PARALLEL 0) items');
	index_is_sound($node, 'items_idx', 'check after the next vacuum');
	is(rows_found($node, 'items', dims => $dims), '100|100|100', 'new rows are found again');
	$node->safe_psql('postgres', 'DELETE FROM items');
	$node->safe_psql('postgres', 'VACUUM (PARALLEL 0) items');
}
is($node->safe_psql('postgres', q(SELECT pages, centroids FROM vamana_stats('items_idx'))), '1|0', 'nothing is left');
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal|is corrupted|inconsistent page|has no room/, 'nothing bad in the log of ' . $_->name)
  foreach $node, $replica;

done_testing();

# Everything at once on one index: inserts, updates, deletes, ordered scans, merges in the background and by hand, vacuums
# and rebuilds. No client gets an error or a row that is dead, foreign or given twice; afterwards the index is sound and
# returns every row. VECIDX_STRESS_SECONDS says how long (12).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my $dims = 16;
my $seconds = $ENV{VECIDX_STRESS_SECONDS} // 12;
my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'max_connections = 30');

fill_vectors($node, 'items', rows => 3000, dims => $dims);
fill_vectors($node, 'wide', rows => 60, dims => 3072);
# Rows up to id 100 stay for ever; `tag` tells a row from one that took its place in the heap.
$node->safe_psql('postgres', qq(
	CREATE TABLE pool AS SELECT * FROM items;
	CREATE UNIQUE INDEX ON pool (id);
	ALTER TABLE items ADD tag int;
	UPDATE items SET tag = id;
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 500);
	CREATE INDEX wide_idx ON wide USING vamana (embedding vector_l2_ops) WITH (pending_limit = 20);
	CREATE SEQUENCE ids START 10000;
	-- The nearest rows to a row of the pool, as an index scan gives them; ERROR when one is wrong.
	CREATE FUNCTION look(k int, rows int) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS \$\$
	DECLARE
		query vector := embedding FROM pool WHERE id = k;
		last float8 := -1; r record; seen int[] := '{}';
	BEGIN
		FOR r IN SELECT id, tag, embedding <-> query AS distance FROM items ORDER BY embedding <-> query LIMIT rows LOOP
			IF r.id = ANY (seen) THEN RAISE 'row % came twice', r.id; END IF;
			IF r.tag <> r.id THEN RAISE 'row % has tag %', r.id, r.tag; END IF;
			IF r.distance < last THEN RAISE 'distance % after %', r.distance, last; END IF;
			seen := seen || r.id;
			last := r.distance;
		END LOOP;
		IF cardinality(seen) <> rows THEN RAISE '% rows instead of %', cardinality(seen), rows; END IF;
		IF k <= 100 AND rows >= 50 AND NOT k = ANY (seen) THEN RAISE 'row % was not found', k; END IF;
	END \$\$;
	-- Every row that the transaction sees, from the index and from the heap.
	CREATE FUNCTION look_at_all(k int) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off
		SET work_mem = '64kB' AS \$\$
	DECLARE
		query vector := embedding FROM pool WHERE id = k;
		by_index bigint; different bigint; by_heap bigint;
	BEGIN
		SELECT count(*), count(DISTINCT id) INTO by_index, different
		FROM (SELECT id FROM items ORDER BY embedding <-> query) s;
		SELECT count(id + 0) INTO by_heap FROM items;
		IF by_index <> by_heap OR different <> by_heap THEN
			RAISE 'index % (% different), heap %', by_index, different, by_heap;
		END IF;
	END \$\$;
));

my %scripts = (
	insert => q(\set k random(1, 3000)
		INSERT INTO items SELECT n, embedding, n FROM (SELECT nextval('ids')::int AS n, embedding FROM pool WHERE id = :k) s;),
	insert_rolled_back => q(\set k random(1, 2900)
		BEGIN;
		INSERT INTO items SELECT n, embedding, n FROM
			(SELECT nextval('ids')::int AS n, embedding FROM pool WHERE id BETWEEN :k AND :k + 30) s;
		SAVEPOINT s;
		INSERT INTO wide SELECT nextval('ids'), embedding FROM wide ORDER BY id LIMIT 1;
		ROLLBACK TO s;
		ROLLBACK;),
	insert_many => q(\set k random(1, 2900)
		INSERT INTO items SELECT n, embedding, n FROM
			(SELECT nextval('ids')::int AS n, embedding FROM pool WHERE id BETWEEN :k AND :k + 50) s;),
	insert_wide => q(INSERT INTO wide SELECT nextval('ids'), embedding FROM wide ORDER BY id LIMIT 1;),
	update => q(\set k random(101, 3000)
		\set j random(1, 3000)
		UPDATE items SET embedding = (SELECT embedding FROM pool WHERE id = :j) WHERE id = :k;),
	delete => q(\set k random(1, 40)
		DELETE FROM items WHERE id > 10000 AND id % 40 = :k - 1 AND random() < 0.5;),
	delete_wide => q(\set k random(1, 10)
		DELETE FROM wide WHERE id > 10000 AND id % 10 = :k - 1;),
	select => q(\set k random(1, 3000)
		SELECT look(:k, 50);),
	select_many => q(\set k random(1, 100)
		SELECT look(:k, 1500);),
	select_all => q(\set k random(1, 3000)
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT look_at_all(:k);
		COMMIT;),
	select_wide => q(SET enable_seqscan = off;
		\set k random(1, 60)
		SELECT count(*) FROM (SELECT id FROM wide ORDER BY embedding <-> (SELECT embedding FROM wide WHERE id = :k) LIMIT 5) s;),
	merge => q(SELECT vamana_merge('items_idx');),
	merge_wide => q(SELECT vamana_merge('wide_idx');),
	check => q(SELECT vamana_check('items_idx');),
);
my %weight = (insert => 30, insert_rolled_back => 3, insert_many => 6, insert_wide => 4, update => 15, delete => 4, delete_wide => 2,
	select => 12, select_many => 2, select_all => 2, select_wide => 3, merge => 2, merge_wide => 2, check => 1);
# Two vacuums of one table wait for each other, two rebuilds deadlock: one client for them.
my %upkeep = (
	vacuum => [ 6, 'VACUUM items;' ],
	vacuum_wide => [ 6, 'VACUUM wide;' ],
	reindex => [ 1, 'REINDEX INDEX items_idx;' ],
	reindex_concurrently => [ 1, 'REINDEX INDEX CONCURRENTLY items_idx;' ]);

my $dir = PostgreSQL::Test::Utils::tempdir();
my @mix;
foreach my $name (sort keys %scripts)
{
	append_to_file("$dir/$name.sql", "$scripts{$name}\n");
	push @mix, '-f', "$dir/$name.sql\@$weight{$name}";
}
my @upkeep;
foreach my $name (sort keys %upkeep)
{
	append_to_file("$dir/$name.sql", "$upkeep{$name}[1]\n");
	push @upkeep, '-f', "$dir/$name.sql\@$upkeep{$name}[0]";
}

my @pgbench = ('pgbench', '-n', '-T', $seconds, '--max-tries=100', '-d', $node->connstr('postgres'));
my ($out, $err, $upkeep_out, $upkeep_err) = ('', '', '', '');
my $clients = IPC::Run::start([ @pgbench, '-c', 6, '-j', 2, @mix ], '>', \$out, '2>', \$err);
my $keeper = IPC::Run::start([ @pgbench, '-c', 1, @upkeep ], '>', \$upkeep_out, '2>', \$upkeep_err);
ok($clients->finish, 'clients end without an error') or diag($err);
ok($keeper->finish, 'vacuum and rebuilds end without an error') or diag($upkeep_err);
unlike("$err$upkeep_err", qr/ERROR|WARNING/, 'nobody is told of an error') or diag("$err$upkeep_err");
note($1) if $out =~ /(number of transactions actually processed.*)/;
note("upkeep: $1") if $upkeep_out =~ /(number of transactions actually processed.*)/;

foreach my $stage ('afterwards', 'merged and vacuumed')
{
	index_is_sound($node, "${_}_idx", "$stage: $_, check") foreach qw(items wide);
	foreach my $set ([ 'items', $dims ], [ 'wide', 3072 ])
	{
		my ($returned, $different, $heap) = split /\|/, rows_found($node, $set->[0], dims => $set->[1]);
		is("$returned $different", "$heap $heap", "$stage: $set->[0], every row once");
	}
	cmp_ok(recall($node, 'items', dims => $dims, queries => 30), '>=', 0.95, "$stage: recall");
	$node->safe_psql('postgres', "SELECT vamana_merge('items_idx'), vamana_merge('wide_idx')");
	$node->safe_psql('postgres', 'VACUUM items; VACUUM wide');
}
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal|is corrupted|has no room/, "nothing bad in the server's log");

done_testing();

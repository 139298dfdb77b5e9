# Everything at once on two indexes, one of them of vectors kept apart: inserts, updates, deletes, ordered
# scans, merges in the background and by hand, checks, vacuums and rebuilds. No client gets an error or a row
# that is dead, foreign, misplaced or given twice; afterwards the indexes are sound and return every row.
# VECIDX_STRESS_SECONDS says how long (20).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my %dims = (items => 16, wide => 3072);
my %rows = (items => 3000, wide => 120);
my %kept = (items => 100, wide => 20);    # the first rows keep their vectors and stay
my $seconds = $ENV{VECIDX_STRESS_SECONDS} // 20;
my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'max_connections = 30', 'max_wal_size = 4GB',
	'log_statement = none');

# Row `id` has the vector of row `k` of the pool; `tag` tells it from one that took its place in the heap;
# `touched` has an index too, so that its updates are new rows for every index.
$node->safe_psql('postgres', q(
	CREATE SEQUENCE ids START 10000;
	-- REINDEX CONCURRENTLY may invalidate and drop an index after its name was looked up.
	CREATE FUNCTION keep(call text) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		EXECUTE 'SELECT ' || call;
	EXCEPTION WHEN undefined_table OR object_not_in_prerequisite_state THEN
		RETURN;
	END $$));
foreach my $table (sort keys %dims)
{
	fill_vectors($node, "pool_$table", rows => $rows{$table}, dims => $dims{$table});
	my $limit = $table eq 'items' ? 500 : 20;
	$node->safe_psql('postgres', qq(
		CREATE TABLE $table (id int PRIMARY KEY, tag int, k int, touched int DEFAULT 0, embedding vector($dims{$table}));
		INSERT INTO $table SELECT id, id, id, 0, embedding FROM pool_$table;
		CREATE INDEX ON $table (touched);
		CREATE INDEX ${table}_idx ON $table USING vamana (embedding vector_l2_ops) WITH (pending_limit = $limit);
		-- The nearest rows to a row of the pool, as an index scan gives them; ERROR when one is wrong.
		CREATE FUNCTION look_$table(k int, rows int) RETURNS void LANGUAGE plpgsql
			SET enable_seqscan = off SET enable_sort = off SET jit = off AS \$\$
		DECLARE
			query vector := embedding FROM pool_$table WHERE id = look_$table.k;
			last float8 := -1; r record; seen int[] := '{}';
		BEGIN
			FOR r IN SELECT t.id, t.tag, t.embedding <-> query AS distance,
					t.embedding = (SELECT p.embedding FROM pool_$table p WHERE p.id = t.k) AS own
				FROM $table t ORDER BY t.embedding <-> query LIMIT rows
			LOOP
				IF r.id = ANY (seen) THEN RAISE 'row % came twice', r.id; END IF;
				IF r.tag <> r.id THEN RAISE 'row % has tag %', r.id, r.tag; END IF;
				IF r.own IS NOT TRUE THEN RAISE 'row % has a vector that is not its own', r.id; END IF;
				IF rows <= 50 AND r.distance < last THEN RAISE 'distance % after %', r.distance, last; END IF;
				seen := seen || r.id;
				last := r.distance;
			END LOOP;
			IF cardinality(seen) <> rows THEN RAISE '% rows instead of %', cardinality(seen), rows; END IF;
			IF k <= $kept{$table} AND rows >= 50 AND NOT k = ANY (seen) THEN RAISE 'row % was not found', k; END IF;
		END \$\$;
		-- Every row that the transaction sees, from the index and from the heap.
		CREATE FUNCTION look_at_all_$table(k int) RETURNS void LANGUAGE plpgsql
			SET enable_seqscan = off SET enable_sort = off SET jit = off SET work_mem = '64kB' AS \$\$
		DECLARE
			query vector := embedding FROM pool_$table WHERE id = k;
			index_rows bigint; different bigint; index_sum bigint; heap_rows bigint; heap_sum bigint;
		BEGIN
			SELECT count(*), count(DISTINCT id), sum(id) INTO index_rows, different, index_sum
			FROM (SELECT id FROM $table ORDER BY embedding <-> query) s;
			SELECT count(id + 0), sum(id) INTO heap_rows, heap_sum FROM $table;
			IF index_rows <> heap_rows OR different <> heap_rows OR index_sum <> heap_sum THEN
				RAISE 'index % (% different), heap %', index_rows, different, heap_rows;
			END IF;
		END \$\$));
}

sub copies
{
	my ($table, $where) = @_;
	return "INSERT INTO $table SELECT n, n, id, 0, embedding FROM"
	  . " (SELECT nextval('ids')::int AS n, id, embedding FROM pool_$table WHERE $where) s;";
}

# name => [ weight, script ]
my %scripts = (
	insert => [ 30, '\set k random(1, 3000)' . "\n" . copies('items', 'id = :k') ],
	insert_many => [ 6, '\set k random(1, 2900)' . "\n" . copies('items', 'id BETWEEN :k AND :k + 50') ],
	insert_rolled_back => [ 3, '\set k random(1, 2900)' . "\nBEGIN;\n" . copies('items', 'id BETWEEN :k AND :k + 30')
		  . "\nSAVEPOINT s;\n" . copies('wide', 'id = 1') . "\nROLLBACK TO s;\nROLLBACK;" ],
	insert_half => [ 3, '\set k random(1, 100)' . "\nBEGIN;\n" . copies('wide', 'id = :k') . "\nSAVEPOINT s;\n"
		  . copies('items', 'id BETWEEN :k AND :k + 30') . "\nROLLBACK TO s;\n" . copies('items', 'id = :k') . "\nCOMMIT;" ],
	insert_wide => [ 4, '\set k random(1, 120)' . "\n" . copies('wide', 'id = :k') ],
	update => [ 15, q(\set id random(101, 3000)
		\set k random(1, 3000)
		UPDATE items SET k = :k, embedding = (SELECT embedding FROM pool_items WHERE id = :k) WHERE id = :id;) ],
	update_other => [ 10, q(\set id random(1, 3000)
		UPDATE items SET touched = touched + 1 WHERE id = :id;) ],
	update_many => [ 2, q(\set id random(1, 3000)
		UPDATE items SET touched = touched + 1
			WHERE id IN (SELECT id FROM items WHERE id >= :id ORDER BY id LIMIT 30 FOR UPDATE SKIP LOCKED);) ],
	update_wide => [ 3, q(\set id random(21, 120)
		\set k random(1, 120)
		UPDATE wide SET k = :k, embedding = (SELECT embedding FROM pool_wide WHERE id = :k) WHERE id = :id;) ],
	update_other_wide => [ 3, q(\set id random(1, 120)
		UPDATE wide SET touched = touched + 1 WHERE id = :id;) ],
	delete => [ 4, q(\set k random(1, 40)
		DELETE FROM items WHERE id IN
			(SELECT id FROM items WHERE id > 10000 AND id % 40 = :k - 1 AND random() < 0.5 ORDER BY id FOR UPDATE SKIP LOCKED);) ],
	delete_wide => [ 2, q(\set k random(1, 10)
		DELETE FROM wide WHERE id IN
			(SELECT id FROM wide WHERE id > 10000 AND id % 10 = :k - 1 ORDER BY id FOR UPDATE SKIP LOCKED);) ],
	select => [ 12, q(\set k random(1, 3000)
		SELECT look_items(:k, 50);) ],
	select_many => [ 2, q(\set k random(1, 100)
		SELECT look_items(:k, 1500);) ],
	select_wide => [ 4, q(\set k random(1, 120)
		SELECT look_wide(:k, 10);) ],
	select_both => [ 2, q(\set k random(1, 20)
		BEGIN;
		SELECT look_wide(:k, 60);
		SELECT look_items(:k, 10);
		SELECT look_wide(:k, 10);
		COMMIT;) ],
	select_all => [ 2, q(\set k random(1, 120)
		BEGIN ISOLATION LEVEL REPEATABLE READ;
		SELECT look_at_all_items(:k), look_at_all_wide(:k);
		COMMIT;) ],
	merge => [ 2, q(SELECT keep('vamana_merge(''items_idx'')');) ],
	merge_wide => [ 2, q(SELECT keep('vamana_merge(''wide_idx'')');) ],
	check => [ 1, q(SELECT keep('vamana_check(''items_idx'', true)'), keep('vamana_check(''wide_idx'', true)');) ],
);
# Two vacuums of one table wait for each other, two rebuilds deadlock: one client a table for them.
my %upkeep = map { $_ => {
	"vacuum_$_" => [ 5, "VACUUM $_;" ],
	"reindex_$_" => [ 1, "REINDEX INDEX ${_}_idx;" ],
	"reindex_concurrently_$_" => [ 2, "REINDEX INDEX CONCURRENTLY ${_}_idx;" ] } } keys %dims;

my $dir = PostgreSQL::Test::Utils::tempdir();

# Arguments of pgbench for a mix of scripts.
sub mix
{
	my ($scripts) = @_;
	my @mix;
	foreach my $name (sort keys %$scripts)
	{
		my ($weight, $script) = @{ $scripts->{$name} };
		append_to_file("$dir/$name.sql", "$script\n");
		push @mix, '-f', "$dir/$name.sql\@$weight";
	}
	return @mix;
}

my @pgbench = ('pgbench', '-n', '-T', $seconds, '-d', $node->connstr('postgres'));
my (@runs, @out, @err);
foreach my $run ([ 8, \%scripts ], map { [ 1, $upkeep{$_} ] } sort keys %upkeep)
{
	my ($clients, $scripts) = @$run;
	my $n = push(@runs, undef) - 1;
	$runs[$n] = IPC::Run::start([ @pgbench, '-c', $clients, mix($scripts) ], '>', \$out[$n], '2>', \$err[$n]);
}
foreach my $n (0 .. $#runs)
{
	my $who = ('clients', 'upkeep of items', 'upkeep of wide')[$n];
	ok($runs[$n]->finish, "$who: no error") or diag($err[$n]);
	unlike($err[$n], qr/ERROR|WARNING/, "$who: nobody is told of an error");
	note("$who: $1") if $out[$n] =~ /(number of transactions actually processed.*)/;
	note("$1: $2") while $out[$n] =~ /SQL script \d+: \S*?(\w+)\.sql\n.*\n - (\d+) transactions/g;
}

foreach my $stage ('afterwards', 'merged and vacuumed')
{
	foreach my $table (sort keys %dims)
	{
		index_is_sound($node, "${table}_idx", "$stage: $table, check");
		my ($returned, $different, $heap) = split /\|/, rows_found($node, $table, dims => $dims{$table});
		is("$returned $different", "$heap $heap", "$stage: $table, every row once");
		cmp_ok(recall($node, $table, dims => $dims{$table}, queries => $table eq 'items' ? 30 : 10),
			'>=', 0.95, "$stage: $table, recall");
	}
	$node->safe_psql('postgres', "SELECT vamana_merge('items_idx'), vamana_merge('wide_idx')");
	$node->safe_psql('postgres', 'VACUUM items; VACUUM wide');
}
my @bad = grep { /PANIC|FATAL|ERROR|WARNING|TRAP|terminated by signal/ } split /\n/, slurp_file($node->logfile);
is(scalar(@bad), 0, "nothing bad in the server's log") or diag(join("\n", grep { defined } @bad[ 0 .. 9 ]));

done_testing();

# Transactions that end long after their statements, or not as hoped: prepared ones that outlive a merge, a
# vacuum and a crash, and large inserts that are rolled back again and again, whose space is used again.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my %dims = (items => 16, wide => 3072);
my $node = vecidx_node('main', 'autovacuum = off', 'jit = off', 'max_prepared_transactions = 10');
fill_vectors($node, 'items', rows => 1500, dims => $dims{items});
fill_vectors($node, 'wide', rows => 120, dims => $dims{wide});
foreach my $table (sort keys %dims)
{
	fill_vectors($node, "more_$table", rows => $table eq 'items' ? 600 : 40, dims => $dims{$table}, seed => 2, first => 10001);
	$node->safe_psql('postgres',
		"CREATE INDEX ${table}_idx ON $table USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000)");
}

# Every row once; the number of rows is `wanted`.
sub all_is_there
{
	my ($table, $wanted, $name) = @_;
	is(rows_found($node, $table, dims => $dims{$table}), "$wanted|$wanted|$wanted", "$name: $table, every row once");
	index_is_sound($node, "${table}_idx", "$name: $table, check");
	return;
}

sub merge { return $node->safe_psql('postgres', "SELECT vamana_merge('items_idx'), vamana_merge('wide_idx')") }

# Prepared inserts, some of them merged, updates and deletes; a crash; then some are committed, some not.
$node->safe_psql('postgres', $_) foreach (
	"BEGIN; INSERT INTO items SELECT * FROM more_items WHERE id % 3 = 0; INSERT INTO wide SELECT * FROM more_wide WHERE id % 2 = 0;"
	  . " PREPARE TRANSACTION 'kept'",
	"BEGIN; INSERT INTO items SELECT * FROM more_items WHERE id % 3 = 1; INSERT INTO wide SELECT * FROM more_wide WHERE id % 2 = 1;"
	  . " SELECT vamana_merge('items_idx'); PREPARE TRANSACTION 'dropped'",
	"BEGIN; DELETE FROM items WHERE id % 10 = 0 AND id <= 1500; DELETE FROM wide WHERE id % 10 = 0 AND id <= 120;"
	  . " PREPARE TRANSACTION 'deleted'",
	"BEGIN; DELETE FROM items WHERE id % 10 = 1 AND id <= 1500; PREPARE TRANSACTION 'not deleted'",
	"BEGIN; UPDATE items SET embedding = embedding + embedding WHERE id % 10 = 2 AND id <= 1500;"
	  . " SAVEPOINT s; UPDATE items SET embedding = embedding - embedding WHERE id % 10 = 3; ROLLBACK TO s; PREPARE TRANSACTION 'updated'");
all_is_there('items', 1500, 'prepared');
all_is_there('wide', 120, 'prepared');
$node->safe_psql('postgres', 'INSERT INTO items SELECT * FROM more_items WHERE id % 3 = 2');
merge();
$node->safe_psql('postgres', 'VACUUM items; VACUUM wide');
all_is_there('items', 1700, 'prepared, merged and vacuumed');
all_is_there('wide', 120, 'prepared, merged and vacuumed');
$node->stop('immediate');
$node->start;
all_is_there('items', 1700, 'after a crash');
$node->safe_psql('postgres', "COMMIT PREPARED 'kept'; ROLLBACK PREPARED 'dropped'; COMMIT PREPARED 'deleted';"
	  . " ROLLBACK PREPARED 'not deleted'; COMMIT PREPARED 'updated'");
all_is_there('items', 1700 + 200 - 150, 'ended');
all_is_there('wide', 120 + 20 - 12, 'ended');
$node->safe_psql('postgres', 'VACUUM items; VACUUM wide');
merge();
all_is_there('items', 1700 + 200 - 150, 'ended, merged and vacuumed');
all_is_there('wide', 120 + 20 - 12, 'ended, merged and vacuumed');
cmp_ok(recall($node, 'items', dims => $dims{items}, queries => 20), '>=', 0.95, 'prepared: recall');

# Prepared changes of the index itself.
$node->safe_psql('postgres', "BEGIN; CREATE TABLE later (id int, embedding vector($dims{items}));"
	  . ' CREATE INDEX later_idx ON later USING vamana (embedding vector_l2_ops);'
	  . " INSERT INTO later SELECT * FROM items; PREPARE TRANSACTION 'made'");
$node->safe_psql('postgres', "BEGIN; DROP INDEX wide_idx; CREATE INDEX wide_idx ON wide USING vamana (embedding vector_cosine_ops);"
	  . " PREPARE TRANSACTION 'remade'");
$node->stop('immediate');
$node->start;
$node->safe_psql('postgres', "COMMIT PREPARED 'made'; ROLLBACK PREPARED 'remade'");
is(rows_found($node, 'later', dims => $dims{items}), '1750|1750|1750', 'made by a prepared transaction: every row once');
index_is_sound($node, 'later_idx', 'made by a prepared transaction: check');
all_is_there('wide', 128, 'a prepared rebuild that was rolled back');

# Large inserts rolled back: what they took is taken again, whether they had been merged or not. Every round
# is like the one before, so the index does not grow from some round on.
foreach my $set ([ 'items', 'pending', '' ], [ 'items', 'merged', "SELECT vamana_merge('items_idx');" ],
	[ 'wide', 'pending', '' ], [ 'wide', 'merged', "SELECT vamana_merge('wide_idx');" ])
{
	my ($table, $how, $merge) = @$set;
	my $rows = $node->safe_psql('postgres', "SELECT count(*) FROM $table");
	my @pages;
	foreach my $round (1 .. 6)
	{
		$node->safe_psql('postgres', "BEGIN; INSERT INTO $table SELECT 100000 + id, embedding FROM more_$table;"
			  . " INSERT INTO $table SELECT 200000 + id, embedding + embedding FROM more_$table; $merge ROLLBACK");
		$node->safe_psql('postgres', "VACUUM $table");
		push @pages, $node->safe_psql('postgres', "SELECT pg_relation_size('${table}_idx') / 8192");
	}
	note("$table, $how: pages @pages");
	cmp_ok($pages[5], '<=', 1.02 * $pages[2], "$table, $how: does not keep growing when inserts are rolled back");
	all_is_there($table, $rows, "$how, rolled back six times");
}
cmp_ok(recall($node, 'items', dims => $dims{items}, queries => 20), '>=', 0.95, 'rolled back: recall');

# The same of single rows, each in a subtransaction.
$node->safe_psql('postgres', q(DO $$
	BEGIN
		FOR i IN 1 .. 300 LOOP
			BEGIN
				INSERT INTO items SELECT 300000 + id, embedding FROM more_items WHERE id = 10000 + i;
				IF i % 3 > 0 THEN RAISE EXCEPTION 'no'; END IF;
			EXCEPTION WHEN raise_exception THEN
				CONTINUE;
			END;
		END LOOP;
		PERFORM vamana_merge('items_idx');
	END $$));
all_is_there('items', 1750 + 100, 'subtransactions');
$node->safe_psql('postgres', 'VACUUM items');
all_is_there('items', 1750 + 100, 'subtransactions, vacuumed');

done_testing();

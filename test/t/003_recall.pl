# Recall@10 of the default settings, for each operator class, on structured data: after a build, after half of the rows
# were inserted and merged, after deletes and vacuum, with duplicates, and after everything was replaced.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my ($rows, $dims) = (4000, 16);
my %operators = (l2 => '<->', ip => '<#>', cosine => '<=>', l1 => '<+>');
my $node = vecidx_node('main', 'autovacuum = off');

sub recall_is_high
{
	my ($class, $stage, $bound) = @_;
	my $recall = recall($node, "t_$class", dims => $dims, operator => $operators{$class}, queries => 40);
	cmp_ok($recall, '>=', $bound // 0.97, "$class, $stage");
	index_is_sound($node, "t_${class}_embedding_idx", "$class, $stage: check");
	return;
}

sub rows_are_found
{
	my ($class, $stage) = @_;
	my ($returned, $different, $heap) =
	  split /\|/, rows_found($node, "t_$class", dims => $dims, operator => $operators{$class});
	is("$returned $different", "$heap $heap", "$class, $stage: every row once");
	return;
}

fill_vectors($node, 'source', rows => $rows, dims => $dims);
foreach my $class (sort keys %operators)
{
	my ($table, $index) = ("t_$class", "t_${class}_embedding_idx");
	$node->safe_psql('postgres', qq(
		CREATE TABLE $table AS SELECT * FROM source;
		CREATE INDEX ON $table USING vamana (embedding vector_${class}_ops)));
	recall_is_high($class, 'build');

	$node->safe_psql('postgres', qq(
		DROP INDEX $index; DELETE FROM $table WHERE id > $rows / 2;
		CREATE INDEX ON $table USING vamana (embedding vector_${class}_ops);
		INSERT INTO $table SELECT * FROM source WHERE id > $rows / 2));
	recall_is_high($class, 'half pending');
	$node->safe_psql('postgres', "SELECT vamana_merge('$index')");
	recall_is_high($class, 'half merged');

	# clusters apart, too: ids are dense, so a third of them hits every region
	$node->safe_psql('postgres', "DELETE FROM $table WHERE id % 10 < 3");
	recall_is_high($class, 'dead rows');
	$node->safe_psql('postgres', "VACUUM $table");
	recall_is_high($class, 'vacuum');
	rows_are_found($class, 'vacuum');

	$node->safe_psql('postgres', qq(
		INSERT INTO $table SELECT $rows * 10 + i * 100 + id, embedding FROM source, generate_series(1, 40) i WHERE id <= 20));
	recall_is_high($class, 'duplicates pending');
	$node->safe_psql('postgres', "SELECT vamana_merge('$index')");
	recall_is_high($class, 'duplicates merged');
	rows_are_found($class, 'duplicates');
}

# All rows deleted, others inserted: the graph grows again from a single dead node, in a space trained for what is gone.
$node->safe_psql('postgres', 'DELETE FROM t_l2');
$node->safe_psql('postgres', 'VACUUM t_l2');
is(rows_found($node, 't_l2', dims => $dims), '0|0|0', 'nothing is left');
fill_vectors($node, 't_l2', rows => 2000, dims => $dims, seed => 5);
$node->safe_psql('postgres', 'VACUUM t_l2');
recall_is_high('l2', 'all replaced', 0.9);
rows_are_found('l2', 'all replaced');

# Ten rounds of replacing a tenth, merged and repaired each time.
foreach my $round (1 .. 10)
{
	$node->safe_psql('postgres', "DELETE FROM t_cosine WHERE id % 10 = $round - 1");
	fill_vectors($node, 't_cosine', rows => 250, dims => $dims, first => 1000000 + 1000 * $round, seed => 6);
	$node->safe_psql('postgres', 'VACUUM t_cosine');
}
recall_is_high('cosine', 'replaced in ten rounds');
rows_are_found('cosine', 'replaced in ten rounds');

done_testing();

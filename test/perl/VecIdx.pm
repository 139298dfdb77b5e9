# What the TAP tests share: a server with the extension, deterministic vectors, and the one measure of recall.
#
#   use VecIdx;
#   my $node = vecidx_node('primary', 'autovacuum = off');
#   fill_vectors($node, 'items', rows => 5000, dims => 16);          # items(id int PRIMARY KEY, embedding vector)
#   $node->safe_psql('postgres', 'CREATE INDEX ON items USING vamana (embedding vector_l2_ops)');
#   cmp_ok(recall($node, 'items', dims => 16), '>=', 0.95, 'recall after the build');
package VecIdx;

use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;

our @EXPORT = qw(vecidx_node fill_vectors random_vector recall);

# A running server with the extension in its database `postgres`. Further arguments are lines of postgresql.conf;
# 'allows_streaming' is not one of them: for replicas call PostgreSQL::Test::Cluster directly.
sub vecidx_node
{
	my ($name, @conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 1);
	$node->append_conf('postgresql.conf', join("\n", @conf) . "\n") if @conf;
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION vecidx');
	return $node;
}

# SQL for a pseudo-random array of `dims` values in [0, 1) that depends on the SQL expression `seed` alone, the
# same on every server version.
sub random_vector
{
	my ($seed, $dims) = @_;
	return "(SELECT array_agg((hashint8extended(d, ($seed)::bigint) & 65535) / 65536.0::real ORDER BY d)"
	  . " FROM generate_series(1, $dims) d)::real[]::vector";
}

# Creates `table` when it is not there and adds rows with ids from `first` (1) on. Options: rows, dims, first, seed.
sub fill_vectors
{
	my ($node, $table, %opt) = @_;
	my ($rows, $dims, $first, $seed) = ($opt{rows}, $opt{dims}, $opt{first} // 1, $opt{seed} // 1);
	my $last = $first + $rows - 1;
	my $vector = random_vector("${seed}::bigint * 1000000000 + i", $dims);
	$node->safe_psql('postgres', qq(
		CREATE TABLE IF NOT EXISTS $table (id int PRIMARY KEY, embedding vector($dims));
		INSERT INTO $table SELECT i, $vector FROM generate_series($first, $last) i;
	));
	return;
}

# The share of the true `k` nearest neighbours that index scans return, over `queries` random queries. A row as
# near as the true k-th counts as right. Options: dims, k (10), queries (50), operator ('<->'), where ('true'),
# column ('embedding'), settings (SQL before the scans), seed (99).
sub recall
{
	my ($node, $table, %opt) = @_;
	my ($k, $queries, $op) = ($opt{k} // 10, $opt{queries} // 50, $opt{operator} // '<->');
	my ($where, $column, $settings) = ($opt{where} // 'true', $opt{column} // 'embedding', $opt{settings} // '');
	my $query = random_vector(($opt{seed} // 99) . '::bigint * 1000000000 + i', $opt{dims});
	my $nearest = "SELECT $column $op query AS distance FROM $table WHERE $where ORDER BY $column $op query LIMIT $k";
	return $node->safe_psql('postgres', qq(
		$settings;
		CREATE TEMP TABLE recall_query AS SELECT i, $query AS query FROM generate_series(1, $queries) i;
		SET enable_seqscan = off;
		CREATE TEMP TABLE recall_found AS SELECT i, distance FROM recall_query, LATERAL ($nearest) n;
		SET enable_seqscan = on;
		SET enable_indexscan = off;
		SET enable_bitmapscan = off;
		CREATE TEMP TABLE recall_true AS SELECT i, distance FROM recall_query, LATERAL ($nearest) n;
		SELECT round(least(count(*) FILTER (WHERE found.distance <= kth.distance)::numeric
				/ (SELECT count(*) FROM recall_true), 1), 4)
		FROM recall_found found JOIN (SELECT i, max(distance) AS distance FROM recall_true GROUP BY i) kth USING (i);
	));
}

1;

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
use Test::More ();
use Time::HiRes qw(usleep);

our @EXPORT = qw(vecidx_node kill_server start_again fill_vectors random_vector recall rows_found all_rows_are_found index_is_sound
	is_merge_unfinished);

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

# Kills a server with SIGKILL; its children notice.
sub kill_server
{
	my ($node) = @_;
	$node->kill9;
	usleep(200_000);
	return;
}

# Starts a server that was killed. What is left of it may still hold its memory for a while.
sub start_again
{
	my ($node) = @_;
	for (1 .. 50)
	{
		return if $node->start(fail_ok => 1);
		usleep(200_000);
		$node->stop('fast', fail_ok => 1);
	}
	Test::More::BAIL_OUT('the server does not start again');
	return;
}

# SQL for a vector of `dims` values that depends on the SQL expression `seed` alone, the same on every server version.
# Vectors are structured as embeddings are: cluster centres lie on a curved surface of three dimensions, each vector
# near its cluster's centre on that surface, and a little noise in every dimension takes it off.
sub random_vector
{
	my ($seed, $dims) = @_;
	my $unit = sub { my ($a, $b) = @_; return "((hashint8extended($a, $b) & 65535) / 65536.0::float8)" };
	my $cluster = '(hashint8extended(0, at) & 31)';
	my @place = map { $unit->("-$_", $cluster) . ' + 0.25 * ' . $unit->($_, 'at') . " AS z$_" } 1 .. 3;
	my $angle = join(' + ', map { '2 * ' . $unit->('d', -$_) . " * z$_" } 1 .. 3);
	return "(SELECT array_agg((sin(3 * ($angle) + d) + 0.1 * " . $unit->('d + 10', 'at') . ")::real ORDER BY d)"
	  . " FROM (SELECT at, " . join(', ', @place) . " FROM (SELECT ($seed)::bigint AS at) s) p,"
	  . " generate_series(1, $dims) d)::real[]::vector";
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

# Rows of `table` as a scan of its index returns them all, in order: how many there are, how many of them are different,
# and how many the heap has, as 'returned|different|in heap'. Options: dims, operator, column, settings, k (no limit).
sub rows_found
{
	my ($node, $table, %opt) = @_;
	my ($op, $column, $settings) = ($opt{operator} // '<->', $opt{column} // 'embedding', $opt{settings} // '');
	my $query = random_vector('77', $opt{dims});
	return $node->safe_psql('postgres', qq(
		$settings;
		SET enable_seqscan = off;
		SET enable_sort = off;
		SELECT count(*), count(DISTINCT id), (SELECT count(id + 0) FROM $table)
		FROM (SELECT id FROM $table ORDER BY $column $op $query) found;
	));
}

# A test: a scan of the index returns every row of `table` once.
sub all_rows_are_found
{
	my ($node, $table, $dims, $name) = @_;
	my ($returned, $different, $heap) = split /\|/, rows_found($node, $table, dims => $dims);
	return Test::More::is("$returned $different", "$heap $heap", "$name: every row once");
}

# Whether the metapage says that a batch is being written: Meta::merging in src/storage/layout.hpp. Takes pageinspect.
sub is_merge_unfinished
{
	my ($node, $index) = @_;
	my ($page_header, $merging) = (24, 112);
	my $page = $node->safe_psql('postgres', "SELECT encode(get_raw_page('$index', 0), 'hex')");
	return substr($page, 2 * ($page_header + $merging), 8) ne '00000000';
}

# A test: vamana_check finds nothing wrong with the index and every heap row in it.
sub index_is_sound
{
	my ($node, $index, $name) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT vamana_check('$index', true)");
	return Test::More::ok($status == 0 && $err eq '', $name) || Test::More::diag($err);
}

1;

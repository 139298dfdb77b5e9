# Databases with the extension on their way elsewhere: pg_dump in its formats, pg_upgrade (which takes the
# files of the indexes along), and logical replication into a table with indexes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my %dims = (items => 16, wide => 3072, cosine => 16, parts => 16, brief => 16);
my @tables = qw(items wide cosine parts);
my %operator = (items => '<->', wide => '<->', cosine => '<=>', parts => '<->');
my @conf = ('autovacuum = off', 'jit = off', 'wal_level = logical');
my $node = vecidx_node('old', @conf);
my $dir = PostgreSQL::Test::Utils::tempdir();

fill_vectors($node, 'items', rows => 1500, dims => $dims{items});
fill_vectors($node, 'wide', rows => 120, dims => $dims{wide});
$node->safe_psql('postgres', qq(
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops)
		WITH (max_degree = 32, code_bits = 4, alpha = 1.1, build_list_size = 60, search_list_size = 80, pending_limit = 100000);
	CREATE INDEX wide_idx ON wide USING vamana (embedding vector_l2_ops) WITH (pending_limit = 100000);
	CREATE UNLOGGED TABLE cosine (id int, embedding vector($dims{cosine}));
	INSERT INTO cosine SELECT * FROM items;
	CREATE INDEX cosine_idx ON cosine USING vamana (embedding vector_cosine_ops) WHERE id % 3 < 3;
	ALTER INDEX cosine_idx SET (search_list_size = 90);
	CREATE TABLE parts (id int, embedding vector($dims{parts})) PARTITION BY LIST (id);
	CREATE TABLE parts_1 PARTITION OF parts DEFAULT;
	CREATE INDEX parts_idx ON parts USING vamana (embedding vector_l2_ops);
	INSERT INTO parts SELECT * FROM items;
	CREATE VIEW near AS SELECT id FROM items ORDER BY embedding <-> (SELECT embedding FROM items WHERE id = 7) LIMIT 5;
	CREATE STATISTICS items_stat ON (vector_norm(embedding)) FROM items;
	ANALYZE items;
	-- dead rows, tombstones, pending rows: what a dump does not keep and an upgrade does
	DELETE FROM items WHERE id % 10 = 0;
	DELETE FROM wide WHERE id % 10 = 0;
	VACUUM items, wide;
	DELETE FROM items WHERE id % 10 = 1;
	INSERT INTO wide SELECT 1000 + id, embedding + embedding FROM wide LIMIT 20));
fill_vectors($node, 'items', rows => 300, dims => $dims{items}, first => 5001);

# What a user sees of a database: the definitions of its indexes, its rows, its answers.
sub definitions
{
	return $_[0]->safe_psql($_[1], q(SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index JOIN pg_class c ON c.oid = indexrelid
		JOIN pg_am a ON a.oid = c.relam WHERE amname = 'vamana' ORDER BY 1));
}

sub contents
{
	my ($server, $database) = @_;
	return join("\n", map { $server->safe_psql($database,
			"SELECT '$_', count(*), sum(id), sum(hashtext(embedding::text)) FROM $_") } @tables)
	  . "\n" . $server->safe_psql($database, 'SELECT array_agg(id) FROM near');
}

my ($definitions, $contents) = (definitions($node, 'postgres'), contents($node, 'postgres'));
my %heap = map { $_ => $node->safe_psql('postgres', "SELECT count(*) FROM $_") } @tables;

sub all_is_the_same
{
	my ($server, $database, $name) = @_;
	is(definitions($server, $database), $definitions, "$name: indexes");
	is(contents($server, $database), $contents, "$name: contents");
	answers_are_right($server, $database, $name);
	return;
}

sub answers_are_right
{
	my ($server, $database, $name) = @_;
	foreach my $table (@tables)
	{
		my $index = $table eq 'parts' ? 'parts_1_embedding_idx' : "${table}_idx";
		my $query = random_vector('77', $dims{$table});
		my $where = $table eq 'cosine' ? 'WHERE id % 3 < 3' : '';
		my $near = "FROM (SELECT id FROM $table $where ORDER BY embedding $operator{$table} $query) s";
		like($server->safe_psql($database, qq(
				SET enable_seqscan = off;
				SET enable_sort = off;
				EXPLAIN (COSTS OFF) SELECT id $near;
				SELECT count(*), count(DISTINCT id) $near;
				SELECT vamana_check('$index', true))),
			qr/Index Scan using $index.*\n$heap{$table}\|$heap{$table}\s*$/s, "$name: $table, every row once, by the index");
	}
	return;
}

answers_are_right($node, 'postgres', 'before');

# pg_dump: plain, and custom, restored by two processes.
my @dump = ('pg_dump', '--no-sync', '-d', $node->connstr('postgres'));
sub restored
{
	my ($name, $dump, @restore) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $name");
	$node->command_ok([ @dump, @$dump ], "$name: dumped");
	$node->command_ok([ @$_, '-d', $node->connstr($name) ], "$name: restored") foreach @restore;
	all_is_the_same($node, $name, $name);
	return;
}
restored('plain', [ '-f', "$dir/plain.sql" ], [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$dir/plain.sql" ]);
restored('custom', [ '-Fc', '-f', "$dir/custom" ],
	map { [ 'pg_restore', '--exit-on-error', '-j', 2, "--section=$_", "$dir/custom" ] } qw(pre-data data post-data));
# the data into tables whose indexes are there already
restored('data', [ '--inserts', '--rows-per-insert=50', '-Fd', '-j', 2, '-f', "$dir/data" ],
	[ 'pg_restore', '--exit-on-error', '--schema-only', "$dir/data" ], [ 'pg_restore', '--exit-on-error', '--data-only', "$dir/data" ]);
unlike(slurp_file("$dir/plain.sql"), qr/vamana_check|CREATE OPERATOR|CREATE ACCESS METHOD/,
	'the dump makes the extension, not what is in it');

# Logical replication: the first copy, then changes, into tables with indexes of their own.
my $subscriber = vecidx_node('subscriber', @conf);
$subscriber->safe_psql('postgres', qq(
	CREATE TABLE items (id int PRIMARY KEY, embedding vector($dims{items}));
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 300);
	CREATE TABLE wide (id int PRIMARY KEY, embedding vector($dims{wide}));
	CREATE INDEX wide_idx ON wide USING vamana (embedding vector_l2_ops) WITH (pending_limit = 20);
	CREATE TABLE brief (id int PRIMARY KEY, embedding vector($dims{brief}));
	CREATE INDEX brief_idx ON brief USING vamana (embedding vector_l2_ops)));
fill_vectors($node, 'brief', rows => 1200, dims => $dims{brief});
$node->safe_psql('postgres', 'CREATE PUBLICATION p FOR TABLE items, wide, brief');
my $from = $node->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '$from' PUBLICATION p");
$subscriber->wait_for_subscription_sync($node, 's');

sub replicated
{
	my ($name) = @_;
	$node->wait_for_catchup('s');
	foreach my $table (qw(items wide brief))
	{
		my $rows = "SELECT count(*), sum(id), sum(hashtext(embedding::text)) FROM $table";
		is($subscriber->safe_psql('postgres', $rows), $node->safe_psql('postgres', $rows), "$name: $table, contents");
		index_is_sound($subscriber, "${table}_idx", "$name: $table, check");
		my ($returned, $different, $heap) = split /\|/, rows_found($subscriber, $table, dims => $dims{$table});
		is("$returned $different", "$heap $heap", "$name: $table, every row once");
	}
	return;
}
replicated('the first copy');
fill_vectors($node, 'items', rows => 1000, dims => $dims{items}, first => 20001);
fill_vectors($node, 'wide', rows => 30, dims => $dims{wide}, first => 20001);
$node->safe_psql('postgres', 'UPDATE items SET embedding = embedding + embedding WHERE id % 7 = 2; UPDATE wide SET id = id + 100000 WHERE id % 7 = 2;'
	  . ' DELETE FROM items WHERE id % 7 = 3; DELETE FROM wide WHERE id % 7 = 3;'
	  . ' BEGIN; INSERT INTO items SELECT id + 50000, embedding FROM items; ROLLBACK');
replicated('changes');
$subscriber->safe_psql('postgres', 'VACUUM items; VACUUM wide');
replicated('changes, vacuumed');
$node->safe_psql('postgres', 'TRUNCATE brief; INSERT INTO brief SELECT * FROM items LIMIT 50');
replicated('truncated');
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$subscriber->stop;

# pg_upgrade, of one version to itself: the indexes' files are linked, not built.
$node->safe_psql('postgres', 'DROP PUBLICATION p; DROP TABLE brief');
($definitions, $contents) = (definitions($node, 'postgres'), contents($node, 'postgres'));
%heap = map { $_ => $node->safe_psql('postgres', "SELECT count(*) FROM $_") } @tables;
$node->safe_psql('postgres', 'DROP DATABASE plain; DROP DATABASE custom; DROP DATABASE data');
my $stats = $node->safe_psql('postgres', "SELECT * FROM vamana_stats('items_idx')");
$node->stop;
my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
my $bindir = $node->config_data('--bindir');
chdir $dir;
command_ok([ 'pg_upgrade', '--no-sync', '--link', '-d', $node->data_dir, '-D', $new->data_dir, '-b', $bindir, '-B', $bindir,
		'-s', $new->host, '-p', $node->port, '-P', $new->port ], 'pg_upgrade');
$new->append_conf('postgresql.conf', join("\n", @conf) . "\n");
$new->start;
is($new->safe_psql('postgres', "SELECT * FROM vamana_stats('items_idx')"), $stats, 'upgraded: the index is the old one');
all_is_the_same($new, 'postgres', 'upgraded');
fill_vectors($new, 'items', rows => 200, dims => $dims{items}, first => 30001);
$heap{items} += 200;
$new->safe_psql('postgres', 'VACUUM items');
answers_are_right($new, 'postgres', 'upgraded, and written to');

done_testing();

# Damage to index files: vamana_check finds it and says where, and queries give rows or an error of their own, whatever
# the damage. Every kind of damage has a table and an index to itself, so the server stops only once.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my ($rows, $dims, $page_size) = (1500, 16, 8192);
my %kind = (codebook => 2, node => 3, pending => 4, posting => 5);

# Without checksums, which would find everything first; a server may have them by default.
my $node = vecidx_node('damaged', 'autovacuum = off', 'max_wal_senders = 0', 'wal_level = minimal', 'fsync = off');
if ($node->safe_psql('postgres', 'SHOW data_checksums') eq 'on')
{
	$node->stop;
	$node->command_ok([ 'pg_checksums', '--disable', '--pgdata', $node->data_dir ], 'checksums are off');
	$node->start;
}

fill_vectors($node, 'source', rows => $rows, dims => $dims);

# What the file of an index looks like. Offsets of a node's parts, as include/vecidx/node.hpp has them.
my ($degree, $bits, $node_bytes, $per_page);
my (%own, $header_bytes, $page_header);
($header_bytes, $page_header) = (64, 24);

sub round8 { return int(($_[0] + 7) / 8) * 8; }

sub read_file
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/ = undef;
	return [ unpack("(a$page_size)*", <$file>) ];
}

sub write_file
{
	my ($path, $pages) = @_;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file @$pages;
	close($file) or die "$path: $!";
	return;
}

# A page's tail: next, sequence, kind, flags, count, page_id.
sub tail { return unpack('L2S4', substr($_[0], $page_size - 16)); }

sub blocks_of_kind
{
	my ($pages, $name) = @_;
	return grep { (tail($pages->[$_]))[2] == $kind{$name} } 1 .. $#$pages;
}

# Changes bytes of a page: put($pages, $block, $offset, 'S', 7).
sub put
{
	my ($pages, $block, $offset, $format, @values) = @_;
	my $bytes = pack($format, @values);
	substr($pages->[$block], $offset, length($bytes)) = $bytes;
	return;
}

sub get
{
	my ($pages, $block, $offset, $format) = @_;
	return unpack("x$offset $format", $pages->[$block]);
}

# Where a part of the node with an id lies: block and offset.
sub place
{
	my ($id, $part) = @_;
	return (int($id / $per_page), $page_header + ($id % $per_page) * $node_bytes + $part);
}

# The first node, by its id.
sub first_node
{
	my ($pages) = @_;
	my ($block) = blocks_of_kind($pages, 'node');
	return $block * $per_page;
}

sub edge_offset { my ($lane) = @_; return $own{ids} + 4 * $lane; }

# Changes a pinned bit of the first lane of any node that has it as `was`.
sub flip_pin
{
	my ($pages, $was) = @_;
	for my $block (blocks_of_kind($pages, 'node'))
	{
		for my $slot (0 .. $per_page - 1)
		{
			my (undef, $at) = place($block * $per_page + $slot, $own{pinned});
			my $byte = get($pages, $block, $at, 'C');
			next if ($byte & 1) != $was || get($pages, $block, $at - $own{pinned}, 'S') == 0;
			put($pages, $block, $at, 'C', $byte ^ 1);
			return;
		}
	}
	die 'no such edge';
}

# name, what the check says, how to damage the pages, and 'heap' where only heapallindexed finds it.
my @damages = (
	[ 'edge_to_another', qr/Node \d+ has an edge to node \d+ with a code that is not that node's/,
		sub { my $id = first_node($_[0]); my ($block, $at) = place($id, edge_offset(0));
			my %had = map { $_ => 1 } get($_[0], $block, $at, "L$degree");
			my ($other) = grep { !$had{$_} } $id + 1 .. $id + $degree + 2;
			put($_[0], $block, $at, 'L', $other); } ],
	[ 'edge_past_end', qr/has an edge to node 16777215, which is past the end of the index/,
		sub { put($_[0], place(first_node($_[0]), edge_offset(0)), 'L', 0xffffff); } ],
	[ 'edge_nowhere', qr/has an edge to node 4294967295, which is past the end/,
		sub { put($_[0], place(first_node($_[0]), edge_offset(1)), 'L', 0xffffffff); } ],
	[ 'edge_to_itself', qr/Node \d+ has an edge to itself/,
		sub { my $id = first_node($_[0]); put($_[0], place($id, edge_offset(0)), 'L', $id); } ],
	[ 'edge_code', qr/has an edge to node \d+ with a code that is not that node's/,
		sub { my @at = place(first_node($_[0]), $own{codes}); put($_[0], @at, 'C', get($_[0], @at, 'C') ^ 255); } ],
	[ 'edge_centroid', qr/has an edge to node \d+ with a code that is not that node's/,
		sub { put($_[0], place(first_node($_[0]), $own{centroid}), 'C', 255); } ],
	[ 'edge_factor', qr/has an edge to node \d+ with a code that is not that node's/,
		sub { put($_[0], place(first_node($_[0]), $own{add}), 'L', 0x7fc00000); } ],
	[ 'own_code', qr/Node \d+ has a code that is not that of its vector/,
		sub { my @at = place(first_node($_[0]), $header_bytes); put($_[0], @at, 'C', get($_[0], @at, 'C') ^ 1); } ],
	[ 'own_vector', qr/has a code that is not that of its vector/,
		sub { my @at = place(first_node($_[0]), $own{vector}); put($_[0], @at, 'S', get($_[0], @at, 'S') ^ 0x8400); } ],
	[ 'own_not_finite', qr/has a vector that is not finite/,
		sub { put($_[0], place(first_node($_[0]), $own{vector}), 'S', 0x7e00); } ],
	[ 'degree', qr/has degree 60000, at most \d+ is possible/,
		sub { put($_[0], place(first_node($_[0]), 2), 'S', 60000); } ],
	[ 'unit', qr/has a number out of range/,
		sub { put($_[0], place(first_node($_[0]), 12), 'L', 0x7f800000); } ],
	[ 'tid_count', qr/says that it holds 200 rows, at most 3 fit/,
		sub { put($_[0], place(first_node($_[0]), 5), 'C', 200); } ],
	[ 'tid_nowhere', qr/\(4294967295,\d+\) is no place of a heap row/,
		sub { put($_[0], place(first_node($_[0]), 38), 'S2', 0xffff, 0xffff); } ],
	[ 'tid_other', qr/Row \(\d+,\d+\) of the table is not in the index/,
		sub { put($_[0], place(first_node($_[0]), 38), 'S3', 0, 0, 2000); }, 'heap' ],
	[ 'free_slot', qr/which is not in use/,
		sub { put($_[0], place(first_node($_[0]), 0), 'S', 0); } ],
	[ 'pin_lost', qr/Node \d+ is not the target of a pinned edge/, sub { flip_pin($_[0], 1); } ],
	[ 'pin_twice', qr/has a pinned edge to node \d+/, sub { flip_pin($_[0], 0); } ],
	[ 'zeroed_node_page', qr/has an edge to node \d+, which is not in use/,
		sub { my ($block) = blocks_of_kind($_[0], 'node'); $_[0][$block] = "\0" x $page_size; } ],
	[ 'kind_unknown', qr/The page is of kind 9/,
		sub { my ($block) = blocks_of_kind($_[0], 'node'); put($_[0], $block, $page_size - 8, 'S', 9); } ],
	[ 'kind_other', qr/The used part of the page ends at byte \d+/,
		sub { my ($block) = blocks_of_kind($_[0], 'node'); put($_[0], $block, $page_size - 8, 'S', $kind{pending}); } ],
	[ 'page_id', qr/The page is not one of a vamana index/,
		sub { my ($block) = blocks_of_kind($_[0], 'node'); put($_[0], $block, $page_size - 2, 'S', 1); } ],
	[ 'flag', qr/says that it is on a free list, but is not/,
		sub { my ($block) = blocks_of_kind($_[0], 'node'); put($_[0], $block, $page_size - 6, 'S', 2); } ],
	[ 'last_page_lost', qr/past the end of the index|is not in use/, sub { pop @{ $_[0] }; pop @{ $_[0] }; } ],
	[ 'codebook_zeroed', qr/leads to it as a codebook page, but it is empty|The page is empty/,
		sub { my ($block) = blocks_of_kind($_[0], 'codebook'); $_[0][$block] = "\0" x $page_size; } ],
	[ 'codebook_value', qr/The codebook has a value that is not finite/,
		sub { my ($block) = blocks_of_kind($_[0], 'codebook'); put($_[0], $block, $page_header, 'L', 0x7fc00000); } ],
	[ 'posting_owner', qr/has a posting chain with record \d+, which is not its own/,
		sub { my ($block) = blocks_of_kind($_[0], 'posting'); put($_[0], $block, $page_header + 4, 'L', 77); } ],
	[ 'posting_count', qr/says that it has 5000 rows/,
		sub { my ($block) = blocks_of_kind($_[0], 'posting'); put($_[0], $block, $page_header + 10, 'S', 5000); } ],
	[ 'posting_circle', qr/has a posting chain with record \d+ twice/,
		sub { my ($block) = blocks_of_kind($_[0], 'posting');
			put($_[0], $block, $page_header, 'L', $block * int(($page_size - 40) / 96)); } ],
	[ 'pending_count', qr/The page says that it holds 60000 things/,
		sub { my ($block) = blocks_of_kind($_[0], 'pending'); put($_[0], $block, $page_size - 4, 'S', 60000); } ],
	[ 'pending_sequence', qr/Pending page \d+ follows page 70/,
		sub { my ($block) = blocks_of_kind($_[0], 'pending'); put($_[0], $block, $page_size - 12, 'L', 70); } ],
	[ 'pending_circle', qr/Pending page \d+ follows page \d+/,
		sub { my ($block) = blocks_of_kind($_[0], 'pending'); put($_[0], $block, $page_size - 16, 'L', $block); } ],
	[ 'pending_vector', qr/Pending row 0 has a number out of range/,
		sub { my ($block) = blocks_of_kind($_[0], 'pending'); put($_[0], $block, $page_header + 32, 'S', 0x7e00); } ],
	[ 'pending_value', qr/The vector of row \(\d+,\d+\) of the table is not the one that is stored here/,
		sub { my ($block) = blocks_of_kind($_[0], 'pending'); my $at = $page_header + 32;
			put($_[0], $block, $at, 'S', get($_[0], $block, $at, 'S') ^ 0x8400); }, 'heap' ],
	[ 'meta_zeroed', qr/The page is empty/, sub { $_[0][0] = "\0" x $page_size; } ],
	[ 'meta_magic', qr/The metapage has no magic number/, sub { put($_[0], 0, $page_header, 'L', 5); } ],
	[ 'meta_dims', qr/The metapage's description of the index makes no sense/, sub { put($_[0], 0, $page_header + 8, 'L', 3000); } ],
);

for my $damage (@damages)
{
	my $table = $damage->[0];
	# equal rows make posting chains; the rows after the build are pending
	$node->safe_psql('postgres', qq(
		CREATE TABLE $table (id int, embedding vector($dims));
		INSERT INTO $table SELECT * FROM source;
		INSERT INTO $table SELECT 2000 + i, embedding FROM source, generate_series(1, 40) i WHERE id = 7;
		CREATE INDEX ${table}_idx ON $table USING vamana (embedding vector_l2_ops) WITH (max_degree = 32, pending_limit = 100000);
		INSERT INTO $table SELECT 4000 + id, embedding FROM source WHERE id <= 400;
	));
}
($degree, $bits, $node_bytes, $per_page) = split /\|/,
  $node->safe_psql('postgres', qq(SELECT max_degree, code_bits, node_bytes, nodes_per_page FROM vamana_stats('degree_idx')));
$own{vector} = round8($header_bytes + $bits * $dims / 8);
$own{ids} = round8($own{vector} + 2 * $dims);
$own{add} = $own{ids} + 4 * $degree;
$own{centroid} = $own{add} + 6 * $degree;
$own{pinned} = $own{centroid} + $degree;
$own{codes} = $own{pinned} + $degree / 8;

my %path = map { $_->[0] => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_->[0]_idx')") } @damages;
is( $node->safe_psql('postgres',
		'SELECT count(vamana_check(oid, true)) FROM pg_class WHERE relam = (SELECT oid FROM pg_am WHERE amname = $$vamana$$)'),
	scalar(@damages), 'every index is sound before');

$node->stop;
for my $damage (@damages)
{
	my $pages = read_file($path{ $damage->[0] });
	$damage->[2]->($pages);
	write_file($path{ $damage->[0] }, $pages);
}
$node->start;
my $server = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $query = random_vector('99', $dims);
for my $damage (@damages)
{
	my ($table, $says, undef, $heap) = @$damage;
	my ($status, $out, $err);
	if ($heap)
	{
		($status, $out, $err) = $node->psql('postgres', "SELECT vamana_check('${table}_idx')");
		is($status, 0, "$table: sound by itself");
	}
	($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT vamana_check('${table}_idx', true)");
	like($err, $says, "$table: the check finds it");
	like($err, qr/ERROR:  XX002: .*index "${table}_idx" is corrupted at block \d+/, "$table: and says where");

	# near rows, then all rows, by an index scan
	for my $limit (10, 5000)
	{
		($status, $out, $err) = $node->psql('postgres', qq(
			\\set VERBOSITY verbose
			SET enable_seqscan = off;
			SET statement_timeout = '60s';
			SELECT count(*) FROM (SELECT id FROM $table ORDER BY embedding <-> $query LIMIT $limit) n;
		));
		ok($status == 0 || $err =~ /ERROR:  XX00[0-2]:/, "$table: a query for $limit rows ends well") or diag($status, $out, $err);
		note("$table $limit: ", $status == 0 ? $out : $err =~ /(ERROR.*)/);
	}
}

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $server, 'the server lives');
$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC:|TRAP:/, 'and no backend crashed');

done_testing();

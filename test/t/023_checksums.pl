# A flipped bit in a page of each kind. With data checksums every access to the page is an error, of Postgres or, where it was told
# to go on with zeros, of the index; answers that come without an error are right. Without checksums a bit may pass for another
# value, or for a block that is not there, but no server crashes and no query hangs. VECIDX_CORRUPTION_SEED repeats a run.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use VecIdx;

my ($dims, $wide, $page_size) = (16, 3072, 8192);
my $seed = $ENV{VECIDX_CORRUPTION_SEED} // int(time);
srand($seed);
note("VECIDX_CORRUPTION_SEED=$seed");

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nmax_wal_size = 4GB\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vecidx');
fill_vectors($node, 'source', rows => 1500, dims => $dims);
fill_vectors($node, 'wide_source', rows => 60, dims => $wide);

# The kinds of pages by their number in a page's tail, and which scans need not meet.
my %number = (meta => 1, codebook => 2, node => 3, pending => 4, posting => 5, vector => 6, free => 7);
my %unmet = map { $_ => 1 } qw(free);

# Each kind has two tables: one for errors of checksums, one for damage without.
my @kinds = sort keys %number;
my %path;
foreach my $table (map { ("${_}_sums", "${_}_bare") } @kinds)
{
	my ($source, $dim) = $table =~ /vector/ ? ('wide_source', $wide) : ('source', $dims);
	# equal rows make posting chains; the rows after the build are pending; those that were pending leave free pages
	$node->safe_psql('postgres', qq(
		CREATE TABLE $table (id int, embedding vector($dim));
		INSERT INTO $table SELECT * FROM $source;
		INSERT INTO $table SELECT 2000 + i, embedding FROM $source, generate_series(1, 40) i WHERE id = 7;
		CREATE INDEX ${table}_idx ON $table USING vamana (embedding vector_l2_ops) WITH (pending_limit = 100000);
		INSERT INTO $table SELECT 4000 + id, embedding FROM $source WHERE id <= 300;
		SELECT vamana_merge('${table}_idx');
		INSERT INTO $table SELECT 5000 + id, embedding FROM $source WHERE id <= 30;
	));
	$path{$table} = $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('${table}_idx')");
}

sub dims_of { return $_[0] =~ /vector/ ? $wide : $dims; }

# The distances of the nearest rows, from the index or from the table alone.
sub nearest
{
	my ($table, $access, $limit) = @_;
	my $query = random_vector('99', dims_of($table));
	my $off = $access eq 'index' ? 'enable_seqscan' : 'enable_indexscan';
	return $node->psql('postgres', "\\set VERBOSITY verbose\nSET $off = off; SET statement_timeout = '60s';"
		  . " SELECT array_agg(round(d::numeric, 4) ORDER BY d)"
		  . " FROM (SELECT $query AS v OFFSET 0) s,"
		  . " LATERAL (SELECT embedding <-> v AS d FROM $table ORDER BY embedding <-> v LIMIT $limit) n");
}

# Flips bits at random in pages of a kind, in what a page has in use.
sub flip
{
	my ($table, $kind, $count) = @_;
	my @pages = unpack("(a$page_size)*", slurp_file($path{$table}));
	my @blocks = grep { unpack('S', substr($pages[$_], $page_size - 8, 2)) == $number{$kind} } 0 .. $#pages;
	BAIL_OUT("$table has no $kind page") if !@blocks;
	foreach (1 .. $count)
	{
		my $block = $blocks[ int(rand(@blocks)) ];
		my $lower = unpack('S', substr($pages[$block], 12, 2));
		my $at = $lower > 24 && rand() < 0.9 ? 24 + int(rand($lower - 24)) : $page_size - 16 + int(rand(16));
		my $bit = int(rand(8));
		substr($pages[$block], $at, 1) ^= chr(1 << $bit);
		note("$table: block $block of @{[ scalar @blocks ]} $kind pages, byte $at, bit $bit");
	}
	open(my $file, '>:raw', $path{$table}) or die "$path{$table}: $!";
	print $file @pages;
	close($file) or die "$path{$table}: $!";
	return;
}

my %right;
foreach my $table (map { ("${_}_sums", "${_}_bare") } @kinds)
{
	$right{$table}{$_} = (nearest($table, 'table', $_))[1] foreach 10, 5000;
}
$node->stop;
flip("${_}_sums", $_, 1) foreach @kinds;
$node->start;
my $server = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $of_postgres = qr/ERROR:  XX001: .*invalid page in block/;
my $of_index = qr/ERROR:  XX002: .*is corrupted at block/;
foreach my $kind (@kinds)
{
	my $table = "${kind}_sums";
	foreach my $limit (10, 5000)
	{
		my ($status, $out, $err) = nearest($table, 'index', $limit);
		ok($status == 0 ? $out eq $right{$table}{$limit} : $err =~ $of_postgres, "$kind, checksums: $limit rows are right, or an error")
		  or diag($out, $err);
		isnt($status, 0, "$kind, checksums: all rows are an error") if $limit == 5000 && !$unmet{$kind};
	}
	# statements that read the page, write to it, or take it
	my %statement = (
		check => "SELECT vamana_check('${table}_idx', true)",
		merge => "SELECT vamana_merge('${table}_idx')",
		vacuum => "DELETE FROM $table WHERE id % 2 = 0; VACUUM $table",
		insert => "INSERT INTO $table SELECT 10000 + id, embedding FROM @{[ $kind eq 'vector' ? 'wide_source' : 'source' ]}");
	foreach my $what (sort keys %statement)
	{
		my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '60s';\n"
			  . join("\n", map { "$_;" } split /; /, $statement{$what}));
		ok($status == 0 || $err =~ $of_postgres || $err =~ $of_index, "$kind, checksums: $what ends well") or diag($err);
		like($err, $of_postgres, "$kind, checksums: $what is an error") if $what eq 'check';
	}
	my ($status, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET zero_damaged_pages = on;\n"
		  . "SELECT vamana_check('${table}_idx', true)");
	# a vacuum may have let the row go whose vector it was, though not the page
	ok($err =~ $of_index || $kind eq 'vector' && $status == 0, "$kind, zeroed: the check finds it") if !$unmet{$kind};
	($status, $out, $err) = nearest($table, 'index', 5000);
	ok($status == 0 || $err =~ $of_index, "$kind, zeroed: a query ends well") or diag($err);
	$node->safe_psql('postgres', "REINDEX INDEX ${table}_idx");
	index_is_sound($node, "${table}_idx", "$kind: REINDEX mends it");
	all_rows_are_found($node, $table, dims_of($table), "$kind: REINDEX mends it");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $server, 'the server lives');

# The same without checksums, several times. After what was found, the index is built anew.
$node->stop;
$node->command_ok([ 'pg_checksums', '--disable', '--pgdata', $node->data_dir ], 'checksums are off');
flip("${_}_bare", $_, 3) foreach @kinds;
$node->start;
$server = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
foreach my $kind (@kinds)
{
	my $table = "${kind}_bare";
	foreach my $statement ((map { [ nearest($table, 'index', $_) ] } 10, 5000),
		map { [ $node->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '60s'; $_") ] }
		"SELECT vamana_check('${table}_idx', true)", "SELECT vamana_merge('${table}_idx')", "DELETE FROM $table WHERE id % 2 = 0",
		"VACUUM $table", "SELECT vamana_stats('${table}_idx')")
	{
		my ($status, $out, $err) = @$statement;
		ok($status == 0 || $err =~ /ERROR:  (?:XX00[0-2]|58P01):/, "$kind, no checksums: ends well") or diag($err);
		note($1) if $err =~ /(ERROR.*\n(?:DETAIL.*)?)/;
	}
	$node->safe_psql('postgres', "REINDEX INDEX ${table}_idx");
	index_is_sound($node, "${table}_idx", "$kind, no checksums: REINDEX mends it");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $server, 'the server lives');
$node->stop;
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC:|TRAP:/, 'and no backend crashed');

done_testing();

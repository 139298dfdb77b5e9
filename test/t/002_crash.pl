# Crashes in the middle of builds, inserts, merges and vacuums: the server is killed at random moments, recovers from its
# WAL, and every committed row is found by the index, once. Merges and vacuums that are cancelled are undone or taken up
# by the next. VECIDX_CRASH_ROUNDS says how many rounds (5), VECIDX_CRASH_SEED repeats a run.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);
use VecIdx;

my ($dims, $wide) = (16, 3072);
my $rounds = $ENV{VECIDX_CRASH_ROUNDS} // 5;
my $seed = $ENV{VECIDX_CRASH_SEED} // int(time);
srand($seed);
note("VECIDX_CRASH_SEED=$seed");

my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'restart_after_crash = on', 'max_wal_size = 2GB',
	'log_min_messages = warning');

sub everything_is_there
{
	my ($stage) = @_;
	foreach my $set ([ 'items', $dims ], [ 'wide', $wide ])
	{
		my ($table, $dim) = @$set;
		index_is_sound($node, "${table}_idx", "$stage: $table, check");
		all_rows_are_found($node, $table, $dim, "$stage: $table");
	}
	cmp_ok(recall($node, 'items', dims => $dims, queries => 20), '>=', 0.95, "$stage: recall");
	return;
}

# Runs SQL in the background, kills the server after some milliseconds, and starts it again.
sub crash_during
{
	my ($sql, $milliseconds) = @_;
	my ($out, $err) = ('', '');
	my $script = PostgreSQL::Test::Utils::tempdir() . '/script.sql';
	append_to_file($script, $sql);
	my $client = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr('postgres'), '-f', $script ],
		'>', \$out, '2>', \$err);
	usleep(1000 * $milliseconds);
	int(rand(2)) == 0 ? $node->stop('immediate') : kill_server($node);
	$client->finish;
	start_again($node);
	return;
}

sub random_of { return $_[ int(rand(scalar @_)) ] }

fill_vectors($node, 'items', rows => 2000, dims => $dims);
fill_vectors($node, 'wide', rows => 100, dims => $wide);
$node->safe_psql('postgres', qq(
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000);
	CREATE INDEX wide_idx ON wide USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000);
	CREATE TABLE pool AS SELECT * FROM items;
	CREATE UNLOGGED TABLE scratch (id int, embedding vector($dims));
	CREATE INDEX scratch_idx ON scratch USING vamana (embedding vector_l2_ops);
	INSERT INTO scratch SELECT * FROM items;
	CREATE SEQUENCE ids START 100000));
my $insert_items = "INSERT INTO items SELECT nextval('ids'), embedding FROM pool ORDER BY random() LIMIT";
my $insert_wide = "INSERT INTO wide SELECT nextval('ids'), embedding FROM wide ORDER BY random() LIMIT";
my $shift = "UPDATE items SET embedding = embedding + " . random_vector('id + 7', $dims) . " WHERE id >= 100000 AND id % 5 = 0";
my $replace = "DELETE FROM items WHERE id % 7 = 3; DELETE FROM wide WHERE id % 7 = 3";

my %work = (
	build => 'REINDEX INDEX items_idx; REINDEX INDEX wide_idx; REINDEX INDEX CONCURRENTLY items_idx;',
	inserts => "$insert_items 20; $insert_wide 2;\n" x 200,
	merge => "SELECT vamana_merge('items_idx'); SELECT vamana_merge('wide_idx');",
	vacuum => 'VACUUM items; VACUUM wide;');

foreach my $round (1 .. $rounds)
{
	my $what = (sort keys %work)[ ($round - 1) % 4 ];
	$node->safe_psql('postgres', "$insert_items 1200; $shift; $insert_wide 30");
	$node->safe_psql('postgres', $replace) if $what eq 'vacuum';
	crash_during($work{$what}, 1 + rand(random_of(30, 150, 600)));
	everything_is_there("round $round, $what");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM scratch'), 0, "round $round: the unlogged table is empty");
	is(rows_found($node, 'scratch', dims => $dims), '0|0|0', "round $round: so is its index");
	$node->safe_psql('postgres', 'INSERT INTO scratch SELECT * FROM items LIMIT 1500; VACUUM scratch');
	is(rows_found($node, 'scratch', dims => $dims), '1500|1500|1500', "round $round: which takes rows again");
	$node->safe_psql('postgres', "$work{merge} DELETE FROM items WHERE id >= 100000 AND random() < 0.6;"
		  . " DELETE FROM wide WHERE id >= 100000 AND random() < 0.5");
	$node->safe_psql('postgres', 'VACUUM items; VACUUM wide');
	everything_is_there("round $round, $what, merged and vacuumed") if $round % 2 == 1 || $round == $rounds;
}

# Cancelled instead of killed, at many stages of a merge, a first merge and a vacuum.
$node->safe_psql('postgres', "CREATE TABLE fresh (id int, embedding vector($dims));"
	  . ' CREATE INDEX fresh_idx ON fresh USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000);'
	  . ' INSERT INTO fresh SELECT * FROM pool');
my %cancelled = map { $_ => 0 } qw(items wide fresh);
foreach my $try (1 .. 8)
{
	$node->safe_psql('postgres', "$insert_items 600; $insert_wide 20; $replace;"
		  . ' TRUNCATE fresh; INSERT INTO fresh SELECT * FROM pool');
	foreach my $table (sort keys %cancelled)
	{
		# a first merge takes longest: half of the tries get a time in which it cannot end
		my $timeout = $table eq 'fresh' && $try % 2 == 0 ? 3 * $try : 1 + int(rand(random_of(10, 40, 120)));
		my $do = $table eq 'fresh' || $try % 2 == 1 ? "SELECT vamana_merge('${table}_idx')" : "VACUUM $table";
		my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = $timeout; $do");
		++$cancelled{$table} if $err =~ /statement timeout/;
		unlike($err, qr/(?:ERROR|WARNING|PANIC|FATAL):  (?!canceling)/, "$table, $do: no other error") or note($err);
	}
	next if $try % 4 != 0;
	everything_is_there("cancelled $try times");
	is(rows_found($node, 'fresh', dims => $dims), '2000|2000|2000', "cancelled $try times: first merge");
	index_is_sound($node, 'fresh_idx', "cancelled $try times: first merge, check");
}
cmp_ok($cancelled{$_}, '>', 0, "$_: some were cancelled") foreach qw(fresh items);
note("cancelled: " . join(', ', map { "$_ $cancelled{$_}" } sort keys %cancelled));
$node->safe_psql('postgres', "$work{merge} SELECT vamana_merge('fresh_idx'); VACUUM items; VACUUM wide; VACUUM fresh");
everything_is_there('after all that');
index_is_sound($node, 'fresh_idx', 'after all that: fresh, check');
cmp_ok(recall($node, 'fresh', dims => $dims, queries => 20), '>=', 0.95, 'after all that: fresh, recall');

done_testing();

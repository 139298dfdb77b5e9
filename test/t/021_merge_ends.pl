# A merge that ends early, at chosen points, which are told by the WAL that it has written: the server is killed with it, or it is
# cancelled, by hand or by a timeout, or it or the worker that merges is terminated. Afterwards the index is sound and has every
# row once, and the next merge takes up what this one left. VECIDX_CRASH_ROUNDS says how many points are tried (3).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use VecIdx;

my ($dims, $base, $rows) = (16, 1500, 1000);
my $points = $ENV{VECIDX_CRASH_ROUNDS} // 3;
my $attempts = 5;    # at each point: a merge may end before it is hit
my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'max_wal_size = 4GB', 'log_min_messages = warning');

# strike() waits until a merge has written so many bytes since `start`, does something to the process that merges, and returns
# its number. When there are not so many bytes for long, nothing.
fill_vectors($node, 'pool', rows => 6000, dims => $dims);
$node->safe_psql('postgres', qq(
	CREATE EXTENSION pageinspect;
	CREATE TABLE items (id int PRIMARY KEY, embedding vector($dims));
	INSERT INTO items SELECT * FROM pool WHERE id <= $base;
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 1000000);
	CREATE FUNCTION strike(start pg_lsn, bytes numeric, action text) RETURNS int LANGUAGE plpgsql AS \$\$
	DECLARE
		merger int;
	BEGIN
		WHILE merger IS NULL LOOP
			SELECT pid INTO merger FROM pg_locks
			WHERE locktype = 'tuple' AND relation = 'items_idx'::regclass AND page = 0 AND tuple = 2 AND granted;
		END LOOP;
		WHILE pg_current_wal_insert_lsn() - start < bytes LOOP
			IF clock_timestamp() > now() + '10 s' THEN RETURN merger; END IF;
		END LOOP;
		CASE action
			WHEN 'cancel' THEN PERFORM pg_cancel_backend(merger);
			WHEN 'terminate' THEN PERFORM pg_terminate_backend(merger);
			WHEN 'stop' THEN EXECUTE format('COPY (SELECT WHERE false) TO PROGRAM %L', 'kill -STOP ' || merger);
		END CASE;
		RETURN merger;
	END \$\$;
));

# New rows are pending. A third of them is equal to others, of the graph or of the same batch.
my $next = 100_000;
sub add_rows
{
	my ($count) = @_;
	$node->safe_psql('postgres', "INSERT INTO items SELECT i, embedding FROM generate_series($next, $next + $count - 1) i"
		  . " JOIN pool ON pool.id = CASE i % 3 WHEN 0 THEN 1 + i * 7 % 400 ELSE $base + 1 + i * 7 % 4000 END");
	$next += $count;
	return;
}

sub stats
{
	my ($column) = @_;
	return $node->safe_psql('postgres', "SELECT $column FROM vamana_stats('items_idx')");
}

sub index_is_right
{
	my ($stage) = @_;
	index_is_sound($node, 'items_idx', "$stage: check");
	all_rows_are_found($node, 'items', $dims, $stage);
	return;
}

# After a checkpoint, so that every merge writes as much as the first.
sub prepare
{
	$node->safe_psql('postgres', "DELETE FROM items WHERE id >= 100000 AND id < $next - $rows");
	$node->safe_psql('postgres', 'VACUUM items');
	add_rows($rows);
	$node->safe_psql('postgres', 'CHECKPOINT');
	return $node->lsn('insert');
}

sub start_psql
{
	my ($sql) = @_;
	my %client = (out => '', err => '');
	$client{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '>', \$client{out}, '2>', \$client{err});
	return \%client;
}

my %action = (kill => 'stop', cancel => 'cancel', terminate => 'terminate');
my %error = (
	kill => qr/server closed the connection/,
	cancel => qr/canceling statement due to user request/,
	timeout => qr/canceling statement due to statement timeout/,
	terminate => qr/terminating connection due to administrator command/);

# Ends a merge when it has written so many bytes since `start`, or taken so much time.
sub end_merge
{
	my ($how, $start, $bytes, $milliseconds) = @_;
	my $timeout = $how eq 'timeout' ? "SET statement_timeout = $milliseconds;" : '';
	my $striker = $how eq 'timeout' ? undef : start_psql("SET statement_timeout = '60s'; SELECT strike('$start', $bytes, '$action{$how}')");
	my $merger = start_psql("$timeout SELECT vamana_merge('items_idx')");
	$striker->{run}->finish if defined $striker;
	if ($how eq 'kill')
	{
		kill_server($node);
		kill 'KILL', $striker->{out} =~ /(\d+)/;
	}
	$merger->{run}->finish;
	start_again($node) if $how eq 'kill';
	like($merger->{err}, $error{$how}, "a merge ends: $how") if $merger->{err} ne '';
	return;
}

# What an unfinished merge has left in the graph.
sub left_behind
{
	return $node->safe_psql('postgres', 'SELECT count(*) FROM items') < stats('rows + pending_rows') ? 'nodes' : 'no nodes';
}

my $start = prepare();
my $begin = time;
is($node->safe_psql('postgres', "SELECT vamana_merge('items_idx')"), $rows, 'a whole merge');
my $milliseconds = 1000 * (time - $begin);
my $bytes = $node->safe_psql('postgres', "SELECT pg_current_wal_insert_lsn() - '$start'");
ok(!is_merge_unfinished($node, 'items_idx'), 'a whole merge is finished');
note("a merge writes $bytes bytes in $milliseconds ms");

my %inside = map { $_ => 0 } qw(kill cancel terminate), 'nodes', 'no nodes', 'worker, terminate', 'worker, cancel';

# Ends a merge at a part of it. True if it was still under way.
sub end_inside
{
	my ($how, $part) = @_;
	end_merge($how, $node->lsn('insert'), int($part * $bytes), 1 + int($part * $milliseconds));
	my $stage = sprintf('%s at %.2f', $how, $part);
	index_is_right($stage);
	return 0 if !is_merge_unfinished($node, 'items_idx');
	is(stats('pending_rows'), $rows, "$stage: the rows are still pending");
	note("$stage: left behind ", left_behind());
	++$inside{$_} foreach $how, left_behind();
	return 1;
}

foreach my $point (1 .. $points)
{
	my $part = ($point - 0.5) / $points;
	foreach my $how ('kill', (qw(cancel timeout terminate))[ $point % 3 ])
	{
		foreach (1 .. $attempts)
		{
			prepare();
			last if end_inside($how, $part);
		}
		end_inside('kill', $part) if $how eq 'kill' && $point % 2 == 0;    # the merge that takes it up, too
		my $left = stats('pending_rows');
		is($node->safe_psql('postgres', "SELECT vamana_merge('items_idx')"), $left, "$how: the next merge takes what is left");
		index_is_right("$how, taken up");
	}
}

# The worker that merges in the background. It ends between two changes: in the middle of one it would be a crash. The next
# insert that makes a page starts another.
foreach my $point (1 .. $points)
{
	my $how = $point == 1 ? 'cancel' : 'terminate';
	my $stage = "worker, point $point, $how";
	$node->safe_psql('postgres', 'ALTER INDEX items_idx SET (pending_limit = 1000000)');
	$start = prepare();
	$node->safe_psql('postgres', 'ALTER INDEX items_idx SET (pending_limit = 200)');
	my $striker = start_psql("SET statement_timeout = '60s'; SELECT strike('$start', @{[ int(0.8 * $point / $points * $bytes) ]}, '$how')");
	add_rows(150);
	$striker->{run}->finish;
	my ($worker) = $striker->{out} =~ /(\d+)/;
	$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $worker") or die 'it goes on';
	++$inside{"worker, $how"} if is_merge_unfinished($node, 'items_idx');
	index_is_right($stage);
	add_rows(150);
	ok($node->poll_query_until('postgres', "SELECT pending_rows < 300 FROM vamana_stats('items_idx')"), "$stage: the next takes it up");
	index_is_right("$stage, taken up");
}
note(join(', ', map { "$_ $inside{$_}" } sort keys %inside));
cmp_ok($inside{$_}, '>', 0, "ended inside a merge: $_") foreach sort keys %inside;
cmp_ok(recall($node, 'items', dims => $dims, queries => 20), '>=', 0.95, 'recall');
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|is corrupted|terminated by signal/, "nothing bad in the server's log");

done_testing();

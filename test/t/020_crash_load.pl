# Crashes under a mixed load: several clients insert (single rows, many, COPY), update with a new vector and with the same,
# delete and roll back, merge workers come and go, and one client merges, vacuums and reindexes, when the server or one of
# its processes is killed. Each client writes rows of its own and notes what was committed, so after the recovery it is
# known what the table must hold: what the notes say, and with it the one transaction that was under way, all of it or nothing.
# VECIDX_CRASH_ROUNDS says how many rounds (5), VECIDX_CRASH_SEED repeats a run.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep time);
use VecIdx;

my ($dims, $clients, $steps, $own_ids, $pool_rows) = (16, 5, 300, 1_000_000, 4000);
my $rounds = $ENV{VECIDX_CRASH_ROUNDS} // 5;
my $seed = $ENV{VECIDX_CRASH_SEED} // int(time);
srand($seed);
note("VECIDX_CRASH_SEED=$seed");
my $dir = PostgreSQL::Test::Utils::tempdir();

my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'restart_after_crash = on', 'max_wal_size = 2GB',
	'max_worker_processes = 12');

# A row's vector is that of the pool's row which its id and its version name. The index on `touched` makes an update that leaves
# the vector alone one of all indexes.
fill_vectors($node, 'pool', rows => $pool_rows, dims => $dims);
$node->safe_psql('postgres', qq(
	CREATE EXTENSION pageinspect;
	CREATE TABLE items (id int PRIMARY KEY, version int, touched int, embedding vector($dims));
	CREATE INDEX ON items (touched);
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 300);
	CREATE FUNCTION pool_id(id int, version int) RETURNS int IMMUTABLE LANGUAGE sql
		RETURN 1 + (id::bigint * 7 + version * 13) % $pool_rows;
));
my @pool = ('', split /\n/, $node->safe_psql('postgres', 'SELECT embedding FROM pool ORDER BY id'));

# What a client writes: lists of operations on a range of its ids, a list a transaction. As SQL, and on a copy of its rows,
# which are id => [version, touched].
my %sql = (
	insert => sub { "INSERT INTO items SELECT i, 0, 0, embedding FROM generate_series($_[0], $_[1]) i"
		  . ' JOIN pool ON pool.id = pool_id(i, 0);' },
	copy => sub { join("\n", 'COPY items FROM STDIN;', (map { "$_\t0\t0\t" . $pool[ 1 + ($_ * 7) % $pool_rows ] } $_[0] .. $_[1]), '\.') },
	change => sub { 'UPDATE items SET version = version + 1, embedding = pool.embedding FROM pool'
		  . " WHERE pool.id = pool_id(items.id, version + 1) AND items.id BETWEEN $_[0] AND $_[1];" },
	touch => sub { "UPDATE items SET touched = touched + 1 WHERE id BETWEEN $_[0] AND $_[1];" },
	delete => sub { "DELETE FROM items WHERE id BETWEEN $_[0] AND $_[1];" });

sub apply
{
	my ($rows, $operations) = @_;
	foreach my $operation (@$operations)
	{
		my ($what, $from, $to) = @$operation;
		if ($what eq 'insert' || $what eq 'copy') { $rows->{$_} = [ 0, 0 ] foreach $from .. $to; next; }
		foreach my $id (grep { exists $rows->{$_} } $from .. $to)
		{
			++$rows->{$id}[0] if $what eq 'change';
			++$rows->{$id}[1] if $what eq 'touch';
			delete $rows->{$id} if $what eq 'delete';
		}
	}
	return;
}

sub copy_of { my ($rows) = @_; return { map { $_ => [ @{ $rows->{$_} } ] } keys %$rows }; }

sub as_text
{
	my ($rows) = @_;
	return join("\n", map { join('|', $_, @{ $rows->{$_} }) } sort { $a <=> $b } keys %$rows);
}

# One operation: new rows get new ids, the others take a range near the newest or anywhere; many rows make many deletes.
sub operation
{
	my ($client, $what) = @_;
	if ($what eq 'insert' || $what eq 'copy')
	{
		my $count = $what eq 'copy' ? 50 + int(rand(300)) : rand() < 0.75 ? 1 : 20 + int(rand(150));
		my $first = $client->{next};
		$client->{next} += $count;
		return [ $what, $first, $first + $count - 1 ];
	}
	my $length = $what eq 'delete' ? 100 + int(rand(300)) : 1 + int(rand(30));
	my $from = $what eq 'delete' ? $client->{deleted} : $client->{next} - int(rand(1000));
	$client->{deleted} += $length if $what eq 'delete';
	return [ $what, $from, $from + $length ];
}

# A client's transactions: a script for psql, which notes the number of each one that was committed, and their operations.
sub transactions_of
{
	my ($client) = @_;
	my ($script, @transactions) = ('');
	foreach my $step (1 .. $steps)
	{
		my $many = $client->{next} - $client->{deleted} > 900;
		my @whats = (('insert') x 20, ('copy') x 2, ('change') x 6, ('touch') x 6, ('delete') x ($many ? 8 : 0));
		my @operations = map { operation($client, $whats[ int(rand(@whats)) ]) } 1 .. (rand() < 0.2 ? 3 : 1);
		my @statements = map { my ($what, @range) = @$_; $sql{$what}->(@range) } @operations;
		my $lost = $sql{insert}->($client->{next}, $client->{next} + 30);
		if (rand() < 0.1) { $script .= "BEGIN;\n$lost\nROLLBACK;\n"; }
		push @statements, "SAVEPOINT s;\n$lost\nROLLBACK TO s;" if @statements > 1 && rand() < 0.3;
		$script .= join("\n", @statements > 1 ? 'BEGIN;' : (), @statements, @statements > 1 ? 'COMMIT;' : (), "\\echo $step\n");
		push @transactions, \@operations;
	}
	return ($script, \@transactions);
}

sub start_client
{
	my ($name, $script) = @_;
	my $client = { out => '', err => '' };
	unlink "$dir/$name.sql";
	append_to_file("$dir/$name.sql", $script);
	$client->{run} = IPC::Run::start([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql" ],
		'>', \$client->{out}, '2>', \$client->{err});
	return $client;
}

sub random_of { return $_[ int(rand(scalar @_)) ] }

my %kill = (
	server => sub { kill_server($node) },
	immediate => sub { $node->stop('immediate') },
	process => sub {
		my ($pid) = split /\n/, $node->safe_psql('postgres', q(
			SELECT pid FROM pg_stat_activity
			WHERE backend_type = 'vecidx merge worker' OR backend_type = 'client backend' AND pid <> pg_backend_pid()
			ORDER BY backend_type DESC, random()));
		return if !defined $pid;
		kill 'KILL', $pid;
	});

# Lets everybody work for a while, kills, and waits for the recovery. Returns what kill it was, and what each client noted.
sub crash
{
	my (@scripts) = @_;
	my @upkeep = map { random_of("SELECT vamana_merge('items_idx');", "SELECT vamana_merge('items_idx');", 'VACUUM items;', 'VACUUM items;',
		'REINDEX INDEX CONCURRENTLY items_idx;', 'REINDEX INDEX items_idx;') . ' SELECT pg_sleep(0.02);' } 1 .. 200;
	my $how = random_of(sort keys %kill);
	my @clients = map { start_client("client$_", $scripts[$_]) } 0 .. $#scripts;
	push @clients, start_client('upkeep', join("\n", '\o ' . File::Spec->devnull, @upkeep));
	usleep(1000 * (50 + rand(random_of(150, 600, 1500))));
	$kill{$how}->();
	$_->{run}->finish foreach @clients;
	unlike(join('', map { $_->{err} } @clients), qr/(?:ERROR|PANIC):  (?!lost connection to parallel worker)/, "no client is told of an error, $how")
	  or diag(map { $_->{err} } @clients);
	if ($how eq 'process')
	{
		$node->poll_query_until('postgres', 'SELECT true') or BAIL_OUT('the server does not recover');
	}
	else
	{
		start_again($node);
	}
	pop @clients;
	return ($how, map { $_->{out} =~ /(\d+)\n\z/ ? $1 : 0 } @clients);
}

sub index_is_right
{
	my ($stage) = @_;
	index_is_sound($node, 'items_idx', "$stage: check");
	all_rows_are_found($node, 'items', $dims, $stage);
	cmp_ok(recall($node, 'items', dims => $dims, queries => 20), '>=', 0.95, "$stage: recall");
	return;
}

my @clients = map { { rows => {}, next => $_ * $own_ids, deleted => $_ * $own_ids, first => $_ * $own_ids } } 1 .. $clients;
my ($transactions, $interrupted) = (0, 0);
foreach my $round (1 .. $rounds)
{
	my @plans = map { [ transactions_of($_) ] } @clients;
	my ($how, @noted) = crash(map { $_->[0] } @plans);
	my $stage = "round $round, $how";
	++$interrupted if is_merge_unfinished($node, 'items_idx');
	foreach my $i (0 .. $#clients)
	{
		my ($client, $planned, $count) = ($clients[$i], $plans[$i][1], $noted[$i]);
		my $found = $node->safe_psql('postgres', "SELECT id, version, touched FROM items"
			  . " WHERE id / $own_ids = $client->{first} / $own_ids ORDER BY id");
		apply($client->{rows}, $planned->[$_]) foreach 0 .. $count - 1;
		my $more = copy_of($client->{rows});
		apply($more, $planned->[$count]) if $count < @$planned;
		$client->{rows} = $more if $found eq as_text($more);
		ok($found eq as_text($client->{rows}), "$stage: the rows of client $i, $count transactions");
		$transactions += $count;
	}
	# what a REINDEX CONCURRENTLY leaves behind
	$node->safe_psql('postgres', "SELECT format('DROP INDEX %s', indexrelid::regclass) FROM pg_index WHERE NOT indisvalid \\gexec");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM items LEFT JOIN pool ON pool.id = pool_id(items.id, version)'
			  . ' WHERE items.embedding IS DISTINCT FROM pool.embedding'), 0, "$stage: their vectors");
	index_is_right($stage);
	next if $round % 2 == 0 && $round < $rounds;
	$node->safe_psql('postgres', "SELECT vamana_merge('items_idx')");
	$node->safe_psql('postgres', 'VACUUM items');
	index_is_right("$stage, merged and vacuumed");
}
cmp_ok($transactions, '>', 0, 'there were transactions');
note("$transactions transactions, in $interrupted of $rounds rounds a merge was interrupted");
cmp_ok($interrupted, '>', 0, 'merges were interrupted') if $rounds >= 50;
$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|is corrupted|terminated by signal (?!9)/, "nothing bad in the server's log");

done_testing();

# CREATE INDEX by several processes: as good as by one, in little memory, of odd rows, while others write, in a crash; and when
# it ends early, whoever ends it, at once and without leaving anything behind.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use VecIdx;

my $dims = 16;
my $patience = 5;    # seconds in which a build that was told to has ended, on a machine that does other things, too
my $serial = 'SET max_parallel_maintenance_workers = 0;';
my $parallel = 'SET max_parallel_maintenance_workers = 2; SET min_parallel_table_scan_size = 0;';

# The postmaster logs at this level each worker that it starts.
my $node = vecidx_node('main', 'autovacuum = off', 'log_min_messages = debug1', 'log_statement = none', 'restart_after_crash = on');

# Statements in a psql of its own, that others wait for or disturb.
sub start_client
{
	my ($sql) = @_;
	my %client = (out => '', err => '');
	my @statements = map { ('-c', $_) } grep { /\S/ } split /;/, $sql;
	$client{run} = IPC::Run::start([ 'psql', '-X', '-q', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), @statements ],
		'>', \$client{out}, '2>', \$client{err});
	return \%client;
}

# Runs statements. Returns what psql wrote to stderr, how many parallel workers were started meanwhile, and how long it took.
sub run
{
	my ($sql) = @_;
	my ($logged, $begin) = (-s $node->logfile, time);
	my $client = start_client($sql);
	$client->{run}->finish;
	my $seconds = time - $begin;
	my $workers = () = slurp_file($node->logfile, $logged) =~ /starting background worker process "parallel worker for PID/g;
	return ($client->{err}, $workers, $seconds);
}

# Builds items_idx anew.
sub build
{
	my ($settings, $table) = @_;
	$table //= 'items';
	$node->safe_psql('postgres', "DROP INDEX IF EXISTS ${table}_idx");
	return run("$settings CREATE INDEX ${table}_idx ON $table USING vamana (embedding vector_l2_ops)");
}

# A short list, so that a graph that is worse finds less.
sub short_recall
{
	my ($table) = @_;
	return recall($node, $table, dims => $dims, queries => 100, settings => 'SET vamana.search_list_size = 12');
}

# Tests that an index that was not built is not there, nor its files, nor its workers.
sub nothing_is_left
{
	my ($index, $name) = @_;
	$node->poll_query_until('postgres', q(SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'))
	  or die 'workers go on';
	return is(
		$node->safe_psql('postgres', qq(
			SELECT to_regclass('$index') IS NULL, (SELECT count(*) FROM pg_ls_tmpdir()), count(*)
			FROM pg_database, LATERAL (SELECT format('base/%s/%s', oid, name) AS path, substring(name, '^\\d+')::oid AS node
				FROM pg_ls_dir(format('base/%s', oid)) name WHERE name ~ '^\\d+') file
			WHERE datname = current_database() AND (pg_stat_file(path, true)).size > 0 AND pg_filenode_relation(0, node) IS NULL)),
		't|0|0', "$name: nothing is left");
}

sub ends_soon
{
	my ($client, $error, $name) = @_;
	my $begin = time;
	$client->{run}->finish;
	cmp_ok(time - $begin, '<', $patience, "$name: ends soon");
	return like($client->{err}, $error, "$name: says so");
}

# Several processes and one.
fill_vectors($node, 'items', rows => 20000, dims => $dims);
$node->safe_psql('postgres', 'ANALYZE items');
my ($error, $workers, $seconds) = build("SET maintenance_work_mem = '1GB'; $serial");
is_deeply([ $error, $workers ], [ '', 0 ], 'one process: builds, without a notice');
index_is_sound($node, 'items_idx', 'one process: check');
my $recall = short_recall('items');
cmp_ok($recall, '>=', 0.8, 'one process: recall');

($error, $workers, $seconds) = build("SET maintenance_work_mem = '1GB'; $parallel");
is_deeply([ $error, $workers ], [ '', 2 ], 'three processes: build');
index_is_sound($node, 'items_idx', 'three processes: check');
cmp_ok(short_recall('items'), '>=', $recall - 0.02, 'three processes: recall as of one');
all_rows_are_found($node, 'items', $dims, 'three processes');

# Fewer workers than asked for.
foreach my $available (0, 1)
{
	($error, $workers) = build("SET maintenance_work_mem = '1GB'; SET max_parallel_workers = $available; $parallel");
	is_deeply([ $error, $workers ], [ '', $available ], "of two workers $available: builds");
	index_is_sound($node, 'items_idx', "of two workers $available: check");
}

# The least memory that there is, and more, but less than three processes would like: pages of the files come and go.
my $least = q(SELECT set_config('maintenance_work_mem', min_val || 'kB', false) FROM pg_settings
	WHERE name = 'maintenance_work_mem';);
foreach my $case ([ 'least memory', "$least $serial", 0 ], [ 'little memory', "SET maintenance_work_mem = '24MB'; $parallel", 2 ])
{
	my ($name, $settings, $expected) = @$case;
	($error, $workers) = build($settings);
	is($workers, $expected, "$name: builds");
	like($error, qr/^NOTICE: .*building index "items_idx" in maintenance_work_mem takes longer than it might\nDETAIL: .*\nHINT: .*\n/,
		"$name: says so");
	unlike($error, qr/ERROR|WARNING/, "$name: no error");
	index_is_sound($node, 'items_idx', "$name: check");
	cmp_ok(short_recall('items'), '>=', $recall - 0.02, "$name: recall as with much");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', "$name: temporary files are gone");
}

# A table that nobody has analyzed, which is known by its size.
$node->safe_psql('postgres', 'CREATE TABLE fresh AS SELECT * FROM items');
my ($rows) = (build($least, 'fresh'))[0] =~ /^DETAIL:  About (\d+) rows /m;
cmp_ok($rows // 0, '>=', 20000, 'a fresh table: so many rows');
cmp_ok($rows // 0, '<=', 30000, 'a fresh table: not many more');
$node->safe_psql('postgres', 'DROP TABLE fresh');

# A limit of temporary files, reached while rows are loaded, and when the arrays are allocated.
foreach my $limit ('64kB', '4MB')
{
	($error) = build("SET temp_file_limit = '$limit'; $parallel");
	like($error, qr/^ERROR:  53400: temporary file size exceeds "?temp_file_limit"?/, "temp_file_limit $limit: error");
	nothing_is_left('items_idx', "temp_file_limit $limit");
}
is((build("SET temp_file_limit = '200MB'; $parallel"))[0], '', 'temp_file_limit 200 MB: is enough');
index_is_sound($node, 'items_idx', 'temp_file_limit 200 MB: check');

# An expression that does in a worker what test.worker says; the leader waits until both workers are about to.
$node->safe_psql('postgres', q(
	CREATE TABLE held AS SELECT * FROM items WHERE id <= 2000;
	CREATE FUNCTION held(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
	BEGIN
		IF (SELECT backend_type = 'parallel worker' FROM pg_stat_activity WHERE pid = pg_backend_pid()) THEN
			IF current_setting('test.worker') = 'fails' THEN
				RAISE 'this row has no vector' USING ERRCODE = 'data_exception';
			END IF;
			PERFORM pg_sleep(600);
		END IF;
		WHILE (SELECT count(*) FROM pg_stat_activity WHERE leader_pid = pg_backend_pid() AND wait_event = 'PgSleep') < 2 LOOP
			PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
		END LOOP;
		RETURN v;
	END $$;
));
my $create_held = "$parallel CREATE INDEX held_idx ON held USING vamana ((held(embedding)::vector($dims)) vector_l2_ops)";

# A build in which the leader has done its part of the loading and waits for the workers.
sub start_held
{
	my $client = start_client("SET test.worker = 'sleeps'; $create_held");
	$node->poll_query_until('postgres', q(
		SELECT count(*) FILTER (WHERE wait_event = 'PgSleep' AND leader_pid IS NOT NULL) = 2
			AND count(*) FILTER (WHERE wait_event = 'ParallelCreateIndexScan' AND leader_pid IS NULL) = 1
		FROM pg_stat_activity)) or die 'the build does not get there';
	return $client;
}

# Calls a function for one process of a build.
my $leader = 'SELECT max(leader_pid) AS pid FROM pg_stat_activity';
my $a_worker = 'SELECT min(pid) AS pid FROM pg_stat_activity WHERE leader_pid IS NOT NULL';
sub signal
{
	my ($function, $process) = @_;
	$node->safe_psql('postgres', "SELECT $function(pid) FROM ($process) process") eq 't' or die "no $function";
	return;
}

my $client = start_held();
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '>', 0, 'a build has temporary files');
signal('pg_cancel_backend', $leader);
ends_soon($client, qr/^ERROR:  57014: canceling statement due to user request$/m, 'cancelled');
nothing_is_left('held_idx', 'cancelled');

$client = start_held();
signal('pg_terminate_backend', $leader);
ends_soon($client, qr/^FATAL:  57P01: terminating connection due to administrator command$/m, 'terminated');
nothing_is_left('held_idx', 'terminated');

$client = start_held();
signal('pg_terminate_backend', $a_worker);
ends_soon($client, qr/^ERROR:  57P01: terminating .* due to administrator command\n.*^parallel worker$/ms,
	'a worker terminated');
nothing_is_left('held_idx', 'a worker terminated');

($error) = run("SET test.worker = 'fails'; $create_held");
like($error, qr/^ERROR:  22000: this row has no vector\nCONTEXT:  .*^parallel worker$/ms, 'a row that fails in a worker: error');
nothing_is_left('held_idx', 'a row that fails in a worker');

# Ended at any time, of what a build takes.
my $cancelled = 0;
foreach my $part (1 .. 6)
{
	my $timeout = int(1000 * $seconds * $part / 7) + 1;
	($error, undef, my $taken) = build("SET statement_timeout = $timeout; $parallel");
	if ($error eq '')
	{
		index_is_sound($node, 'items_idx', "a timeout of $timeout ms does not hit");
		next;
	}
	++$cancelled;
	like($error, qr/^ERROR:  57014: canceling statement due to statement timeout$/m, "a timeout of $timeout ms");
	cmp_ok($taken, '<', $timeout / 1000 + $patience, "a timeout of $timeout ms: ends soon");
	nothing_is_left('items_idx', "a timeout of $timeout ms");
}
cmp_ok($cancelled, '>', 0, 'timeouts hit');

# Rows that are equal or nothing.
$node->safe_psql('postgres', qq(
	CREATE TABLE few AS SELECT i AS id, embedding FROM generate_series(1, 20000) i JOIN items ON items.id = 1 + i % 300;
	CREATE TABLE one AS SELECT i AS id, embedding FROM generate_series(1, 5000) i, items WHERE items.id = 1;
	CREATE TABLE nulls AS SELECT i AS id, NULL::vector($dims) AS embedding FROM generate_series(1, 5000) i;
	CREATE TABLE mostly_nulls AS SELECT id, CASE WHEN id % 10 = 0 THEN embedding END::vector($dims) AS embedding FROM items;
	CREATE TABLE nothing (id int, embedding vector($dims));
));
foreach my $table (qw(few one nulls mostly_nulls nothing))
{
	($error, $workers) = build($parallel, $table);
	is_deeply([ $error, $workers ], [ '', 2 ], "$table: three processes build");
	index_is_sound($node, "${table}_idx", "$table: check");
	all_rows_are_found($node, $table, $dims, $table);
}
is($node->safe_psql('postgres', q(SELECT nodes, rows, pending_rows FROM vamana_stats('few_idx'))), '300|20000|0', 'few: nodes');
is($node->safe_psql('postgres', q(SELECT nodes, rows, pending_rows FROM vamana_stats('one_idx'))), '1|5000|0', 'one: node');

# While others write.
$node->safe_psql('postgres', qq(
	CREATE TABLE busy (id int, embedding vector($dims)) WITH (fillfactor = 60);
	INSERT INTO busy SELECT * FROM items WHERE id <= 6000;
	CREATE INDEX ON busy (id);
	CREATE SEQUENCE ids START 10000;
));
my %scripts = (
	insert => q(\set k random(1, 20000)
		INSERT INTO busy SELECT nextval('ids'), embedding FROM items WHERE id = :k;),
	update => q(\set k random(1, 6000)
		\set j random(1, 20000)
		UPDATE busy SET embedding = (SELECT embedding FROM items WHERE id = :j) WHERE id = :k;),
	delete => q(\set k random(1, 12000)
		DELETE FROM busy WHERE id = :k;));
my @mix;
foreach my $name (sort keys %scripts)
{
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$name.sql";
	append_to_file($file, "$scripts{$name}\n");
	push @mix, '-f', $file;
}
my ($out, $err) = ('', '');
my $writers = IPC::Run::start([ 'pgbench', '-n', '-T', 4, '-c', 3, '-d', $node->connstr('postgres'), @mix ], '>', \$out, '2>', \$err);
usleep(300_000);
my $concurrently = "SET client_min_messages = warning; $parallel";
($error, $workers) = run("$concurrently CREATE INDEX CONCURRENTLY busy_idx ON busy USING vamana (embedding vector_l2_ops)");
is_deeply([ $error, $workers ], [ '', 2 ], 'busy: CREATE INDEX CONCURRENTLY');
index_is_sound($node, 'busy_idx', 'busy: check while others write');
my ($rebuilds, @failed) = (0);
do
{
	my @outcome = run("$concurrently REINDEX INDEX CONCURRENTLY busy_idx");
	push @failed, "$outcome[0]$outcome[1] workers" if $outcome[0] ne '' || $outcome[1] != 2;
	$writers->pump_nb;
} while (++$rebuilds < 20 && $writers->pumpable);
is("@failed", '', 'busy: REINDEX INDEX CONCURRENTLY');
note("$rebuilds times");
ok($writers->finish, 'busy: writers end without an error') or diag($err);
note($1) if $out =~ /(number of transactions actually processed.*)/;
index_is_sound($node, 'busy_idx', 'busy: check');
all_rows_are_found($node, 'busy', $dims, 'busy');
cmp_ok(recall($node, 'busy', dims => $dims), '>=', 0.95, 'busy: recall');

# Crashes: of a worker, of the server in the middle of a build, and just after one.
$client = start_held();
kill 'KILL', $node->safe_psql('postgres', $a_worker);
ends_soon($client, qr/server closed the connection unexpectedly|terminating connection because of crash/, 'a worker killed');
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
is($node->safe_psql('postgres', q(SELECT to_regclass('held_idx') IS NULL, (SELECT count(*) FROM pg_ls_tmpdir()))), 't|0',
	'a worker killed: no index, no temporary files');

sub crash
{
	my ($server) = @_;
	kill_server($server);
	start_again($server);
	return;
}

is((build($parallel))[0], '', 'crash just after a build: builds');
crash($node);
index_is_sound($node, 'items_idx', 'crash just after a build: check');
all_rows_are_found($node, 'items', $dims, 'crash just after a build');

$node->safe_psql('postgres', 'DROP INDEX items_idx');
$client = start_client("$parallel CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops)");
usleep(1e6 * $seconds * 0.8);
crash($node);
$client->{run}->finish;
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'crash during a build: no temporary files');
is((build($parallel))[0], '', 'crash during a build: builds again');
index_is_sound($node, 'items_idx', 'crash during a build: check');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|leak|still referenced/, "nothing bad in the server's log");

# A server with checksums of pages, without WAL of what a transaction has made, and with few file descriptors: more than pages
# of the index, and more than two of a build, are written past what Postgres usually does.
my $file = PostgreSQL::Test::Utils::tempdir() . '/items';
$node->safe_psql('postgres', "COPY items TO '$file'");
$node->stop;
$node = PostgreSQL::Test::Cluster->new('minimal');
$node->init(extra => ['--data-checksums']);
$node->append_conf('postgresql.conf',
	"wal_level = minimal\nmax_wal_senders = 0\nautovacuum = off\nlog_min_messages = debug1\nmax_files_per_process = 100\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION vecidx');
# The index of few rows is smaller than wal_skip_threshold.
foreach my $rows (20000, 1500)
{
	my $before = $node->lsn('insert');
	$node->safe_psql('postgres', qq(
		$parallel
		BEGIN;
		CREATE TABLE items_$rows (id int, embedding vector($dims));
		COPY items_$rows FROM '$file' WHERE id <= $rows;
		CREATE INDEX items_${rows}_idx ON items_$rows USING vamana (embedding vector_l2_ops);
		COMMIT;
	));
	my $wal = $node->safe_psql('postgres', "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '$before')");
	my $size = $node->safe_psql('postgres', "SELECT pg_relation_size('items_${rows}_idx')");
	cmp_ok($wal, '<', $size / 4, "minimal WAL, $rows rows: no WAL of the index") if $rows == 20000;
}
crash($node);
foreach my $rows (20000, 1500)
{
	index_is_sound($node, "items_${rows}_idx", "minimal WAL, $rows rows: check after a crash");
	all_rows_are_found($node, "items_$rows", $dims, "minimal WAL, $rows rows, after a crash");
}

# The row after the last that fills an extent has no vector and opens so many tables that the temporary files are closed.
$node->safe_psql('postgres', qq(
	CREATE TABLE parts (i int) PARTITION BY RANGE (i);
	SELECT format('CREATE TABLE part_%s PARTITION OF parts FOR VALUES FROM (%s) TO (%s)', i, i, i + 1)
	FROM generate_series(1, 150) i \\gexec
	CREATE TABLE closed AS SELECT id, embedding FROM items_20000 WHERE id <= 1024;
	INSERT INTO closed VALUES (1025, NULL);
	CREATE FUNCTION open_tables(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS \$\$
	BEGIN
		IF v IS NULL THEN PERFORM count(*) FROM public.parts; END IF;
		RETURN v;
	END \$\$;
));
foreach my $settings ($serial, $parallel)
{
	($error) = run("$settings CREATE INDEX closed_idx ON closed USING vamana ((open_tables(embedding)::vector($dims)) vector_l2_ops)");
	is($error, '', 'temporary files that were closed meanwhile');
	index_is_sound($node, 'closed_idx', 'temporary files that were closed meanwhile: check');
	$node->safe_psql('postgres', 'DROP INDEX closed_idx');
}

$node->append_conf('postgresql.conf', "wal_level = replica\n");
$node->restart;
is((build($parallel, 'items_20000'))[0], '', 'checksums: builds');
$node->restart;
index_is_sound($node, 'items_20000_idx', 'checksums: check');
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'checksums: of all files');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|leak|still referenced|checksum/, "nothing bad in the server's log");

done_testing();

# No state but the index's own: two databases whose indexes have the same OIDs and names, sessions that have
# an index cached while another makes it anew with other dimensions, another metric or other options,
# temporary tables of one name, and many scans of many indexes taking turns in one session.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use VecIdx;

my $node = vecidx_node('main', 'autovacuum = off', 'fsync = off', 'jit = off');
my $vector = random_vector('seed', 'dims');
$node->safe_psql('postgres', 'CREATE DATABASE one');
$node->safe_psql('one', qq(
	CREATE EXTENSION vecidx;
	CREATE FUNCTION vec(seed bigint, dims int) RETURNS vector LANGUAGE sql IMMUTABLE AS \$\$ SELECT $vector \$\$;
	-- What is wrong with the answers of the index to ORDER BY embedding OP.
	CREATE FUNCTION verdict(relation text, dims int, op text) RETURNS text LANGUAGE plpgsql AS \$\$
	DECLARE
		near text := format('SELECT array_agg(id) FROM (SELECT id FROM %s ORDER BY embedding %s \$1 LIMIT 10) s', relation, op);
		by_index int[]; exact int[]; line text; hits int := 0; wanted int := 0; all_rows record;
	BEGIN
		FOR i IN 1 .. 4 LOOP
			PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
			EXECUTE near INTO by_index USING vec(-i, dims);
			PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
			EXECUTE near INTO exact USING vec(-i, dims);
			wanted := wanted + coalesce(cardinality(exact), 0);
			hits := hits + (SELECT count(*) FROM (SELECT unnest(by_index) INTERSECT SELECT unnest(exact)) s);
		END LOOP;
		PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true),
			set_config('enable_sort', 'off', true);
		FOR line IN EXECUTE 'EXPLAIN ' || replace(near, '\$1', quote_literal(vec(1, dims)) || '::vector') LOOP
			IF line ~ 'Seq Scan' THEN RETURN line; END IF;
		END LOOP;
		EXECUTE format('SELECT count(*) AS rows, count(DISTINCT id) AS different, coalesce(sum(id), 0) AS sum,
			(SELECT count(id + 0) FROM %1\$s) AS heap, (SELECT coalesce(sum(id), 0) FROM %1\$s) AS heap_sum
			FROM (SELECT id FROM %1\$s ORDER BY embedding %2\$s \$1) s', relation, op) INTO all_rows USING vec(77, dims);
		PERFORM set_config('enable_sort', 'on', true), set_config('enable_seqscan', 'on', true);
		IF hits < 0.9 * wanted THEN RETURN format('%s of %s nearest', hits, wanted); END IF;
		IF all_rows.rows <> all_rows.heap OR all_rows.different <> all_rows.heap OR all_rows.sum <> all_rows.heap_sum THEN
			RETURN all_rows::text;
		END IF;
		RETURN 'right';
	END \$\$;
	CREATE TABLE items (id int, embedding vector(8));
	INSERT INTO items SELECT i, vec(i, 8) FROM generate_series(1, 1500) i;
	CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops) WITH (pending_limit = 200);
	CREATE TABLE wide (id int, embedding vector(3072));
	INSERT INTO wide SELECT i, vec(i, 3072) FROM generate_series(1, 100) i;
	CREATE INDEX wide_idx ON wide USING vamana (embedding vector_l2_ops);
));
$node->safe_psql('postgres', 'CREATE DATABASE two TEMPLATE one');

# Runs SQL in a session without telling about it.
sub ask
{
	my ($session, $sql) = @_;
	no warnings 'redefine';
	local *PostgreSQL::Test::BackgroundPsql::note = sub { };
	return $session->query_safe($sql);
}

sub session { return $node->background_psql($_[0], on_error_stop => 0, timeout => 300) }
my ($a, $b, $other) = (session('one'), session('one'), session('two'));

# right(session, 'items', 8, '<->', 'when')
sub right
{
	my ($session, $table, $dims, $op, $name) = @_;
	is(ask($session, "SELECT verdict('$table', $dims, '$op')"), 'right', $name);
	return;
}

# Two databases, the second a copy of the first: the same OIDs, the same files' names.
my $oids = "SELECT string_agg(oid || ' ' || relfilenode, ', ' ORDER BY oid) FROM pg_class WHERE relname IN ('items_idx', 'wide_idx')";
is($node->safe_psql('two', $oids), $node->safe_psql('one', $oids), 'the indexes of both databases have the same OIDs');
right($_->[1], 'items', 8, '<->', "$_->[0]: items at first") foreach [ a => $a ], [ b => $b ], [ other => $other ];
right($_->[1], 'wide', 3072, '<->', "$_->[0]: wide at first") foreach [ a => $a ], [ other => $other ];

# Both reach their limits: each gets a merge worker of its own.
foreach my $part (0 .. 4)
{
	foreach my $set ([ $a, 2000, 200 ], [ $other, 20000, 60 ])
	{
		my ($session, $first, $rows) = @$set;
		ask($session, "INSERT INTO items SELECT i, vec(i, 8) FROM generate_series($first + $part * 1000, $first + $part * 1000 + $rows) i");
	}
}
foreach my $database (qw(one two))
{
	ok($node->poll_query_until($database, "SELECT pending_rows < 400 FROM vamana_stats('items_idx')"), "$database: merged");
	index_is_sound_in($database, 'items_idx', 'merged');
}
sub index_is_sound_in
{
	my ($database, $index, $name) = @_;
	is($node->safe_psql($database, "SELECT vamana_check('$index', true)"), '', "$database: $name, check");
	return;
}
is($node->safe_psql('one', 'SELECT count(*) FROM items'), 1500 + 5 * 201, 'one: its own rows');
is($node->safe_psql('two', 'SELECT count(*) FROM items'), 1500 + 5 * 61, 'two: its own rows');
right($a, 'items', 8, '<->', 'a: after merges');
right($other, 'items', 8, '<->', 'other: after merges');

# The second database's is made anew: the first's is what it was.
ask($other, 'DROP INDEX items_idx; ALTER TABLE items ALTER embedding TYPE vector(5) USING subvector(embedding, 1, 5);'
	  . ' CREATE INDEX items_idx ON items USING vamana (embedding vector_cosine_ops)');
right($other, 'items', 5, '<=>', 'other: five dimensions, cosine');
right($a, 'items', 8, '<->', 'a: eight as before');
ask($other, 'DROP TABLE items; VACUUM wide');
right($_, 'wide', 3072, '<->', 'wide after that') foreach $a, $other;

# Another session has the index cached, and a generic plan on it, while it is made anew.
ask($_, 'SET plan_cache_mode = force_generic_plan; PREPARE near(vector) AS SELECT count(*) FROM'
	  . ' (SELECT id FROM items ORDER BY embedding <-> $1 LIMIT 10) s') foreach $a, $b;
my ($dims, $op) = (8, '<->');
foreach my $change (
	[ 'another metric', 'DROP INDEX items_idx; CREATE INDEX items_idx ON items USING vamana (embedding vector_cosine_ops)', 8, '<=>' ],
	[ 'fewer dimensions', 'ALTER TABLE items ALTER embedding TYPE vector(3) USING subvector(embedding, 1, 3)', 3, '<=>' ],
	[ 'many dimensions', 'DROP INDEX items_idx; DELETE FROM items WHERE id > 150;'
		  . ' ALTER TABLE items ALTER embedding TYPE vector(3000) USING vec(id, 3000); CREATE INDEX items_idx ON items USING vamana (embedding vector_l1_ops)', 3000, '<+>' ],
	[ 'less of them', 'DROP INDEX items_idx; TRUNCATE items; ALTER TABLE items ALTER embedding TYPE vector(40);'
		  . ' INSERT INTO items SELECT i, vec(i, 40) FROM generate_series(1, 1500) i;'
		  . ' CREATE INDEX items_idx ON items USING vamana (embedding vector_l2_ops)', 40, '<->' ],
	[ 'other options', 'ALTER INDEX items_idx SET (max_degree = 96, code_bits = 1); REINDEX INDEX items_idx', 40, '<->' ],
	[ 'other options, concurrently', 'ALTER INDEX items_idx SET (max_degree = 16, code_bits = 4)', 40, '<->',
		'REINDEX INDEX CONCURRENTLY items_idx' ],
	[ 'few rows', 'TRUNCATE items; INSERT INTO items SELECT i, vec(i, 40) FROM generate_series(1, 60) i', 40, '<->' ],
	[ 'more rows', 'INSERT INTO items SELECT i, vec(i, 40) FROM generate_series(61, 1300) i', 40, '<->', 'VACUUM FULL items' ],
	[ 'taken back', 'BEGIN; DROP INDEX items_idx; CREATE INDEX items_idx ON items USING vamana (embedding vector_ip_ops);'
		  . ' INSERT INTO items SELECT i, vec(i, 40) FROM generate_series(5000, 5100) i; ROLLBACK', 40, '<->' ],
	[ 'taken back to a savepoint', 'BEGIN; SAVEPOINT s; TRUNCATE items; INSERT INTO items SELECT i, vec(i, 40) FROM generate_series(1, 60) i;'
		  . " SELECT verdict('items', 40, '<->'); ROLLBACK TO s; COMMIT", 40, '<->' ])
{
	my ($name, $sql, $now_dims, $now_op, $alone) = @$change;
	right($a, 'items', $dims, $op, "a: before $name");
	ask($b, $sql);
	ask($b, $alone) if $alone;
	($dims, $op) = ($now_dims, $now_op);
	right($a, 'items', $dims, $op, "a: $name");
	right($b, 'items', $dims, $op, "b: $name");
	is(ask($_, "EXECUTE near(vec(1, $dims))"), 10, "prepared: $name") foreach $a, $b;
	index_is_sound_in('one', 'items_idx', $name);
}

# Temporary tables of one name, each session's its own.
my %temp = (a => [ $a, 4 ], b => [ $b, 300 ]);
sub make_temp
{
	my ($session, $dims_now) = @_;
	ask($session, "CREATE TEMP TABLE mine (id int, embedding vector($dims_now));"
		  . ' CREATE INDEX mine_idx ON mine USING vamana (embedding vector_l2_ops) WITH (pending_limit = 300)');
	return;
}
make_temp(@{ $temp{$_} }) foreach sort keys %temp;
foreach my $part (0 .. 2)
{
	foreach my $who (sort keys %temp)
	{
		my ($session, $dims_now) = @{ $temp{$who} };
		ask($session, "INSERT INTO mine SELECT i, vec(i, $dims_now) FROM generate_series($part * 500 + 1, $part * 500 + 500) i;"
			  . " DELETE FROM mine WHERE id % 7 = $part");
		right($session, 'mine', $dims_now, '<->', "$who: temporary, $part");
		ask($session, 'VACUUM mine') if $part != 1;
		ask($session, q(SELECT vamana_merge('mine_idx'))) if $part == 1;
		right($session, 'mine', $dims_now, '<->', "$who: temporary, $part, merged");
	}
	ask($a, 'DROP TABLE mine') if $part == 1;
	$temp{a}[1] = 1000 if $part == 1;
	make_temp(@{ $temp{a} }) if $part == 1;
}
is(ask($_, q(SELECT vamana_check('mine_idx', true))), '', 'temporary: check') foreach $a, $b;
my $oid = ask($a, "SELECT 'mine_idx'::regclass::oid");
my (undef, undef, $error) = $node->psql('one', "SELECT vamana_check($oid)");
like($error, qr/cannot access temporary indexes of other sessions/, 'not of another session');
is(ask($a, 'BEGIN; CREATE TEMP TABLE brief (id int, embedding vector(6)) ON COMMIT DROP;'
		  . ' CREATE INDEX ON brief USING vamana (embedding vector_l2_ops);'
		  . " INSERT INTO brief SELECT i, vec(i, 6) FROM generate_series(1, 1500) i; SELECT verdict('brief', 6, '<->'); COMMIT"),
	'right', 'dropped on commit');

# Scans of six indexes in one session take turns, while rows are inserted and merged; then scans inside scans.
ask($a, q(
	CREATE TABLE many (id int, embedding vector(8));
	INSERT INTO many SELECT i, vec(i, 8) FROM generate_series(1, 1500) i;
	CREATE INDEX many_l2 ON many USING vamana (embedding vector_l2_ops);
	CREATE INDEX many_cosine ON many USING vamana (embedding vector_cosine_ops);
	CREATE INDEX many_ip ON many USING vamana (embedding vector_ip_ops) WITH (max_degree = 32);
	CREATE INDEX many_l1 ON many USING vamana (embedding vector_l1_ops) WITH (code_bits = 2);
	CREATE FUNCTION take_turns() RETURNS SETOF text LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
	DECLARE
		queries text[] := ARRAY['many m ORDER BY embedding <-> vec(-1, 8)', 'many m ORDER BY embedding <=> vec(-2, 8)',
			'many m ORDER BY embedding <#> vec(-3, 8)', 'many m ORDER BY embedding <+> vec(-4, 8)',
			'many m ORDER BY embedding <-> vec(-5, 8)', 'wide m ORDER BY embedding <-> vec(-6, 3072)'];
		cursors refcursor[]; c refcursor; one int; more boolean := true; turn int := 0;
	BEGIN
		FOR i IN 1 .. cardinality(queries) LOOP
			c := NULL;
			OPEN c FOR EXECUTE 'SELECT id FROM ' || queries[i];
			cursors := cursors || c;
		END LOOP;
		CREATE TEMP TABLE turns (cursor int, id int) ON COMMIT DROP;
		WHILE more LOOP
			more := false;
			FOR i IN 1 .. cardinality(queries) LOOP
				c := cursors[i];
				FETCH c INTO one;
				IF NOT FOUND THEN CONTINUE; END IF;
				more := true;
				INSERT INTO turns VALUES (i, one);
			END LOOP;
			turn := turn + 1;
			IF turn % 100 = 50 THEN
				INSERT INTO many SELECT 10000 + turn * 100 + i, vec(turn * 100 + i, 8) FROM generate_series(1, 20) i;
			END IF;
			IF turn % 300 = 150 THEN
				PERFORM vamana_merge('many_l2'), vamana_merge('many_ip'), vamana_merge('many_cosine'), vamana_merge('many_l1');
			END IF;
		END LOOP;
		RETURN QUERY SELECT format('%s: %s %s %s', cursor, count(*), count(DISTINCT id), sum(id)) FROM turns GROUP BY cursor ORDER BY cursor;
	END $$));
is(ask($a, 'SELECT * FROM take_turns()'),
	join("\n", (map { "$_: 1500 1500 1125750" } 1 .. 5), '6: 100 100 5050'),
	'scans that take turns return what they saw, each row once');
right($a, 'many', 8, $_, "a: $_ after that") foreach '<->', '<=>', '<#>', '<+>';
cmp_ok(ask($a, q(
	SET enable_seqscan = off;
	WITH outer_rows AS MATERIALIZED (SELECT id, embedding FROM many WHERE id <= 1500 ORDER BY embedding <=> vec(-1, 8) LIMIT 400)
	SELECT count(*) FROM outer_rows o,
		LATERAL (SELECT id, embedding FROM many m ORDER BY m.embedding <-> o.embedding LIMIT 1) x,
		LATERAL (SELECT id FROM many m ORDER BY m.embedding <+> x.embedding LIMIT 1) y
	WHERE x.id = o.id AND y.id = o.id)), '>=', 396, 'scans inside scans: each row is its own nearest');
index_is_sound_in('one', "many_$_", 'took turns') foreach qw(l2 cosine ip l1);

$_->quit foreach $a, $b, $other;
my @bad = grep { /PANIC|FATAL|ERROR|WARNING|TRAP|terminated by signal/ } split /\n/, slurp_file($node->logfile);
is(scalar(@bad), 1, "one error in the server's log, that of the check of another's temporary index") or diag(join("\n", @bad));

done_testing();

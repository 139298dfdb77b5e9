-- Statements that insert many rows: since 17 the rows are gathered in memory and written pages at a time. Whoever looks at the
-- index meanwhile, within the statement, finds all rows.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all
SET enable_seqscan = off;
SET enable_sort = off;

CREATE TABLE items (id int, v vector(32));
CREATE INDEX items_l2 ON items USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
-- By the index: rows, and different ones. The plan is an index scan, since sorts are off.
CREATE FUNCTION found(OUT n bigint, OUT different bigint) LANGUAGE plpgsql AS $$
BEGIN
	SELECT count(*), count(DISTINCT id) INTO n, different FROM (SELECT id FROM items ORDER BY v <-> point(-1, 32)) s;
END $$;
SELECT scans('SELECT id FROM items ORDER BY v <-> point(-1, 32)');
CREATE TABLE seen (event text, n int, by_index bigint, by_heap bigint);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id % TG_ARGV[0]::int = 0 THEN
		INSERT INTO seen SELECT TG_WHEN || ' ' || TG_OP, NEW.id, found.n, (SELECT count(*) FROM items) FROM found();
	END IF;
	RETURN NEW;
END $$;

-- Triggers see the rows that came before theirs, or all.
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION look(100);
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(1, 500) i;
SELECT * FROM seen ORDER BY n;
TRUNCATE seen;
UPDATE items SET v = point(id + 1000, 32) WHERE id <= 300;
SELECT event, n, by_index = by_heap AND by_heap = 500 AS as_heap FROM seen ORDER BY n;
DROP TRIGGER before_row ON items;
TRUNCATE seen;
CREATE TRIGGER after_row AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION look(50);
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(501, 600) i;
SELECT * FROM seen ORDER BY n;
DROP TRIGGER after_row ON items;
TRUNCATE seen;

-- Volatile functions: the nearest row is one that the statement has just inserted.
CREATE FUNCTION nearest(i int) RETURNS int LANGUAGE sql VOLATILE AS
	'SELECT id FROM items ORDER BY v <-> point(i, 32) LIMIT 1';
WITH fresh AS (INSERT INTO items SELECT i, point(i, 32) FROM generate_series(601, 700) i RETURNING id, nearest(id) AS near)
SELECT count(*), count(*) FILTER (WHERE near > 600) AS own FROM fresh;
SELECT * FROM found();

-- A scan by a parallel worker, which has what its leader has written.
CREATE FUNCTION look_parallel() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
	IF NEW.id % 100 = 50 THEN
		EXECUTE 'SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> ''[1' || repeat(',1', 31) || ']'') s' INTO n;
		INSERT INTO seen VALUES ('parallel', NEW.id, n, (SELECT count(*) FROM items));
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION look_parallel();
BEGIN;
SELECT count(set_config(name, 'on', true)) FROM pg_settings WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(701, 900) i;
COMMIT;
DROP TRIGGER before_row ON items;
SELECT * FROM seen WHERE event = 'parallel' ORDER BY n;
TRUNCATE seen;

-- Cursors: one that a function opens and keeps, of the statement's own rows; and one that is open during an INSERT.
CREATE FUNCTION drain(c refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE r record; n bigint := 0;
BEGIN
	LOOP
		FETCH c INTO r;
		EXIT WHEN NOT FOUND;
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;
CREATE FUNCTION keep_cursor() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE c refcursor := 'kept';
BEGIN
	IF NEW.id = 1000 THEN
		OPEN c FOR SELECT id FROM items ORDER BY v <-> point(-1, 32);
		FETCH c INTO NEW.id;
		NEW.id := 1000;
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION keep_cursor();
BEGIN;
DECLARE earlier CURSOR FOR SELECT id FROM items ORDER BY v <-> point(-1, 32);
FETCH earlier;
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(901, 1100) i;
SELECT drain('kept') >= 998 AS kept, drain('earlier') AS earlier;
COMMIT;
DROP TRIGGER before_row ON items;
SELECT * FROM found();

-- What reads the whole index, from within the statement.
CREATE FUNCTION look_inside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 1150 THEN
		PERFORM vamana_check('items_l2', true);
		INSERT INTO seen SELECT 'stats', NEW.id, pending_rows, (SELECT count(*) FROM items) FROM vamana_stats('items_l2');
	ELSIF NEW.id = 1170 THEN
		INSERT INTO seen SELECT 'merge', NEW.id, vamana_merge('items_l2'), (SELECT count(*) FROM items);
		INSERT INTO seen SELECT 'found', NEW.id, n, (SELECT count(*) FROM items) FROM found();
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER before_row BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION look_inside();
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(1101, 1200) i;
DROP TRIGGER before_row ON items;
SELECT event, n, by_index >= by_heap AS all_rows FROM seen ORDER BY n, event DESC;
TRUNCATE seen;
SELECT * FROM found();
SELECT vamana_check('items_l2', true);

-- Errors: rows of what is rolled back are not there, all others are.
CREATE FUNCTION fill(first int, last int, bad int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO items SELECT i, point(1 / (i - bad) * 0 + i, 32) FROM generate_series(first, last) i;
	RETURN 'filled';
EXCEPTION WHEN division_by_zero THEN
	RETURN 'failed, then found ' || (SELECT n FROM found());
END $$;
SELECT fill(2001, 2100, 2090), fill(2101, 2200, 0);
-- The same within a statement that gathers for the same index.
INSERT INTO items SELECT 2200 + i, point(i + length(fill(i * 1000, i * 1000 + 99, i * 1000 + CASE i % 2 WHEN 0 THEN 80 ELSE -1 END)), 32)
FROM generate_series(6, 65) i;
SELECT * FROM found();
SELECT count(*), count(DISTINCT id) FROM items;
INSERT INTO items SELECT i, point(1 / (i - 4390) * 0 + i, 32) FROM generate_series(4001, 4400) i;
SELECT n = (SELECT count(*) FROM items WHERE id > 0), n = different FROM found();
BEGIN;
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(5001, 5100) i;
SAVEPOINT s;
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(5101, 5200) i;
INSERT INTO items SELECT i, point(1 / (i - 5290) * 0 + i, 32) FROM generate_series(5201, 5300) i;
ROLLBACK TO s;
SELECT * FROM found();
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(5301, 5400) i;
COMMIT;
SELECT * FROM found();
SELECT vamana_check('items_l2', true);

DROP TABLE items;

-- COPY: whole, and with an error in the middle: of a value, of the format. NULLs are not indexed.
CREATE TABLE items (id int, v vector(3));
CREATE INDEX items_l2 ON items USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
CREATE FUNCTION found_short(OUT n bigint, OUT different bigint) LANGUAGE plpgsql AS $$
BEGIN
	SELECT count(*), count(DISTINCT id) INTO n, different FROM (SELECT id FROM items ORDER BY v <-> '[1,2,3]') s;
END $$;
\set VERBOSITY terse
COPY items FROM PROGRAM 'seq 1 1000 | sed "s/.*/&\t[&,0,1]/"';
SELECT * FROM found_short();
COPY items FROM PROGRAM 'seq 1001 5000 | sed "s/.*/&\t[&,0,1]/; s/^4950\t.*/4950\t[1]/"';
SELECT * FROM found_short();
COPY items FROM PROGRAM 'seq 1001 5000 | sed "s/.*/&\t[&,0,1]/; s/^4950\t.*/&x/"';
SELECT * FROM found_short();
COPY items FROM PROGRAM 'seq 1001 2000 | sed "s/.*/&\t[&,0,1]/; s/^\(1500\|1600\)\t.*/\1\t\\\\N/"';
SELECT * FROM found_short();
\set VERBOSITY default
SELECT vamana_check('items_l2', true);
-- Pages are full, whether their rows came one by one or by the hundred.
SELECT pending_rows > 4000 AS with_dead_ones, pending_pages - ceil(pending_rows / 127.0) AS too_many FROM vamana_stats('items_l2');
DROP TABLE items;

-- ON CONFLICT: rows that were there, rows that the statement itself has inserted, and rows that are updated.
CREATE TABLE items (id int PRIMARY KEY, v vector(32), n int DEFAULT 0);
CREATE INDEX items_l2 ON items USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(1, 100) i;
INSERT INTO items SELECT i % 300 + 50, point(i, 32) FROM generate_series(1, 500) i ON CONFLICT DO NOTHING;
SELECT * FROM found();
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(300, 500) i ON CONFLICT (id) DO UPDATE SET v = point(items.id + 1, 32);
INSERT INTO items SELECT i, point(i, 32) FROM unnest(ARRAY[600, 601, 602, 600]) i ON CONFLICT (id) DO UPDATE SET n = 1;
SELECT * FROM found();
MERGE INTO items USING generate_series(450, 650) i ON id = i
	WHEN MATCHED AND i % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = point(-i, 32)
	WHEN NOT MATCHED THEN INSERT VALUES (i, point(i, 32));
SELECT n = (SELECT count(*) FROM items WHERE id > 0) AS as_heap, n = different AS once FROM found();
SELECT vamana_check('items_l2', true);
DROP TABLE items;

-- Partitions, each with an index; a row that moves from one to the other; two indexes on a table.
CREATE TABLE items (id int, v vector(32)) PARTITION BY HASH (id);
SELECT format('CREATE TABLE items_%s PARTITION OF items FOR VALUES WITH (MODULUS 8, REMAINDER %s)', i, i) FROM generate_series(0, 7) i \gexec
CREATE INDEX items_l2 ON items USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
CREATE INDEX items_cosine ON items USING vamana (v vector_cosine_ops) WITH (pending_limit = 1000000);
INSERT INTO items SELECT i, point(i, 32) FROM generate_series(1, 1500) i;
SELECT * FROM found();
UPDATE items SET id = id + 10000 WHERE id % 3 = 0;
SELECT * FROM found();
SELECT count(vamana_check(indexrelid, true)) FROM pg_index WHERE indrelid::regclass::text LIKE 'items\__';
DROP TABLE items;
DROP TABLE seen;
DROP FUNCTION found, look, look_parallel, look_inside, keep_cursor, drain, nearest, fill, found_short;

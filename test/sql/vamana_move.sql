-- Tables and indexes that are moved, written anew or emptied, with rows in the graph, pending and dead, in
-- transactions that commit or do not.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
SET client_min_messages = warning;
-- Whether an ordered scan returns every row once, and the index is sound.
CREATE FUNCTION verdict(relation text, index text) RETURNS text LANGUAGE plpgsql
	SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE r record;
BEGIN
	EXECUTE format('SELECT count(*) AS rows, count(DISTINCT id) AS different, sum(id)::text AS sum,
		(SELECT count(id + 0) FROM %1$s) AS heap, (SELECT sum(id)::text FROM %1$s) AS heap_sum
		FROM (SELECT id FROM %1$s ORDER BY v <-> %2$L) s', relation, point(-1, 8)) INTO r;
	IF r.rows <> r.heap OR r.different <> r.heap OR r.sum <> r.heap_sum THEN RETURN r::text; END IF;
	PERFORM vamana_check(index::regclass, true);
	RETURN 'right';
END $$;
RESET client_min_messages;
\set ECHO all

CREATE TABLE moved (id int PRIMARY KEY, v vector(8)) WITH (autovacuum_enabled = off);
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(1, 1500) AS i;
CREATE INDEX moved_v ON moved USING vamana (v vector_l2_ops) WITH (pending_limit = 100000);
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(2001, 2300) AS i;
DELETE FROM moved WHERE id % 3 = 0;
UPDATE moved SET v = point(id + 10000, 8) WHERE id % 3 = 1;

-- Tablespaces.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE regress_vamana_space LOCATION '';
ALTER INDEX moved_v SET TABLESPACE regress_vamana_space;
SELECT verdict('moved', 'moved_v');
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(3001, 3100) AS i;
SELECT vamana_merge('moved_v') >= 0 AS merged;
ALTER TABLE moved SET TABLESPACE regress_vamana_space;
SELECT verdict('moved', 'moved_v');
BEGIN;
ALTER INDEX moved_v SET TABLESPACE pg_default;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(4001, 4100) AS i;
SELECT vamana_merge('moved_v') >= 0 AS merged;
SELECT verdict('moved', 'moved_v');
ROLLBACK;
SELECT verdict('moved', 'moved_v');
VACUUM moved;
SELECT verdict('moved', 'moved_v');
REINDEX (TABLESPACE pg_default) INDEX moved_v;
REINDEX (CONCURRENTLY, TABLESPACE regress_vamana_space) INDEX moved_v;
SELECT verdict('moved', 'moved_v');
ALTER INDEX ALL IN TABLESPACE regress_vamana_space SET TABLESPACE pg_default;
ALTER TABLE moved SET TABLESPACE pg_default;
DROP TABLESPACE regress_vamana_space;
SELECT verdict('moved', 'moved_v');

-- Written anew.
DELETE FROM moved WHERE id % 5 = 0;
CLUSTER moved USING moved_pkey;
SELECT verdict('moved', 'moved_v');
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(5001, 5100) AS i;
VACUUM FULL moved;
SELECT verdict('moved', 'moved_v');
ALTER TABLE moved SET UNLOGGED;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(6001, 6100) AS i;
SELECT verdict('moved', 'moved_v');
ALTER TABLE moved SET LOGGED;
SELECT verdict('moved', 'moved_v');
ALTER TABLE moved ADD COLUMN tag int DEFAULT 0, ALTER id TYPE bigint;
SELECT verdict('moved', 'moved_v');
BEGIN;
CLUSTER moved;
DELETE FROM moved WHERE id % 2 = 0;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(7001, 7100) AS i;
SELECT verdict('moved', 'moved_v');
ROLLBACK;
SELECT verdict('moved', 'moved_v');

-- Emptied, for good and not.
BEGIN;
TRUNCATE moved;
SELECT verdict('moved', 'moved_v');
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(1, 1200) AS i;
SELECT vamana_merge('moved_v') >= 0 AS merged;
SELECT verdict('moved', 'moved_v');
ROLLBACK;
SELECT count(*) > 0 AS still FROM moved;
SELECT verdict('moved', 'moved_v');
BEGIN;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(8001, 8100) AS i;
SAVEPOINT s;
TRUNCATE moved;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(8001, 8050) AS i;
ROLLBACK TO s;
SELECT verdict('moved', 'moved_v');
COMMIT;
SELECT verdict('moved', 'moved_v');
TRUNCATE moved;
SELECT verdict('moved', 'moved_v'), nodes, pending_rows, pages FROM vamana_stats('moved_v');
BEGIN;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(1, 1500) AS i;
TRUNCATE moved;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(1, 1100) AS i;
COMMIT;
SELECT vamana_merge('moved_v') >= 0 AS merged, verdict('moved', 'moved_v');
BEGIN;
SAVEPOINT s;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(9001, 9300) AS i;
SELECT vamana_merge('moved_v') >= 0 AS merged;
ROLLBACK TO s;
INSERT INTO moved SELECT i, point(i, 8) FROM generate_series(9001, 9200) AS i;
COMMIT;
SELECT verdict('moved', 'moved_v');
VACUUM moved;
SELECT verdict('moved', 'moved_v');
DROP TABLE moved;

-- Temporary, kept and emptied on commit; no worker merges for it.
CREATE TEMP TABLE brief (id int, v vector(8)) ON COMMIT DELETE ROWS;
CREATE INDEX brief_v ON brief USING vamana (v vector_l2_ops) WITH (pending_limit = 500);
BEGIN;
INSERT INTO brief SELECT i, point(i, 8) FROM generate_series(1, 2500) AS i;
SELECT verdict('brief', 'brief_v');
UPDATE brief SET v = point(id + 5000, 8) WHERE id % 2 = 0;
SELECT vamana_merge('brief_v') >= 0 AS merged, verdict('brief', 'brief_v');
COMMIT;
SELECT verdict('brief', 'brief_v'), nodes, pending_rows FROM vamana_stats('brief_v');
BEGIN;
INSERT INTO brief SELECT i, point(i, 8) FROM generate_series(1, 100) AS i;
SELECT verdict('brief', 'brief_v');
ROLLBACK;
DROP TABLE brief;

-- Partitions: rows that move from one to another, an index that is attached, a partition that goes.
CREATE TABLE parts (id int, v vector(8)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1500);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1500) TO (3000);
CREATE INDEX parts_v ON parts USING vamana (v vector_l2_ops) WITH (pending_limit = 100000);
INSERT INTO parts SELECT i, point(i, 8) FROM generate_series(1, 2999) AS i;
SELECT verdict('parts', 'parts_1_v_idx'), verdict('parts', 'parts_2_v_idx');
SELECT vamana_merge('parts_1_v_idx') >= 0 AS one, vamana_merge('parts_2_v_idx') >= 0 AS two;
UPDATE parts SET id = 3000 - id WHERE id % 2 = 0 AND id <> 1500;
SELECT verdict('parts', 'parts_1_v_idx'), verdict('parts', 'parts_2_v_idx');
VACUUM parts;
SELECT verdict('parts', 'parts_1_v_idx'), verdict('parts', 'parts_2_v_idx');
CREATE TABLE parts_3 (id int, v vector(8));
INSERT INTO parts_3 SELECT i, point(i, 8) FROM generate_series(3000, 4200) AS i;
CREATE INDEX parts_3_v ON parts_3 USING vamana (v vector_l2_ops);
ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM (3000) TO (5000);
SELECT verdict('parts', 'parts_3_v');
ALTER TABLE parts DETACH PARTITION parts_1;
SELECT verdict('parts', 'parts_2_v_idx'), verdict('parts_1', 'parts_1_v_idx');
TRUNCATE parts;
SELECT verdict('parts', 'parts_2_v_idx'), verdict('parts', 'parts_3_v');
DROP TABLE parts, parts_1;
DROP FUNCTION verdict;

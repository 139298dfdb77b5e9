-- CREATE INDEX by several processes or by one: which tables and expressions allow it, what is in the index, and within transactions.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all
SET max_parallel_maintenance_workers = 2;
SET min_parallel_table_scan_size = 0;

-- What pg_stat_progress_create_index shows.
SELECT n, pg_indexam_progress_phasename(oid, n) FROM pg_am, generate_series(0, 12) AS n WHERE amname = 'vamana';

-- Every class; NULLs and, for cosine, zero vectors are not indexed, equal ones share a node.
CREATE TABLE built (id int PRIMARY KEY, v vector(8));
INSERT INTO built SELECT i, CASE WHEN i % 50 = 0 THEN NULL WHEN i % 50 = 1 THEN array_fill(0::real, ARRAY[8])::vector
	ELSE point(i % 2000, 8) END FROM generate_series(1, 3000) AS i;
CREATE INDEX built_l2 ON built USING vamana (v vector_l2_ops);
CREATE INDEX built_ip ON built USING vamana (v vector_ip_ops);
CREATE INDEX built_cosine ON built USING vamana (v vector_cosine_ops);
CREATE INDEX built_l1 ON built USING vamana (v vector_l1_ops);
SELECT i, nodes, rows, pending_rows FROM unnest(ARRAY['built_l2', 'built_ip', 'built_cosine', 'built_l1']::regclass[]) AS i,
	vamana_stats(i) WHERE vamana_check(i, true) IS NOT NULL;
SELECT differing('built', '<->', 8, 10, 'id < 2000 AND id % 50 > 1');
SELECT differing('built', '<=>', 8, 10, 'id < 2000 AND id % 50 > 1');
DROP INDEX built_l2, built_ip, built_cosine, built_l1;

-- Rows too few for a graph.
CREATE INDEX built_few ON built USING vamana (v vector_l2_ops) WHERE id BETWEEN 1001 AND 2018;
SELECT nodes, rows, pending_rows FROM vamana_stats('built_few') WHERE vamana_check('built_few', true) IS NOT NULL;
DROP INDEX built_few;
CREATE INDEX built_few ON built USING vamana (v vector_l2_ops) WHERE id BETWEEN 1001 AND 2020;
SELECT nodes, rows, pending_rows FROM vamana_stats('built_few') WHERE vamana_check('built_few', true) IS NOT NULL;
DROP INDEX built_few;

-- A part of the rows; an expression.
CREATE INDEX built_part ON built USING vamana (v vector_l2_ops) WHERE id % 3 > 0;
SELECT nodes, rows FROM vamana_stats('built_part') WHERE vamana_check('built_part', true) IS NOT NULL;
SET enable_seqscan = off;
SELECT scans('SELECT id FROM built WHERE id % 3 > 0 ORDER BY v <-> ''[1,2,3,4,5,6,7,8]'' LIMIT 5');
DROP INDEX built_part;
CREATE INDEX built_half ON built USING vamana ((subvector(v, 1, 4)::vector(4)) vector_l2_ops) WHERE id <= 2000;
SELECT nodes, rows FROM vamana_stats('built_half') WHERE vamana_check('built_half', true) IS NOT NULL;
SELECT scans('SELECT id FROM built WHERE id <= 2000 ORDER BY subvector(v, 1, 4)::vector(4) <-> ''[1,1,1,1]'' LIMIT 5');
DROP INDEX built_half;

-- Which builds are parallel: there, nextval() is an error.
\set VERBOSITY terse
CREATE SEQUENCE steps;
CREATE FUNCTION step(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
	AS $$ BEGIN PERFORM nextval('public.steps'); RETURN v; END $$;
CREATE FUNCTION unsafe_step(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL UNSAFE
	AS $$ BEGIN PERFORM nextval('public.steps'); RETURN v; END $$;
CREATE FUNCTION restricted_step(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE PARALLEL RESTRICTED
	AS $$ BEGIN PERFORM nextval('public.steps'); RETURN v; END $$;
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
CREATE INDEX built_steps ON built USING vamana ((unsafe_step(v)::vector(8)) vector_l2_ops);
DROP INDEX built_steps;
CREATE INDEX built_steps ON built USING vamana ((restricted_step(v)::vector(8)) vector_l2_ops);
DROP INDEX built_steps;
CREATE INDEX built_steps ON built USING vamana (v vector_l2_ops) WHERE vector_dims(step(v)) = 8;
CREATE INDEX built_steps ON built USING vamana (v vector_l2_ops) WHERE vector_dims(unsafe_step(v)) = 8;
DROP INDEX built_steps;
ALTER TABLE built SET (parallel_workers = 0);
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
DROP INDEX built_steps;
RESET min_parallel_table_scan_size;
ALTER TABLE built SET (parallel_workers = 1);
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
ALTER TABLE built SET (parallel_workers = 100);
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
CREATE INDEX built_l2 ON built USING vamana (v vector_l2_ops);
SELECT vamana_check('built_l2', true);
DROP INDEX built_l2;
ALTER TABLE built RESET (parallel_workers);
-- A table of so few blocks.
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
DROP INDEX built_steps;
SET min_parallel_table_scan_size = 0;
SET max_parallel_maintenance_workers = 0;
CREATE INDEX built_steps ON built USING vamana ((step(v)::vector(8)) vector_l2_ops);
DROP INDEX built_steps;
SET max_parallel_maintenance_workers = 2;
CREATE TEMP TABLE brief AS SELECT * FROM built;
CREATE INDEX brief_steps ON brief USING vamana ((step(v)::vector(8)) vector_l2_ops);
SELECT nodes, rows, pending_rows FROM vamana_stats('brief_steps') WHERE vamana_check('brief_steps', true) IS NOT NULL;
DROP TABLE brief;
CREATE UNLOGGED TABLE brief AS SELECT * FROM built;
CREATE INDEX brief_steps ON brief USING vamana ((step(v)::vector(8)) vector_l2_ops);
CREATE INDEX brief_l2 ON brief USING vamana (v vector_l2_ops);
SELECT nodes, rows, pending_rows FROM vamana_stats('brief_l2') WHERE vamana_check('brief_l2', true) IS NOT NULL;
DROP TABLE brief;
DROP FUNCTION step, unsafe_step, restricted_step;
DROP SEQUENCE steps;
\set VERBOSITY default

-- Vectors kept apart from their nodes are loaded by one process; of equal ones one is kept.
CREATE TABLE apart AS SELECT i AS id, point(i % 90, 4500)::vector(4500) AS v FROM generate_series(1, 180) AS i;
ALTER TABLE apart SET (parallel_workers = 2);
CREATE INDEX apart_l2 ON apart USING vamana (v vector_l2_ops);
SELECT own_vector, nodes, rows FROM vamana_stats('apart_l2') WHERE vamana_check('apart_l2', true) IS NOT NULL;
DROP TABLE apart;

-- Within the transaction that made the table, and rolled back.
BEGIN;
CREATE TABLE made (id int, v vector(8));
INSERT INTO made SELECT i, point(i, 8) FROM generate_series(1, 1500) AS i;
SAVEPOINT one;
CREATE INDEX made_l2 ON made USING vamana (v vector_l2_ops);
SELECT nodes FROM vamana_stats('made_l2') WHERE vamana_check('made_l2', true) IS NOT NULL;
ROLLBACK TO one;
SELECT to_regclass('made_l2');
DELETE FROM made WHERE id % 10 = 0;
INSERT INTO made SELECT i, point(i, 8) FROM generate_series(1501, 1800) AS i;
CREATE INDEX made_l2 ON made USING vamana (v vector_l2_ops);
SAVEPOINT two;
INSERT INTO made SELECT i, point(i, 8) FROM generate_series(1801, 1900) AS i;
DROP INDEX made_l2;
ROLLBACK TO two;
SELECT nodes, rows FROM vamana_stats('made_l2') WHERE vamana_check('made_l2', true) IS NOT NULL;
SELECT differing('made', '<->', 8, 10);
COMMIT;
SELECT vamana_check('made_l2', true);
BEGIN;
DROP INDEX made_l2;
DELETE FROM made WHERE id <= 400;
CREATE INDEX made_l2 ON made USING vamana (v vector_cosine_ops);
ROLLBACK;
SELECT metric, nodes, rows FROM vamana_stats('made_l2') WHERE vamana_check('made_l2', true) IS NOT NULL;
BEGIN;
TRUNCATE made;
INSERT INTO made SELECT i, point(i, 8) FROM generate_series(1, 1200) AS i;
REINDEX INDEX made_l2;
SELECT nodes, rows FROM vamana_stats('made_l2') WHERE vamana_check('made_l2', true) IS NOT NULL;
ROLLBACK;
SELECT nodes, rows FROM vamana_stats('made_l2') WHERE vamana_check('made_l2', true) IS NOT NULL;
SELECT differing('made', '<->', 8, 10);

-- An error in the middle, caught.
DO $$
BEGIN
	BEGIN
		CREATE INDEX made_bad ON made USING vamana ((subvector(v, 1, 8 + 0 / (id - 777))::vector(8)) vector_l2_ops);
	EXCEPTION WHEN division_by_zero THEN
		RAISE NOTICE '%', sqlerrm;
	END;
	CREATE INDEX made_again ON made USING vamana (v vector_l2_ops);
END $$;
SELECT to_regclass('made_bad'), vamana_check('made_again', true);
SELECT count(*) FROM pg_ls_tmpdir() WHERE name ~ format('pgsql_tmp%s\.', pg_backend_pid());
DROP INDEX CONCURRENTLY made_again;

-- Partitions with rows in them; one of them had an index before.
CREATE TABLE parts (id int, v vector(5)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1200);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1200) TO (2400);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (2400) TO (3600);
INSERT INTO parts SELECT i, point(i, 5) FROM generate_series(1, 2500) AS i;
CREATE INDEX parts_2_before ON parts_2 USING vamana (v vector_l2_ops);
CREATE INDEX parts_v ON parts USING vamana (v vector_l2_ops);
SELECT relid, nodes, rows, pending_rows FROM pg_partition_tree('parts_v'), vamana_stats(relid)
	WHERE isleaf AND vamana_check(relid, true) IS NOT NULL ORDER BY relid::text;
SELECT differing('parts', '<->', 5, 10);
REINDEX TABLE parts;
SELECT relid, nodes, rows, pending_rows FROM pg_partition_tree('parts_v'), vamana_stats(relid)
	WHERE isleaf AND vamana_check(relid, true) IS NOT NULL ORDER BY relid::text;
DROP INDEX parts_2_before;
DROP INDEX parts_v;
SELECT count(*) FROM pg_class WHERE relname ~ '^parts' AND relkind IN ('i', 'I');
CREATE INDEX parts_v ON ONLY parts USING vamana (v vector_l2_ops);
CREATE INDEX parts_1_v ON parts_1 USING vamana (v vector_l2_ops);
CREATE INDEX parts_1_cosine ON parts_1 USING vamana (v vector_cosine_ops);
ALTER INDEX parts_v ATTACH PARTITION parts_1_cosine;
ALTER INDEX parts_v ATTACH PARTITION parts_1_v;
SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'parts_v'::regclass;
DROP TABLE parts;

-- A materialized view.
CREATE MATERIALIZED VIEW seen AS SELECT id, v FROM made WHERE id % 5 <> 0;
CREATE INDEX seen_v ON seen USING vamana (v vector_l2_ops);
SELECT nodes, rows FROM vamana_stats('seen_v') WHERE vamana_check('seen_v', true) IS NOT NULL;
DELETE FROM made WHERE id % 2 = 0 AND id < 1000;
REFRESH MATERIALIZED VIEW seen;
SELECT nodes, rows, pending_rows FROM vamana_stats('seen_v') WHERE vamana_check('seen_v', true) IS NOT NULL;
DROP MATERIALIZED VIEW seen;
DROP TABLE made, built;

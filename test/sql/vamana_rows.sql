-- Rows with something about them: NULL, zero, equal, few, many, deleted, not committed.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all
SET enable_seqscan = off;

-- NULLs and, under cosine, zero vectors are not in the index; a scan returns them last, as a sort does.
CREATE TABLE odd (id int, v vector(3));
CREATE INDEX odd_l2 ON odd USING vamana (v vector_l2_ops);
CREATE INDEX odd_cosine ON odd USING vamana (v vector_cosine_ops);
SELECT id FROM odd ORDER BY v <-> '[1,2,3]';
INSERT INTO odd VALUES (1, '[1,2,3]');
SELECT id FROM odd ORDER BY v <-> '[1,2,3]';
INSERT INTO odd VALUES (2, NULL), (3, '[0,0,0]'), (4, '[-1,0,1]'), (5, NULL), (6, '[1,1,1]');
SELECT scans('SELECT id FROM odd ORDER BY v <-> ''[1,2,3]''');
SELECT id, v, v <-> '[1,2,3]' AS distance FROM odd ORDER BY v <-> '[1,2,3]';
SELECT id, v, v <=> '[1,1,1]' AS distance FROM odd ORDER BY v <=> '[1,1,1]';
SELECT id, v FROM odd WHERE v IS NOT NULL ORDER BY v <-> '[1,2,3]' LIMIT 10;
-- A query without direction, and no query.
SELECT count(*), count(v <=> '[0,0,0]') FROM (SELECT v FROM odd ORDER BY v <=> '[0,0,0]') AS s;
SELECT count(*) FROM (SELECT v FROM odd ORDER BY v <-> (SELECT NULL::vector)) AS s;
SELECT count(*) FROM (SELECT v FROM odd ORDER BY v <=> (SELECT NULL::vector) LIMIT 4) AS s;
REINDEX INDEX odd_cosine;
SELECT id, v FROM odd ORDER BY v <=> '[1,1,1]';
DROP TABLE odd;

-- The same with a graph, a search that ends early, and a filter that only NULLs pass.
CREATE TABLE gaps (id int PRIMARY KEY, v vector(4));
INSERT INTO gaps SELECT i, CASE WHEN i % 4 <> 0 THEN point(i, 4) END FROM generate_series(1, 2000) AS i;
CREATE INDEX gaps_l2 ON gaps USING vamana (v vector_l2_ops);
ANALYZE gaps;
SELECT count(*), count(v), count(DISTINCT id) FROM (SELECT * FROM gaps ORDER BY v <-> point(-1, 4) LIMIT 1600) AS s;
SELECT count(*), count(v), count(DISTINCT id) FROM (SELECT * FROM gaps ORDER BY v <-> point(-1, 4)) AS s;
SELECT count(*), count(v) FROM (SELECT * FROM gaps WHERE id % 4 = 0 ORDER BY v <-> point(-1, 4) LIMIT 10) AS s;
SET work_mem = '64kB';
UPDATE gaps SET v = NULL WHERE id > 500;
SELECT count(*), count(v), count(DISTINCT id) FROM (SELECT * FROM gaps ORDER BY v <-> point(-1, 4)) AS s;
RESET work_mem;
DROP TABLE gaps;

-- Equal vectors by the thousand share a node; each row comes once.
CREATE TABLE equal (id int, v vector(8));
INSERT INTO equal SELECT i, point(i % 2, 8) FROM generate_series(1, 10000) AS i;
INSERT INTO equal SELECT i, point(i, 8) FROM generate_series(10001, 12000) AS i;
CREATE INDEX equal_l2 ON equal USING vamana (v vector_l2_ops);
SELECT count(*), count(DISTINCT id), min(id % 2), max(id % 2), max(distance)
FROM (SELECT id, v <-> point(1, 8) AS distance FROM equal ORDER BY v <-> point(1, 8) LIMIT 5000) AS s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM equal ORDER BY v <-> point(1, 8)) AS s;
INSERT INTO equal SELECT i, point(1, 8) FROM generate_series(20001, 23000) AS i;
SELECT count(*), count(DISTINCT id), max(distance)
FROM (SELECT id, v <-> point(1, 8) AS distance FROM equal ORDER BY v <-> point(1, 8) LIMIT 8000) AS s;
VACUUM equal;
SELECT count(*), count(DISTINCT id), max(distance)
FROM (SELECT id, v <-> point(1, 8) AS distance FROM equal ORDER BY v <-> point(1, 8) LIMIT 8000) AS s;
DELETE FROM equal WHERE id <= 20000;
VACUUM equal;
SELECT count(*), min(id) FROM (SELECT id FROM equal ORDER BY v <-> point(1, 8)) AS s;
DROP TABLE equal;
-- All equal.
CREATE TABLE equal AS SELECT i AS id, '[1,2,3]'::vector(3) AS v FROM generate_series(1, 3000) AS i;
CREATE INDEX ON equal USING vamana (v vector_cosine_ops);
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM equal ORDER BY v <=> '[3,2,1]') AS s;
DROP TABLE equal;

-- Of 3,000 equal vectors one is measured, and no more are read than are asked for. Around them rows that differ
-- by less than they are rounded by.
CREATE TABLE twins (id int, tag int, v vector(8)) WITH (autovacuum_enabled = off);
CREATE FUNCTION beside(step float8) RETURNS vector LANGUAGE sql IMMUTABLE
	AS $$ SELECT point(7, 8) + array_fill(step::real, ARRAY[8])::vector $$;
-- Blocks that the ten nearest rows take.
CREATE FUNCTION blocks(step float8) RETURNS int LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
	EXECUTE format('EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT id FROM twins ORDER BY v <-> %L LIMIT 10', beside(step)) INTO plan;
	plan := plan->0->'Plan';
	RETURN (plan->>'Shared Hit Blocks')::int + (plan->>'Shared Read Blocks')::int;
END $$;
-- The first rows by the index: how many different ones, and whether their distances are those that a sort gives.
CREATE FUNCTION like_sorted(step float8, most int, OUT different bigint, OUT sorted bool) LANGUAGE plpgsql AS $$
DECLARE
	statement text := 'SELECT array_agg(id), array_agg(distance) FROM
		(SELECT id, v <-> $1 AS distance FROM twins ORDER BY v <-> $1 LIMIT $2) s';
	ids int[];
	by_index float8[];
	by_sort float8[];
BEGIN
	PERFORM set_config('enable_indexscan', 'off', true), set_config('enable_seqscan', 'on', true);
	EXECUTE statement INTO ids, by_sort USING beside(step), most;
	PERFORM set_config('enable_indexscan', 'on', true), set_config('enable_seqscan', 'off', true);
	EXECUTE statement INTO ids, by_index USING beside(step), most;
	sorted := by_index = by_sort;
	SELECT count(DISTINCT id) INTO different FROM unnest(ids) AS id;
END $$;
INSERT INTO twins SELECT i, i, point(i, 8) FROM generate_series(1, 2000) AS i;
INSERT INTO twins SELECT i, i, point(7, 8) FROM generate_series(10001, 13000) AS i;
INSERT INTO twins SELECT i, i, beside(0.004 + i % 100 * 0.000005) FROM generate_series(20001, 20200) AS i;
CREATE INDEX twins_tag ON twins (tag);
CREATE INDEX twins_l2 ON twins USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
SET vamana.search_list_size = 400;
SELECT vamana_check('twins_l2', true);
SELECT blocks(0.01) < 1000 AS few, blocks(-0.01) < 1000 AS few, blocks(0) < 1000 AS few;
SELECT * FROM like_sorted(0.01, 3150);
SELECT * FROM like_sorted(-0.01, 3150);
SELECT * FROM like_sorted(0.002, 3150);
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM twins ORDER BY v <-> beside(-0.01)) AS s;
-- more of them, pending, merged, by updates, after a vacuum
INSERT INTO twins SELECT i, i, point(7, 8) FROM generate_series(13001, 13600) AS i;
SELECT blocks(-0.01) < 1000 AS few;
SELECT * FROM like_sorted(-0.01, 3750);
SELECT vamana_merge('twins_l2');
SELECT vamana_check('twins_l2', true);
SELECT blocks(-0.01) < 1000 AS few;
SELECT * FROM like_sorted(-0.01, 3750);
UPDATE twins SET tag = tag + 1 WHERE id > 10000 AND id % 2 = 0;
VACUUM twins;
SELECT vamana_check('twins_l2', true);
SELECT blocks(-0.01) < 1000 AS few;
SELECT * FROM like_sorted(-0.01, 3750);
-- sweeps in small windows
SET work_mem = '64kB';
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM twins ORDER BY v <-> beside(-0.01)) AS s;
RESET work_mem;
-- Rows that are equal only after rounding share the node: each is measured.
INSERT INTO twins SELECT i, i, beside(i % 100 * 0.000003) FROM generate_series(20201, 20400) AS i;
SELECT * FROM like_sorted(-0.01, 3950);
SELECT vamana_merge('twins_l2');
SELECT vamana_check('twins_l2', true);
SELECT * FROM like_sorted(-0.01, 3950);
SELECT * FROM like_sorted(0.0001, 3950);
REINDEX INDEX twins_l2;
SELECT vamana_check('twins_l2', true);
SELECT * FROM like_sorted(-0.01, 3950);
SELECT * FROM like_sorted(0.0001, 3950);
RESET vamana.search_list_size;
DROP TABLE twins;
DROP FUNCTION beside, blocks, like_sorted;

-- Vectors that differ by about their roundings: nodes that are equal only relative to the mean stay two when a
-- large merge adds to them.
CREATE TABLE alike (id int, v vector(8)) WITH (autovacuum_enabled = off);
INSERT INTO alike SELECT i, point(i % 20, 8) + array_fill((i % 50 * 0.00001)::real, ARRAY[8])::vector FROM generate_series(1, 3000) AS i;
INSERT INTO alike SELECT i, point(i, 8) FROM generate_series(3001, 5000) AS i;
CREATE INDEX alike_l2 ON alike USING vamana (v vector_l2_ops) WITH (pending_limit = 1000000);
INSERT INTO alike SELECT id + 5000 * i, v FROM generate_series(1, 2) AS i, alike WHERE id <= 1000;
SELECT vamana_merge('alike_l2');
SELECT vamana_check('alike_l2', true);
SELECT count(*) FROM (SELECT id FROM alike ORDER BY v <-> point(7, 8)) AS s;
DROP TABLE alike;

-- From nothing, one by one, to a graph; and back.
CREATE TABLE grown (id int, v vector(6));
CREATE INDEX grown_l2 ON grown USING vamana (v vector_l2_ops);
SELECT count(*) FROM (SELECT id FROM grown ORDER BY v <-> point(-1, 6) LIMIT 5) AS s;
INSERT INTO grown VALUES (1, point(1, 6));
SELECT id FROM grown ORDER BY v <-> point(-1, 6) LIMIT 5;
INSERT INTO grown SELECT i, point(i, 6) FROM generate_series(2, 3000) AS i;
SET vamana.search_list_size = 400;
SELECT differing('grown', '<->', 6, 10);
VACUUM grown;
SELECT differing('grown', '<->', 6, 10);
INSERT INTO grown SELECT i, point(i, 6) FROM generate_series(3001, 4000) AS i;
SELECT differing('grown', '<->', 6, 10);
UPDATE grown SET v = point(id + 10000, 6) WHERE id % 3 = 0;
DELETE FROM grown WHERE id % 3 = 1;
SELECT differing('grown', '<->', 6, 10);
VACUUM grown;
SELECT differing('grown', '<->', 6, 10);
RESET vamana.search_list_size;
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM grown ORDER BY v <-> point(-1, 6)) AS s;

-- Rows that were rolled back, wholly or in part, are not there.
BEGIN;
INSERT INTO grown SELECT 100000 + i, point(-1, 6) FROM generate_series(1, 100) AS i;
SELECT count(*) FROM (SELECT id FROM grown ORDER BY v <-> point(-1, 6) LIMIT 100) AS s WHERE id > 100000;
ROLLBACK;
BEGIN;
INSERT INTO grown VALUES (200001, point(-1, 6));
SAVEPOINT s;
INSERT INTO grown VALUES (200002, point(-1, 6));
ROLLBACK TO s;
INSERT INTO grown VALUES (200003, point(-1, 6));
COMMIT;
SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM grown ORDER BY v <-> point(-1, 6) LIMIT 100) AS s WHERE id > 100000;
-- TRUNCATE, also in the transaction that filled the table.
TRUNCATE grown;
SELECT count(*) FROM (SELECT id FROM grown ORDER BY v <-> point(-1, 6)) AS s;
BEGIN;
CREATE TABLE brief (id int, v vector(6));
CREATE INDEX ON brief USING vamana (v vector_l2_ops);
INSERT INTO brief SELECT i, point(i, 6) FROM generate_series(1, 1500) AS i;
TRUNCATE brief;
INSERT INTO brief SELECT i, point(i, 6) FROM generate_series(1, 20) AS i;
SELECT count(*) FROM (SELECT id FROM brief ORDER BY v <-> point(-1, 6)) AS s;
ROLLBACK;
DROP TABLE grown;

-- Norms.
CREATE TABLE huge (id int, v vector(2));
CREATE INDEX ON huge USING vamana (v vector_l2_ops);
INSERT INTO huge VALUES (1, '[1e19,0]');
INSERT INTO huge VALUES (1, '[1e17,1]'), (2, '[1e16,1e-40]'), (3, '[-1e17,2]'), (4, '[0,0]');
SELECT id FROM huge ORDER BY v <-> '[9e16,0]';
DROP TABLE huge;

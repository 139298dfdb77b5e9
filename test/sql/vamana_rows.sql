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

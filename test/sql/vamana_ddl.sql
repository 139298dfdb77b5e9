-- What CREATE INDEX accepts and refuses, and what else is done to tables and indexes.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all

-- Columns.
CREATE TABLE wide (id int, v vector(3), any_dims vector, r real[], t text);
CREATE INDEX ON wide USING vamana (any_dims);
CREATE INDEX ON wide USING vamana (t);
CREATE INDEX ON wide USING vamana (v, any_dims);
CREATE INDEX ON wide USING vamana (v) INCLUDE (id);
CREATE UNIQUE INDEX ON wide USING vamana (v);
CREATE INDEX ON wide USING vamana (v DESC);
CREATE INDEX ON wide USING vamana (v ASC NULLS FIRST);
\set VERBOSITY sqlstate
ALTER TABLE wide ADD EXCLUDE USING vamana (v WITH =);
\set VERBOSITY default
CREATE INDEX ON wide USING vamana ((any_dims::vector(20000)));
CREATE INDEX wide_v ON wide USING vamana (v);
CLUSTER wide USING wide_v;
DROP INDEX wide_v;

-- Options.
CREATE INDEX ON wide USING vamana (v) WITH (max_degree = 513);
CREATE INDEX ON wide USING vamana (v) WITH (max_degree = -1);
CREATE INDEX ON wide USING vamana (v) WITH (build_list_size = 9);
CREATE INDEX ON wide USING vamana (v) WITH (alpha = 0.9);
CREATE INDEX ON wide USING vamana (v) WITH (code_bits = 3);
CREATE INDEX ON wide USING vamana (v) WITH (code_bits = 5);
CREATE INDEX ON wide USING vamana (v) WITH (search_list_size = 0);
CREATE INDEX ON wide USING vamana (v) WITH (pending_limit = -1);
CREATE INDEX ON wide USING vamana (v) WITH (fillfactor = 50);
CREATE INDEX wide_v ON wide USING vamana (v)
	WITH (max_degree = 32, build_list_size = 50, alpha = 1.1, code_bits = 4, search_list_size = 30, pending_limit = 500);
SELECT reloptions FROM pg_class WHERE relname = 'wide_v';
ALTER INDEX wide_v SET (search_list_size = 100);
ALTER INDEX wide_v SET (search_list_size = 10001);
ALTER INDEX wide_v RESET (search_list_size);
ALTER INDEX wide_v SET (nonsense = 1);
SELECT reloptions FROM pg_class WHERE relname = 'wide_v';
DROP TABLE wide;

-- Settings.
SHOW vamana.search_list_size;
SHOW vamana.iterative_scan;
SHOW vamana.max_scan_tuples;
SET vamana.search_list_size = 10001;
SET vamana.search_list_size = -1;
SET vamana.iterative_scan = 'on';
SET vamana.max_scan_tuples = -1;
SET vamana.nonsense = 1;

-- Kinds of tables and indexes.
SET enable_seqscan = off;
CREATE TEMP TABLE things (id int, v vector(8)) ON COMMIT DELETE ROWS;
CREATE INDEX ON things USING vamana (v vector_l2_ops);
BEGIN;
INSERT INTO things SELECT i, point(i, 8) FROM generate_series(1, 1500) AS i;
SELECT count(DISTINCT id) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 8)) AS s;
COMMIT;
SELECT count(DISTINCT id) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 8)) AS s;
DROP TABLE things;
CREATE UNLOGGED TABLE things (id int PRIMARY KEY, v vector(8), any_dims vector);
INSERT INTO things SELECT i, point(i, 8), point(i, 3 + i % 2) FROM generate_series(1, 2600) AS i;
CREATE INDEX things_v ON things USING vamana (v vector_l2_ops);
SELECT differing('things', '<->', 8, 5);
ALTER TABLE things SET LOGGED;
SELECT differing('things', '<->', 8, 5);
-- An expression, in a partial index.
CREATE INDEX things_three ON things USING vamana ((any_dims::vector(3)) vector_l2_ops) WHERE vector_dims(any_dims) = 3;
SET enable_seqscan = off;
SELECT scans('SELECT id FROM things WHERE vector_dims(any_dims) = 3 ORDER BY any_dims::vector(3) <-> ''[1,2,3]'' LIMIT 5');
SELECT count(DISTINCT id) FROM (SELECT id FROM things WHERE vector_dims(any_dims) = 3 ORDER BY any_dims::vector(3) <-> '[1,2,3]') AS s;
SELECT id FROM things ORDER BY any_dims::vector(3) <-> '[1,2,3]' LIMIT 5;
UPDATE things SET any_dims = NULL WHERE id <= 1300;
SELECT count(DISTINCT id) FROM (SELECT id FROM things WHERE vector_dims(any_dims) = 3 ORDER BY any_dims::vector(3) <-> '[1,2,3]') AS s;

-- Made anew.
REINDEX INDEX things_v;
SELECT differing('things', '<->', 8, 5);
REINDEX INDEX CONCURRENTLY things_v;
SELECT differing('things', '<->', 8, 5);
CREATE INDEX CONCURRENTLY things_again ON things USING vamana (v vector_cosine_ops);
SELECT differing('things', '<=>', 8, 5);
VACUUM FULL things;
SELECT differing('things', '<->', 8, 5);
ALTER INDEX things_v SET (max_degree = 96, code_bits = 1);
SELECT differing('things', '<->', 8, 5);
REINDEX INDEX things_v;
SELECT differing('things', '<->', 8, 5);
ALTER TABLE things ALTER v TYPE vector(3) USING subvector(v, 1, 3);
SELECT differing('things', '<->', 3, 5);
DROP TABLE things;

-- Partitions: each has an index, their answers are merged.
CREATE TABLE parts (id int, v vector(5)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1200);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1200) TO (2400);
CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (2400) TO (3600);
CREATE INDEX ON parts USING vamana (v vector_l2_ops);
INSERT INTO parts SELECT i, point(i, 5) FROM generate_series(1, 2500) AS i;
VACUUM ANALYZE parts;
SELECT scans('SELECT id FROM parts ORDER BY v <-> point(-1, 5) LIMIT 5');
SELECT differing('parts', '<->', 5, 10);
DROP TABLE parts;

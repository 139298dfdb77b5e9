-- When the planner takes the index: for ORDER BY distance with a LIMIT where it pays; never without an order, and never
-- when it would return fewer rows than there are.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all
SET max_parallel_workers_per_gather = 0;
CREATE TABLE small AS SELECT i AS id, point(i, 128)::vector(128) AS v FROM generate_series(1, 200) AS i;
CREATE TABLE middle AS SELECT i AS id, point(i, 128)::vector(128) AS v FROM generate_series(1, 1000) AS i;
CREATE TABLE long AS SELECT i AS id, point(i, 768)::vector(768) AS v FROM generate_series(1, 1000) AS i;
CREATE TABLE large AS SELECT i AS id, i % 2000 AS rare, i % 5 AS frequent, point(i, 16)::vector(16) AS v
	FROM generate_series(1, 10000) AS i;
CREATE INDEX small_v ON small USING vamana (v vector_l2_ops);
CREATE INDEX middle_v ON middle USING vamana (v vector_l2_ops);
CREATE INDEX long_v ON long USING vamana (v vector_l2_ops);
CREATE INDEX large_v ON large USING vamana (v vector_l2_ops);
CREATE INDEX large_id ON large (id);
CREATE INDEX large_rare ON large (rare);
ANALYZE small, middle, long, large;

-- By size and LIMIT.
SELECT k, (SELECT scans(format('SELECT id FROM small ORDER BY v <-> point(-1, 128) LIMIT %s', k)) LIMIT 1),
	(SELECT scans(format('SELECT id FROM middle ORDER BY v <-> point(-1, 128) LIMIT %s', k)) LIMIT 1),
	(SELECT scans(format('SELECT id FROM long ORDER BY v <-> point(-1, 768) LIMIT %s', k)) LIMIT 1)
FROM unnest('{1,10,1000}'::int[]) AS k;
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 1');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 100');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 10000');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16)');
SELECT scans('SELECT id, v <-> point(-1, 16) AS distance FROM large ORDER BY distance LIMIT 10 OFFSET 20');

-- Orders that the index does not have, or no order.
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) DESC LIMIT 10');
SELECT scans('SELECT id FROM large ORDER BY v <=> point(-1, 16) LIMIT 10');
SELECT scans('SELECT id FROM large ORDER BY v <-> v LIMIT 10');
SELECT scans('SELECT id FROM large LIMIT 10');
SELECT scans('SELECT count(*) FROM large');
SELECT scans('SELECT id FROM large WHERE v <-> point(-1, 16) < 1');
SELECT scans('SELECT id FROM large WHERE v = point(-1, 16)');
SET enable_seqscan = off;
SELECT scans('SELECT v FROM large LIMIT 10');
SELECT scans('SELECT v FROM large WHERE v IS NULL');
RESET enable_seqscan;

-- A selective filter with an index of its own; one that throws away little.
SELECT scans('SELECT id FROM large WHERE id = 5 ORDER BY v <-> point(-1, 16) LIMIT 10');
SELECT bool_or(scan ~ 'large_rare') AS by_filter, bool_or(scan ~ 'large_v') AS by_distance
FROM scans('SELECT id FROM large WHERE rare = 7 ORDER BY v <-> point(-1, 16) LIMIT 10') AS scan;
SELECT scans('SELECT id FROM large WHERE frequent = 3 ORDER BY v <-> point(-1, 16) LIMIT 10');

-- A scan that stops at its list is taken only for what the list holds.
SET enable_seqscan = off;
SET vamana.iterative_scan = off;
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 64');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 65');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16)');
SELECT scans('SELECT id FROM large WHERE frequent = 3 ORDER BY v <-> point(-1, 16) LIMIT 50');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 10 FOR UPDATE');
SELECT bool_or(scan ~ 'large_v') AS by_distance
FROM scans('SELECT large.id FROM large JOIN small USING (id) ORDER BY large.v <-> point(-1, 16) LIMIT 10') AS scan;
SET vamana.search_list_size = 65;
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 65');
RESET vamana.search_list_size;
SET plan_cache_mode = force_generic_plan;
PREPARE nearest(int) AS SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT $1;
SELECT scans('EXECUTE nearest(10)');
DEALLOCATE nearest;
RESET plan_cache_mode;
RESET vamana.iterative_scan;
SET vamana.max_scan_tuples = 1000;
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 100');
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 1000');
RESET vamana.max_scan_tuples;
RESET enable_seqscan;

-- NULLs: no LIMIT is left short, whoever answers.
UPDATE large SET v = NULL WHERE id > 5000;
VACUUM ANALYZE large;
SELECT scans('SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 10');
SELECT count(*) FROM (SELECT id FROM large ORDER BY v <-> point(-1, 16) LIMIT 6000) AS s;
SELECT count(*) FROM (SELECT id FROM large WHERE id > 4995 ORDER BY v <-> point(-1, 16) LIMIT 10) AS s;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*), count(v) FROM (SELECT id, v FROM large WHERE frequent = 4 ORDER BY v <-> point(-1, 16) LIMIT 1500) AS s;
SET vamana.iterative_scan = off;
SELECT count(*), count(v) FROM (SELECT id, v FROM large ORDER BY v <-> point(-1, 16) LIMIT 6000) AS s;
DROP TABLE small, middle, long, large;

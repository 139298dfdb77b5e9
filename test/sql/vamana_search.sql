-- What an index scan returns: the rows of a sequential scan, in its order, for every operator class and way to ask.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all

CREATE TABLE things (id int PRIMARY KEY, category int, v vector(16));
INSERT INTO things SELECT i, i % 100, point(i, 16) FROM generate_series(1, 3000) AS i;
CREATE INDEX things_l2 ON things USING vamana (v vector_l2_ops);
CREATE INDEX things_ip ON things USING vamana (v vector_ip_ops);
CREATE INDEX things_cosine ON things USING vamana (v vector_cosine_ops);
CREATE INDEX things_l1 ON things USING vamana (v vector_l1_ops);
ANALYZE things;

-- Each operator class, beside the others on one column.
SELECT scans('SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 10');
SELECT scans('SELECT id FROM things ORDER BY v <#> point(-1, 16) LIMIT 10');
SELECT scans('SELECT id FROM things ORDER BY v <=> point(-1, 16) LIMIT 10');
SELECT scans('SELECT id FROM things ORDER BY v <+> point(-1, 16) LIMIT 10');
SET vamana.search_list_size = 400;
SELECT op, differing('things', op, 16, 10) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) AS op;
SELECT op, differing('things', op, 16, 100) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) AS op;
RESET vamana.search_list_size;

-- The default list finds nearly as much.
SELECT op, cardinality(differing('things', op, 16, 10)) <= 4 AS nearly_all FROM unnest('{<->,<#>,<=>}'::text[]) AS op;

-- A LIMIT beyond the list, no LIMIT: every row, once. Those that the search found too late follow all others: few.
SET enable_seqscan = off;
SET vamana.search_list_size = 20;
SELECT scans('SELECT id FROM things ORDER BY v <-> point(-1, 16)');
CREATE FUNCTION complete(statement text, OUT rows bigint, OUT distinct_rows bigint, OUT few_late boolean)
	LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE distance < farthest) <= 300 FROM
		(SELECT id, distance, max(distance) OVER (ROWS UNBOUNDED PRECEDING) AS farthest FROM (%s) AS s) AS t', statement)
		INTO rows, distinct_rows, few_late;
END $$;
SELECT op, (complete(format('SELECT id, v %s point(-1, 16) AS distance FROM things ORDER BY 2', op))).*
FROM unnest('{<->,<#>,<=>,<+>}'::text[]) AS op;
SELECT k, (complete(format('SELECT id, v <-> point(-2, 16) AS distance FROM things ORDER BY 2 LIMIT %s', k))).*
FROM unnest('{1,19,20,21,100,1000,2999,3000,3001}'::int[]) AS k;
SET vamana.iterative_scan = relaxed_order;
SELECT rows, distinct_rows FROM complete('SELECT id, v <-> point(-1, 16) AS distance FROM things ORDER BY 2');
RESET vamana.iterative_scan;
SET work_mem = '64kB';
SELECT * FROM complete('SELECT id, v <-> point(-1, 16) AS distance FROM things ORDER BY 2');
RESET work_mem;

-- Filters never leave a LIMIT short.
SELECT count(*) FROM (SELECT id FROM things WHERE category = 7 ORDER BY v <-> point(-3, 16) LIMIT 10) AS s;
SELECT count(*) FROM (SELECT id FROM things WHERE category = 7 ORDER BY v <-> point(-3, 16) LIMIT 40) AS s;
SELECT count(*) FROM (SELECT id FROM things WHERE id = 77 ORDER BY v <-> point(-3, 16) LIMIT 10) AS s;
SELECT count(*) FROM (SELECT id FROM things WHERE category < 0 ORDER BY v <-> point(-3, 16) LIMIT 10) AS s;
SET vamana.search_list_size = 3000;
SELECT differing('things', '<->', 16, 10, 'category = 7'), differing('things', '<=>', 16, 10, 'category < 10');
RESET vamana.search_list_size;

-- Two distances to order by.
SELECT scans('SELECT id FROM things ORDER BY v <-> point(-1, 16), v <-> point(-2, 16) LIMIT 3');
SELECT array_agg(id) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16), v <-> point(-2, 16) LIMIT 5) AS two;
SELECT array_agg(id) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 5) AS one;

-- Ways to ask: cursors, nested loops, parameters.
BEGIN;
DECLARE c CURSOR FOR SELECT id, v <-> point(5, 16) AS distance FROM things ORDER BY v <-> point(5, 16);
FETCH 1 FROM c;
MOVE 2998 FROM c;
FETCH 5 FROM c \gset last_
CLOSE c;
COMMIT;
SELECT count(*), count(*) FILTER (WHERE nearest.id = things.id AND nearest.distance = 0) AS itself
FROM things, LATERAL (SELECT other.id, other.v <-> things.v AS distance FROM things AS other
                      ORDER BY other.v <-> things.v LIMIT 3) AS nearest
WHERE things.id <= 200;
SELECT id, (SELECT other.id FROM things AS other WHERE other.id <> things.id ORDER BY other.v <-> things.v LIMIT 1) =
           (SELECT other.id FROM things AS other WHERE other.id <> things.id ORDER BY l2_distance(other.v, things.v) LIMIT 1) AS same
FROM things WHERE id <= 3 ORDER BY id;
SET plan_cache_mode = force_generic_plan;
PREPARE nearest(vector, int) AS SELECT id FROM things ORDER BY v <-> $1 LIMIT $2;
EXPLAIN (COSTS OFF) EXECUTE nearest(point(5, 16), 1);
EXECUTE nearest(point(5, 16), 1);
EXECUTE nearest(point(6, 16), 1);
SELECT count(*) AS null_query FROM (SELECT id FROM things ORDER BY v <-> (SELECT NULL::vector) LIMIT 10) AS s;
EXECUTE nearest('[1,2]', 1);
RESET plan_cache_mode;
SELECT id FROM things ORDER BY v <-> '[1,2,3]' LIMIT 1;

-- A scan that may stop.
SET vamana.search_list_size = 20;
SET vamana.iterative_scan = off;
SELECT count(*) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 20) AS s;
SELECT count(*) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 21) AS s;
SELECT count(*) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16)) AS s;
RESET vamana.iterative_scan;
SET vamana.max_scan_tuples = 400;
SELECT count(*) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 50) AS s;
SELECT count(*) FROM (SELECT id FROM things ORDER BY v <-> point(-1, 16) LIMIT 1000) AS s;
RESET vamana.max_scan_tuples;

DROP FUNCTION complete;
DROP TABLE things;

-- Each row is its own nearest, the one in the middle too, from which the graph's tree grows.
CREATE TABLE own (id int, v vector(8));
INSERT INTO own SELECT i, point(i, 8) FROM generate_series(1, 2000) AS i;
CREATE INDEX own_v ON own USING vamana (v vector_l2_ops);
SET enable_seqscan = off;
SELECT o.id FROM own o WHERE o.id NOT IN (SELECT id FROM own n ORDER BY n.v <-> o.v LIMIT 1);
RESET enable_seqscan;
DROP TABLE own;

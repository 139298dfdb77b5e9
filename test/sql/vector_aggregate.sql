-- avg(vector) and sum(vector).

CREATE TABLE vector_aggregate (g int, v vector(2), large vector(1000));
INSERT INTO vector_aggregate
SELECT i % 3, ARRAY[i, -i]::vector, array_fill(i, ARRAY[1000])::vector FROM generate_series(1, 30) AS i;
INSERT INTO vector_aggregate VALUES (0, NULL, NULL), (3, NULL, NULL);
SELECT avg(v), sum(v), count(v) FROM vector_aggregate;
SELECT g, avg(v), sum(v), count(v) FROM vector_aggregate GROUP BY g ORDER BY g;
SELECT avg(v), sum(v) FROM vector_aggregate WHERE g > 3;
SELECT avg(v) FILTER (WHERE g = 1), sum(v) FILTER (WHERE g = 9) FROM vector_aggregate;
SELECT DISTINCT subvector(avg(large), 1, 2) AS avg, subvector(sum(large), 999, 2) AS sum FROM vector_aggregate;

-- as window functions, where a state is used more than once
SELECT v, avg(v) OVER (ORDER BY v), sum(v) OVER (ORDER BY v) FROM vector_aggregate WHERE v < '[5]' ORDER BY v;
SELECT v, avg(v) OVER (ORDER BY v ROWS 1 PRECEDING) FROM vector_aggregate WHERE v < '[5]' ORDER BY v;

-- the average is kept in double precision; a sum that is no float is an error
SELECT avg(v) FROM (VALUES ('[3e38,1]'::vector), ('[3e38,2]')) AS t(v);
SELECT sum(v) FROM (VALUES ('[3e38]'::vector), ('[3e38]')) AS t(v);
SELECT avg(v) FROM (VALUES ('[16777216]'::vector), ('[1]'), ('[1]'), ('[-16777215]')) AS t(v);

-- dimensions must agree
SELECT avg(v) FROM (VALUES ('[1,2]'::vector), ('[1]')) AS t(v);
SELECT sum(v) FROM (VALUES ('[1,2]'::vector), ('[1]')) AS t(v);

-- in parallel
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
ANALYZE vector_aggregate;
ALTER TABLE vector_aggregate SET (parallel_workers = 2);
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v) FROM vector_aggregate;
SELECT avg(v), sum(v), count(*) FROM vector_aggregate;
SELECT avg(v), sum(v) FROM vector_aggregate WHERE g = 3;
SELECT subvector(avg(large), 1000, 1), subvector(sum(large), 1, 1) FROM vector_aggregate;
RESET ALL;
DROP TABLE vector_aggregate;

-- the support functions by themselves: count, then sums
SELECT vector_accum('{0}', '[1,2]'), vector_accum('{2,10,20}', '[1,2]');
SELECT vector_combine('{2,10,20}', '{1,1,2}'), vector_combine('{0}', '{1,1,2}'), vector_combine('{1,1,2}', '{0}'),
       vector_combine('{0}', '{0}');
SELECT vector_avg('{4,10,-20}'), vector_avg('{0}') IS NULL AS none;
SELECT vector_accum('{1,1}', '[1,2]');
SELECT vector_combine('{1,1}', '{1,1,2}');
SELECT vector_combine('{1,1.7e308}', '{1,1.7e308}');
SELECT vector_avg('{1}');
SELECT vector_avg('{1,NaN}');
SELECT vector_avg('{}');
SELECT vector_avg('{1,NULL}');
SELECT vector_accum('{{1,2}}', '[1]');
SELECT vector_combine('{1,2}', '{{1,2}}');
SELECT vector_avg(array_fill(1::double precision, ARRAY[16002]));
SELECT vector_combine('{0}', array_fill(1::double precision, ARRAY[16002]));

-- a state that is a stored value is not changed
CREATE TABLE vector_state (state double precision[]);
INSERT INTO vector_state VALUES ('{1,5,6}');
SELECT vector_accum(state, '[1,1]'), vector_combine(state, state), state FROM vector_state;
DROP TABLE vector_state;

\set VERBOSITY sqlstate
SELECT vector_avg('{}');
SELECT sum(v) FROM (VALUES ('[3e38]'::vector), ('[3e38]')) AS t(v);

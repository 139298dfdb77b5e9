-- The order of vectors: comparisons, sorting, btree indexes, joins.

SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt, vector_cmp(a, b)
FROM (VALUES ('[1,2]'::vector, '[1,2]'::vector),
             ('[1,2]', '[1,3]'),
             ('[2,1]', '[1,3]'),
             ('[-1]', '[1]'),
             ('[1,2]', '[1,2,-5]'),
             ('[2]', '[1,2,3]'),
             ('[0]', '[-0]')) AS pairs(a, b);
SELECT '[1]'::vector = NULL AS null_in_null_out;

CREATE TABLE vector_btree (v vector);
INSERT INTO vector_btree VALUES ('[3,1]'), ('[1,2,3]'), (NULL), ('[1,2]'), ('[-1e38]'), ('[1,2]'), ('[0]');
SELECT v FROM vector_btree ORDER BY v;
SELECT v FROM vector_btree ORDER BY v DESC NULLS LAST;
SELECT v, count(*) FROM vector_btree GROUP BY v ORDER BY v;
SELECT DISTINCT v FROM vector_btree WHERE v > '[0]' ORDER BY v;

CREATE INDEX vector_btree_v ON vector_btree (v);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT v FROM vector_btree WHERE v = '[1,2]';
SELECT v FROM vector_btree WHERE v = '[1,2]';
SELECT v FROM vector_btree WHERE v > '[0]' AND v < '[3,1]' ORDER BY v;
SELECT v FROM vector_btree WHERE v >= '[1,2]' AND v <= '[1,2,3]' ORDER BY v DESC;
RESET enable_seqscan;
RESET enable_bitmapscan;

CREATE UNIQUE INDEX vector_btree_unique ON vector_btree (v);
DELETE FROM vector_btree WHERE v = '[1,2]';
CREATE UNIQUE INDEX vector_btree_unique ON vector_btree (v);
INSERT INTO vector_btree VALUES ('[ 3.0, 1 ]');

-- a sort of many, and a merge join
SET enable_hashjoin = off;
SET enable_nestloop = off;
WITH points AS MATERIALIZED (SELECT ARRAY[i % 7, i % 11, i % 13]::vector AS v FROM generate_series(1, 3003) AS i)
SELECT count(*), count(DISTINCT a.v) FROM points AS a JOIN points AS b ON a.v = b.v;
SELECT bool_and(previous <= v) AS sorted
FROM (SELECT v, lag(v) OVER (ORDER BY v) AS previous
      FROM (SELECT ARRAY[i % 7, i % 11, i % 13]::vector AS v FROM generate_series(1, 3003) AS i) AS points) AS pairs;
RESET enable_hashjoin;
RESET enable_nestloop;

-- statistics
ANALYZE vector_btree;
SELECT null_frac::numeric(4, 2) FROM pg_stats WHERE tablename = 'vector_btree';
DROP TABLE vector_btree;

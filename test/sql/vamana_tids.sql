-- Heap rows of a node: updates that leave the vector alone, many equal vectors, what vacuums give back.
CREATE TABLE tids (id int, tag int, e vector(8)) WITH (autovacuum_enabled = off);
CREATE FUNCTION spread(i int) RETURNS vector LANGUAGE sql IMMUTABLE
	AS $$ SELECT array_agg(sin(i * d + d * d)::real ORDER BY d)::real[]::vector FROM generate_series(1, 8) d $$;
-- Rows that an index scan returns, and how many different ones.
CREATE FUNCTION scanned(query vector, most int, OUT rows bigint, OUT different bigint) LANGUAGE sql
	SET enable_seqscan = off SET enable_sort = off
	AS $$ SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM tids ORDER BY e <-> query LIMIT most) s $$;
INSERT INTO tids SELECT i, i, spread(i) FROM generate_series(1, 3000) i;
CREATE INDEX tids_tag ON tids (tag);
CREATE INDEX tids_e ON tids USING vamana (e vector_l2_ops) WITH (pending_limit = 1000000);

-- The new rows join the nodes; a few that the search does not meet are pending.
UPDATE tids SET tag = tag + 1;
SELECT nodes, rows + pending_rows AS rows, pending_rows < 60 AS few_pending FROM vamana_stats('tids_e');
SELECT vamana_check('tids_e', true);
SELECT * FROM scanned(spread(7), 10000);

-- The same row again and again: its node has a chain of dead rows, which a vacuum empties.
DO $$ BEGIN FOR i IN 1..100 LOOP UPDATE tids SET tag = tag + 1 WHERE id = 7; END LOOP; END $$;
SELECT nodes, rows + pending_rows AS rows, posting_pages > 0 AS chain FROM vamana_stats('tids_e');
SELECT * FROM scanned(spread(7), 1);
VACUUM tids;
SELECT rows, posting_pages FROM vamana_stats('tids_e');
SELECT vamana_check('tids_e', true);

-- A row of another vector is no update of this kind.
UPDATE tids SET tag = 0, e = spread(4000) WHERE id = 8;
SELECT pending_rows FROM vamana_stats('tids_e');
UPDATE tids SET tag = 1 WHERE id = 8;
SELECT pending_rows FROM vamana_stats('tids_e');
SELECT id FROM tids ORDER BY e <-> spread(4000) LIMIT 1;

-- 10,000 equal vectors: some by themselves, some at once, merged between; updated; two thirds gone; all gone.
DO $$ BEGIN FOR i IN 10001..12000 LOOP INSERT INTO tids VALUES (i, i, spread(7)); END LOOP; END $$;
SELECT vamana_merge('tids_e') > 0 AS merged;
INSERT INTO tids SELECT i, i, spread(7) FROM generate_series(12001, 20000) i;
SELECT vamana_merge('tids_e') > 0 AS merged;
SELECT vamana_check('tids_e', true);
SELECT nodes < 3005 AS one_node, rows > 13000 AS all_rows, posting_pages BETWEEN 9 AND 12 AS postings FROM vamana_stats('tids_e');
SELECT * FROM scanned(spread(7), 10001);
SELECT * FROM scanned(spread(9), 20000);
UPDATE tids SET tag = tag + 1 WHERE id > 10000;
SELECT * FROM scanned(spread(7), 20000);
VACUUM tids;
SELECT vamana_check('tids_e', true);
DELETE FROM tids WHERE id > 10000 AND id % 3 <> 0;
VACUUM tids;
SELECT vamana_check('tids_e', true);
SELECT * FROM scanned(spread(7), 20000);
-- the gaps are closed: new rows of that vector need no new page
SELECT posting_pages AS before FROM vamana_stats('tids_e') \gset
INSERT INTO tids SELECT i, i, spread(7) FROM generate_series(20001, 24000) i;
SELECT vamana_merge('tids_e') > 0 AS merged;
SELECT posting_pages <= :before AS reused FROM vamana_stats('tids_e');
DELETE FROM tids WHERE id > 10000 OR id = 7;
VACUUM tids;
SELECT posting_pages, pending_rows FROM vamana_stats('tids_e');
SELECT vamana_check('tids_e', true);
SELECT * FROM scanned(spread(7), 20000);

-- Without a row the graph goes, and with it the index's pages; the next rows train a new one.
CREATE INDEX tids_l1 ON tids USING vamana (e vector_l1_ops);
SELECT centroids > 0 AS graph, pages > 300 AS large FROM vamana_stats('tids_l1');
DELETE FROM tids;
VACUUM (PARALLEL 0) tids;
SELECT nodes, tombstones, centroids, pages FROM vamana_stats('tids_e');
SELECT nodes, tombstones, centroids, pages FROM vamana_stats('tids_l1');
SELECT * FROM scanned(spread(7), 20000);
INSERT INTO tids SELECT i, i, spread(i) FROM generate_series(1, 3000) i;
SELECT vamana_merge('tids_e'), vamana_merge('tids_l1');
SELECT nodes, centroids > 0 AS graph FROM vamana_stats('tids_e');
SELECT vamana_check('tids_e', true), vamana_check('tids_l1', true);
SELECT * FROM scanned(spread(7), 20000);

-- A vacuum with parallel workers, one for each further index; truncation is left to another vacuum.
SET min_parallel_index_scan_size = 0;
SET max_parallel_maintenance_workers = 2;
DELETE FROM tids WHERE id > 100;
VACUUM (PARALLEL 2) tids;
SELECT rows FROM vamana_stats('tids_e') UNION ALL SELECT rows FROM vamana_stats('tids_l1');
SELECT vamana_check('tids_e', true), vamana_check('tids_l1', true);
DELETE FROM tids;
VACUUM (PARALLEL 2) tids;
SELECT centroids, pages > 1 AS long FROM vamana_stats('tids_e') UNION ALL SELECT centroids, pages > 1 FROM vamana_stats('tids_l1');
VACUUM (PARALLEL 0) tids;
SELECT pages FROM vamana_stats('tids_e') UNION ALL SELECT pages FROM vamana_stats('tids_l1');
RESET min_parallel_index_scan_size;
RESET max_parallel_maintenance_workers;

-- Own vectors in 8 bits, and apart.
CREATE TABLE wide_tids (id int, tag int, e vector) WITH (autovacuum_enabled = off);
CREATE FUNCTION wide(i int, dims int) RETURNS vector LANGUAGE sql IMMUTABLE
	AS $$ SELECT array_agg(sin(i * d + d)::real ORDER BY d)::real[]::vector FROM generate_series(1, dims) d $$;
INSERT INTO wide_tids SELECT i, i, wide(i, 1300) FROM generate_series(1, 300) i;
CREATE INDEX wide_tids_tag ON wide_tids (tag);
ALTER TABLE wide_tids ALTER e TYPE vector(1300);
CREATE INDEX wide_tids_e ON wide_tids USING vamana (e vector_ip_ops);
UPDATE wide_tids SET tag = tag + 1;
SELECT own_vector, nodes, rows + pending_rows AS rows, pending_rows < 30 AS few_pending FROM vamana_stats('wide_tids_e');
SELECT vamana_check('wide_tids_e', true);
-- equal vectors of two merges share a node
INSERT INTO wide_tids SELECT i, i, wide(i, 1300) FROM generate_series(401, 420) i;
SELECT vamana_merge('wide_tids_e') > 0 AS merged;
SELECT nodes FROM vamana_stats('wide_tids_e');
INSERT INTO wide_tids SELECT i, i, wide(i, 1300) FROM generate_series(401, 420) i;
SELECT vamana_merge('wide_tids_e');
SELECT nodes, rows FROM vamana_stats('wide_tids_e');
SELECT vamana_check('wide_tids_e', true);
TRUNCATE wide_tids;
DROP INDEX wide_tids_e;
ALTER TABLE wide_tids ALTER e TYPE vector(3000);
INSERT INTO wide_tids SELECT i, i, wide(i, 3000) FROM generate_series(1, 100) i;
CREATE INDEX wide_tids_e ON wide_tids USING vamana (e vector_cosine_ops);
UPDATE wide_tids SET tag = tag + 1;
SELECT own_vector, nodes, rows + pending_rows AS rows, pending_rows < 10 AS few_pending FROM vamana_stats('wide_tids_e');
SELECT vamana_check('wide_tids_e', true);
DELETE FROM wide_tids;
VACUUM (PARALLEL 0) wide_tids;
SELECT pages FROM vamana_stats('wide_tids_e');

DROP TABLE tids, wide_tids;
DROP FUNCTION spread, scanned, wide;

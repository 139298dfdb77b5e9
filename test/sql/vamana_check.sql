-- vamana_check, vamana_stats and vamana_merge: who may call them on what, and that sound indexes pass.

CREATE TABLE items (id int PRIMARY KEY, embedding vector(12)) WITH (autovacuum_enabled = off);
INSERT INTO items
SELECT i, (SELECT array_agg((hashint8extended(d, i) & 1023) / 1024.0::real ORDER BY d) FROM generate_series(1, 12) d)::real[]
FROM generate_series(1, 3000) i;
-- equal vectors share a node, here one with more rows than fit in it; NULL is not indexed
INSERT INTO items SELECT i, (SELECT embedding FROM items WHERE id = 1) FROM generate_series(3001, 3100) i;
INSERT INTO items SELECT i, NULL FROM generate_series(3101, 3120) i;

CREATE INDEX items_l2 ON items USING vamana (embedding vector_l2_ops) WITH (max_degree = 64, pending_limit = 100000);
SELECT vamana_check('items_l2');
SELECT vamana_check('items_l2', true);
SELECT metric, dims, format_version, max_degree, code_bits, own_vector, nodes, tombstones, rows, pending_rows, pending_pages,
       pages > 0 AS has_pages, posting_pages, mean_degree > 16 AS linked, centroids > 0 AS has_centroids, nodes_per_page
FROM vamana_stats('items_l2');

-- the other metrics, an expression, a predicate; zero vectors are not indexed by cosine
INSERT INTO items SELECT i, array_fill(0::real, ARRAY[12]) FROM generate_series(3121, 3125) i;
CREATE INDEX items_ip ON items USING vamana (embedding vector_ip_ops) WITH (pending_limit = 100000);
CREATE INDEX items_cosine ON items USING vamana (embedding vector_cosine_ops) WITH (pending_limit = 100000) WHERE id % 2 = 1;
CREATE INDEX items_l1 ON items USING vamana (((embedding * embedding)::vector(12)) vector_l1_ops) WITH (pending_limit = 100000);
CREATE INDEX items_half ON items USING vamana (((embedding + embedding)::vector(12)) vector_l2_ops) WITH (max_degree = 32, pending_limit = 100000);
SELECT i, vamana_check(i, true)
FROM unnest(ARRAY['items_l2', 'items_ip', 'items_cosine', 'items_l1', 'items_half']::regclass[]) i;

-- pending rows, then merged ones
INSERT INTO items
SELECT i, (SELECT array_agg((hashint8extended(d, i) & 1023) / 1024.0::real ORDER BY d) FROM generate_series(1, 12) d)::real[]
FROM generate_series(4001, 4400) i;
INSERT INTO items SELECT i, (SELECT embedding FROM items WHERE id = 2) FROM generate_series(4401, 4410) i;
SELECT i, vamana_check(i, true) FROM unnest(ARRAY['items_l2', 'items_ip', 'items_cosine']::regclass[]) i;
SELECT pending_rows FROM vamana_stats('items_l2');
SELECT vamana_merge('items_l2'), vamana_merge('items_ip'), vamana_merge('items_cosine'), vamana_merge('items_l1');
SELECT i, vamana_check(i, true) FROM unnest(ARRAY['items_l2', 'items_ip', 'items_cosine', 'items_l1']::regclass[]) i;
SELECT nodes, rows, pending_rows, pending_pages FROM vamana_stats('items_l2');
SELECT vamana_merge('items_l2') AS nothing_left;

-- rows that are gone
DELETE FROM items WHERE id % 10 = 3 OR id BETWEEN 500 AND 700;
VACUUM items;
SELECT i, vamana_check(i, true)
FROM unnest(ARRAY['items_l2', 'items_ip', 'items_cosine', 'items_l1', 'items_half']::regclass[]) i;
SELECT (SELECT count(*) FROM items WHERE embedding IS NOT NULL) - rows AS missing, tombstones, pending_rows
FROM vamana_stats('items_l2');

-- an index without rows, and one without a graph
CREATE TABLE few (embedding vector(3));
CREATE INDEX few_idx ON few USING vamana (embedding vector_l2_ops) WITH (pending_limit = 100000);
SELECT vamana_check('few_idx', true);
INSERT INTO few SELECT ARRAY[i, 0, 0]::real[] FROM generate_series(1, 20) i;
SELECT vamana_check('few_idx', true), vamana_merge('few_idx');
SELECT nodes, rows, pending_rows, mean_degree, centroids FROM vamana_stats('few_idx');
DROP TABLE few;

-- vectors too long for a node
CREATE TABLE long (embedding vector(4500));
INSERT INTO long
SELECT (SELECT array_agg((hashint8extended(d, i) & 1023) / 1024.0::real ORDER BY d) FROM generate_series(1, 4500) d)::real[]
FROM generate_series(1, 100) i;
CREATE INDEX long_l2 ON long USING vamana (embedding vector_l2_ops) WITH (pending_limit = 100000);
CREATE INDEX long_ip ON long USING vamana (embedding vector_ip_ops) WITH (pending_limit = 100000);
INSERT INTO long SELECT embedding * embedding FROM long LIMIT 10;
INSERT INTO long SELECT embedding FROM long LIMIT 5;
SELECT vamana_check('long_l2', true), vamana_check('long_ip', true);
SELECT vamana_merge('long_l2'), vamana_merge('long_ip');
SELECT vamana_check('long_l2', true), vamana_check('long_ip', true);
SELECT own_vector, nodes, rows, nodes_per_page FROM vamana_stats('long_ip');
DELETE FROM long WHERE ctid IN (SELECT ctid FROM long LIMIT 15);
VACUUM long;
SELECT vamana_check('long_l2', true), vamana_check('long_ip', true);
DROP TABLE long;

-- not an index, not of ours, not there, not valid
SELECT vamana_check('items');
SELECT vamana_check('items_pkey');
SELECT vamana_stats('items_pkey');
SELECT vamana_merge('items');
SELECT vamana_check(0::regclass);
CREATE TABLE parts (id int, embedding vector(3)) PARTITION BY LIST (id);
CREATE INDEX parts_idx ON parts USING vamana (embedding vector_l2_ops);
SELECT vamana_merge('parts_idx');
DROP TABLE parts;
SELECT vamana_check(NULL) IS NULL AS strict;

-- only the owner may; members of pg_stat_scan_tables may count
CREATE ROLE regress_vamana_user;
SET ROLE regress_vamana_user;
SELECT vamana_check('items_l2');
SELECT vamana_merge('items_l2');
SELECT vamana_stats('items_l2');
RESET ROLE;
GRANT pg_stat_scan_tables TO regress_vamana_user;
SET ROLE regress_vamana_user;
SELECT dims FROM vamana_stats('items_l2');
RESET ROLE;
DROP ROLE regress_vamana_user;

DROP TABLE items;

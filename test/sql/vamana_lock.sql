-- Rows keep their identity on the way through the exact order: they can be locked, and found again by their ctid.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all
CREATE TABLE locked (id int PRIMARY KEY, v vector(8));
INSERT INTO locked SELECT i, point(i % 1500, 8) FROM generate_series(1, 3000) AS i;
CREATE INDEX ON locked USING vamana (v vector_l2_ops);
SET enable_seqscan = off;

-- Equal vectors have the same distance, so their places are never certain before it is computed.
SELECT count(*) FROM (SELECT id FROM locked ORDER BY v <-> point(7, 8) LIMIT 20 FOR UPDATE) AS s;
SELECT count(*) FROM locked
	WHERE ctid = ANY (ARRAY(SELECT ctid FROM locked ORDER BY v <-> point(7, 8) LIMIT 20));
WITH gone AS (
	DELETE FROM locked WHERE id IN (SELECT id FROM locked ORDER BY v <-> point(7, 8) LIMIT 4 FOR UPDATE) RETURNING id)
SELECT count(*), count(*) FILTER (WHERE id % 1500 = 7) FROM gone;

-- Expression indexes compute the distance from the expression.
CREATE INDEX ON locked USING vamana ((subvector(v, 1, 4)::vector(4)) vector_l2_ops);
SELECT scans('SELECT id FROM locked ORDER BY subvector(v, 1, 4)::vector(4) <-> ''[1,1,1,1]'' LIMIT 5');
SELECT count(*) FROM (SELECT id FROM locked
	ORDER BY subvector(v, 1, 4)::vector(4) <-> '[1,1,1,1]' LIMIT 5 FOR UPDATE) AS s;
SELECT bool_and(d >= before) FROM (SELECT d, lag(d, 1, 0::float8) OVER (ORDER BY n) AS before FROM (
	SELECT row_number() OVER () AS n, d FROM (SELECT subvector(v, 1, 4)::vector(4) <-> '[1,1,1,1]' AS d FROM locked
		ORDER BY subvector(v, 1, 4)::vector(4) <-> '[1,1,1,1]' LIMIT 50) AS nearest) AS numbered) AS pairs;
DROP TABLE locked;

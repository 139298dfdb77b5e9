-- Indexes on vectors of one dimension up to 16,000.
\set ECHO none
\getenv folder PG_ABS_SRCDIR
\set helpers :folder '/sql/include/vamana.psql'
\i :helpers
\set ECHO all

-- Each with as many rows as make a graph, then some more. One query in four may miss a row.
-- A long vector is a shorter one four times, which is quicker made.
CREATE FUNCTION row_vector(seed int, dims int) RETURNS vector LANGUAGE plpgsql AS $$
DECLARE
	quarter vector := point(seed, dims / 4);
BEGIN
	RETURN quarter || quarter || (quarter || quarter);
END $$;
CREATE FUNCTION try_dims(dims int, rows int, operator text, opclass text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	vector_of_i text := format(CASE WHEN dims < 500 THEN 'point(i, %s)' ELSE 'row_vector(i, %s)' END, dims);
	bad int[];
	found bigint;
BEGIN
	EXECUTE format('CREATE TABLE tried (id int, v vector(%s))', dims);
	EXECUTE format('INSERT INTO tried SELECT i, %s FROM generate_series(1, %s) AS i', vector_of_i, rows);
	EXECUTE format('CREATE INDEX ON tried USING vamana (v %s) WITH (search_list_size = 400)', opclass);
	EXECUTE format('INSERT INTO tried SELECT i, %s FROM generate_series(%s, %s) AS i', vector_of_i, rows + 1, rows + 5);
	PERFORM set_config('enable_seqscan', 'off', true);
	EXECUTE format('SELECT count(DISTINCT id) FROM (SELECT id FROM tried ORDER BY v %s $1) AS s', operator)
		INTO found USING point(-1, dims);
	bad := differing('tried', operator, dims, 5, 'true', 4);
	DROP TABLE tried;
	RETURN format('%s rows of %s, %s', found, rows + 5, CASE WHEN cardinality(bad) > 1 THEN bad::text ELSE 'same' END);
END $$;
SELECT dims, try_dims(dims, rows, '<->', 'vector_l2_ops')
FROM (VALUES (2, 1500), (3, 1500), (16, 1500), (100, 1020), (1536, 180), (2000, 140), (3072, 90), (16000, 66)) AS t (dims, rows);
SELECT dims, try_dims(dims, rows, '<=>', 'vector_cosine_ops') FROM (VALUES (3, 1100), (768, 345)) AS t (dims, rows);
SELECT dims, try_dims(dims, rows, '<#>', 'vector_ip_ops') FROM (VALUES (2, 1100), (4000, 66)) AS t (dims, rows);
SELECT dims, try_dims(dims, rows, '<+>', 'vector_l1_ops') FROM (VALUES (2, 1100), (4000, 66)) AS t (dims, rows);
DROP FUNCTION try_dims, row_vector;
-- One dimension: every distance may come twice.
CREATE TABLE line AS SELECT i AS id, ARRAY[i]::vector(1) AS v FROM generate_series(1, 1500) AS i;
CREATE INDEX ON line USING vamana (v vector_l2_ops);
SET enable_seqscan = off;
SELECT id FROM line ORDER BY v <-> '[700.2]' LIMIT 5;
SELECT count(DISTINCT id) FROM (SELECT id FROM line ORDER BY v <-> '[700.2]') AS s;
DROP TABLE line;


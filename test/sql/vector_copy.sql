-- The binary form of vector: int16 dimensions, int16 zero, then float4 values, all in network byte order.

SELECT vector_send('[1,-2.5]');
SELECT vector_send('[0]'), vector_send('[1e-45]');
SELECT length(vector_send(array_fill(1, ARRAY[16000])::vector));

CREATE TABLE vector_copy (id int, v vector(3), w vector);
INSERT INTO vector_copy VALUES (1, '[0.1,-2,3e38]', '[1]'), (2, NULL, '[1e-45,0,-0,5]'), (3, '[1,2,3]', NULL);
INSERT INTO vector_copy VALUES (4, NULL, array_fill(0.25, ARRAY[16000])::vector);
CREATE TABLE vector_copied (LIKE vector_copy);
\copy vector_copy TO 'results/vector.bin' WITH (FORMAT binary)
\copy vector_copied FROM 'results/vector.bin' WITH (FORMAT binary)
SELECT count(*), bool_and(a IS NOT DISTINCT FROM b) AS same
FROM vector_copy AS a JOIN vector_copied AS b USING (id);
SELECT * FROM vector_copied WHERE id < 4 ORDER BY id;

-- text
TRUNCATE vector_copied;
\copy vector_copy TO 'results/vector.txt'
\copy vector_copied FROM 'results/vector.txt'
SELECT count(*), bool_and(a IS NOT DISTINCT FROM b) AS same
FROM vector_copy AS a JOIN vector_copied AS b USING (id);
COPY vector_copied (id, v) FROM stdin;
5	[7, 8, 9]
\.
COPY vector_copied (id, v) FROM stdin WITH (FORMAT csv);
6,"[7,8,9]"
\.
SELECT id, v FROM vector_copied WHERE id > 4 ORDER BY id;
COPY vector_copied (id, v) FROM stdin;
7	[7,8]
\.
COPY vector_copied (id, v) FROM stdin;
7	[7,8,x]
\.

-- binary input that is refused, written as bytea
CREATE TABLE vector_bytes (bytes bytea);
CREATE TABLE vector_read (v vector(2));
INSERT INTO vector_bytes VALUES ('\x000200003f800000c0200000');
\copy vector_bytes TO 'results/good.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/good.bin' WITH (FORMAT binary)
SELECT * FROM vector_read;
UPDATE vector_bytes SET bytes = '\x00000000';
\copy vector_bytes TO 'results/none.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/none.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x3e810000';
\copy vector_bytes TO 'results/many.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/many.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\xffff0000';
\copy vector_bytes TO 'results/most.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/most.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000300003f8000003f8000003f800000';
\copy vector_bytes TO 'results/typmod.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/typmod.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000200013f8000003f800000';
\copy vector_bytes TO 'results/reserved.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/reserved.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000200003f8000007fc00000';
\copy vector_bytes TO 'results/nan.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/nan.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000200003f800000ff800000';
\copy vector_bytes TO 'results/infinite.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/infinite.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000200003f800000';
\copy vector_bytes TO 'results/short.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/short.bin' WITH (FORMAT binary)
UPDATE vector_bytes SET bytes = '\x000200003f8000003f80000000';
\copy vector_bytes TO 'results/long.bin' WITH (FORMAT binary)
\copy vector_read FROM 'results/long.bin' WITH (FORMAT binary)
SELECT * FROM vector_read;
DROP TABLE vector_copy, vector_copied, vector_bytes, vector_read;

-- The type vector: text form, type modifier, storage, and what is refused.

-- text form
SELECT '[1,2,3]'::vector;
SELECT '[7]'::vector AS one_dimension;
SELECT E' \t[ 1 ,\n2.50,3e2 ] \r'::vector AS blanks_anywhere;
SELECT '[+1,-2,.5,3.,-.25e1,1E3,0x10]'::vector AS spellings;
SELECT '[0,-0,-0.0]'::vector AS zeros;

-- shortest decimals that read back as the same float
SELECT '[0.1,0.30000001,16777217,123456789,1e-7,1.5e20]'::vector;
SELECT '[3.4028235e38,-3.4028235e38,1.1754944e-38,1e-45]'::vector AS extremes;
SELECT v, v::text::vector = v AS same FROM (VALUES ('[0.1,3.1415927,2.7182817,-1e-30,8388609.5]'::vector)) AS t(v);
SELECT '[1e-46,-1e-46,1e-400]'::vector AS too_small;

-- out of range
SELECT '[1,4e38]'::vector;
SELECT '[1, -1e400]'::vector;
SELECT '[1,NaN]'::vector;
SELECT '[inf,1]'::vector;
SELECT '[1,-Infinity]'::vector;

-- malformed; the position is counted in characters
SELECT ''::vector;
SELECT '   '::vector;
SELECT '1,2,3'::vector;
SELECT '{1,2,3}'::vector;
SELECT '['::vector;
SELECT '[1'::vector;
SELECT '[1,'::vector;
SELECT '[1,2'::vector;
SELECT '[1,]'::vector;
SELECT '[,1]'::vector;
SELECT '[1,,2]'::vector;
SELECT '[1 2]'::vector;
SELECT '[1,two]'::vector;
SELECT '[1,2px]'::vector;
SELECT '[1;2]'::vector;
SELECT '[--1]'::vector;
SELECT '[1,2]]'::vector;
SELECT '[1,2] and more'::vector;
SELECT '[[1,2]]'::vector;
SELECT '[0x]'::vector;
SELECT ('[' || repeat('1234567,', 20) || 'x]')::vector AS long_literal;

-- dimensions
SELECT '[]'::vector;
SELECT '[ ]'::vector;
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector);
SELECT vector_dims(('[' || repeat('1,', 16000) || '1]')::vector);

-- type modifier
SELECT '[1,2,3]'::vector(3);
SELECT '[1,2,3]'::vector(2);
SELECT '[1,2,3]'::vector::vector(4);
SELECT '{"[1,2]","[3]"}'::vector(2)[];
SELECT format_type('vector'::regtype, 3);
SELECT NULL::vector(0);
SELECT NULL::vector(-1);
SELECT NULL::vector(16001);
SELECT NULL::vector(3,4);
SELECT NULL::vector(three);
SELECT NULL::vector(16000) IS NULL AS most;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[1'::vector;
SELECT '[1,1e99]'::vector;
SELECT '[nan]'::vector;
SELECT '[]'::vector;
SELECT ('[' || repeat('1,', 16000) || '1]')::vector;
SELECT '[1,2]'::vector(3);
SELECT NULL::vector(0);
\set VERBOSITY default

-- tables
CREATE TABLE vector_type (id int PRIMARY KEY, v vector(3), any_dims vector DEFAULT '[0]');
INSERT INTO vector_type VALUES (1, '[1,2,3]', '[1]'), (2, NULL, NULL), (3, '[-1,0,1]', DEFAULT);
INSERT INTO vector_type VALUES (4, '[1,2]');
INSERT INTO vector_type SELECT 5, '[1,2,3,4]'::vector;
UPDATE vector_type SET v = any_dims WHERE id = 1;
SELECT * FROM vector_type ORDER BY id;
SELECT attname, attstorage, format_type(atttypid, atttypmod)
FROM pg_attribute WHERE attrelid = 'vector_type'::regclass AND attnum > 1 ORDER BY attnum;
ALTER TABLE vector_type ALTER v TYPE vector(2);
ALTER TABLE vector_type ALTER v TYPE vector;
INSERT INTO vector_type VALUES (6, '[1,2]');

-- values that are stored out of line
UPDATE vector_type SET any_dims = array_fill(0.5::real, ARRAY[16000])::vector WHERE id = 1;
UPDATE vector_type SET any_dims = array_fill(0.5::real, ARRAY[2000])::vector WHERE id = 2;
SELECT id, vector_dims(any_dims), pg_column_size(any_dims), vector_norm(any_dims)::numeric(10, 4)
FROM vector_type WHERE id < 3 ORDER BY id;
DROP TABLE vector_type;

-- Casts between vector and arrays of numbers.

-- from arrays
SELECT ARRAY[1,2,3]::vector AS int4, ARRAY[1.5,2.25]::vector AS "numeric";
SELECT '{1.5,-2,3e10}'::real[]::vector AS float4, '{0.1,1e-50,1e30}'::double precision[]::vector AS float8;
SELECT '{16777217,-2147483648}'::integer[]::vector AS rounded;
SELECT '{0.1,123456789.123,1e-40}'::numeric[]::vector AS "numeric";
SELECT '[5:7]={1,2,3}'::integer[]::vector AS bounds_do_not_matter;
SELECT ARRAY[1,2,3]::vector(3);
SELECT ARRAY[1,2,3]::vector(2);
SELECT '{}'::real[]::vector;
SELECT '{{1,2},{3,4}}'::real[]::vector;
SELECT '{{1,2},{3,4}}'::numeric[]::vector;
SELECT '{1,NULL,3}'::real[]::vector;
SELECT '{1,NULL,3}'::integer[]::vector;
SELECT '{1,NULL,3}'::numeric[]::vector;
SELECT '{1,NaN}'::real[]::vector;
SELECT '{1,-Infinity}'::double precision[]::vector;
SELECT '{NaN}'::numeric[]::vector;
SELECT '{1,4e38}'::double precision[]::vector;
SELECT '{1,4e38}'::numeric[]::vector;
SELECT '{1e-60}'::numeric[]::vector;
SELECT vector_dims(array_fill(1, ARRAY[16000])::vector);
SELECT vector_dims(array_fill(1, ARRAY[16001])::vector);
SELECT array_to_vector(ARRAY[1,2], 2, true), array_to_vector(ARRAY[1.5,2]::real[], -1, false);

-- an array that lost its nulls but kept the bitmap for them
SELECT array_replace(ARRAY[1,NULL,3], NULL, 2)::vector AS no_nulls_left;

-- to arrays
SELECT '[1,2.5,-3e10]'::vector::real[];
SELECT '[0.1,2.5,-3e10]'::vector::double precision[];
SELECT '[1,2.5,3.5,-2.5,1e9]'::vector::integer[];
SELECT '[1,2.5,-3e10,0.1]'::vector::numeric[];
SELECT '[1.2345678,2.994]'::vector::numeric[] AS six_digits, '[1.2345678,2.996]'::vector::numeric(8, 2)[] AS two_places;
SELECT '[1,3e9]'::vector::integer[];
SELECT vector_to_float4('[1,2]', -1, false), vector_to_float8('[1,2]'), vector_to_int4('[1,2]'), vector_to_numeric('[1,2]');
SELECT NULL::vector::real[] IS NULL AS null_in_null_out;

-- real[] is implicit, and of several kinds of array it is chosen
CREATE FUNCTION pg_temp.kind(real[]) RETURNS text LANGUAGE sql AS $$SELECT 'real'$$;
CREATE FUNCTION pg_temp.kind(double precision[]) RETURNS text LANGUAGE sql AS $$SELECT 'double precision'$$;
CREATE FUNCTION pg_temp.kind(integer[]) RETURNS text LANGUAGE sql AS $$SELECT 'integer'$$;
SELECT pg_temp.kind('[4,5,6]'::vector);
SELECT ('[4,5,6]'::vector::real[])[2], unnest('[4,5,6]'::vector::real[]);

-- arrays of each kind can be assigned, and vectors to each kind of array
CREATE TABLE vector_cast (v vector(2), i integer[], r real[], d double precision[], n numeric[]);
INSERT INTO vector_cast (v) VALUES (ARRAY[1,2]), (ARRAY[1.5,2.5]), ('{3,4}'::real[]), ('{5,6}'::double precision[]);
INSERT INTO vector_cast (v) VALUES (ARRAY[1,2,3]);
UPDATE vector_cast SET i = v, r = v, d = v, n = v;
SELECT * FROM vector_cast ORDER BY v;
PREPARE nearest(real[]) AS SELECT v FROM vector_cast ORDER BY v <-> $1::vector LIMIT 1;
EXECUTE nearest('{3.1,3.9}');
DEALLOCATE nearest;
DROP TABLE vector_cast;

-- the casts make nothing ambiguous
SELECT ARRAY[1,2] = ARRAY[1,2] AS int4, ARRAY[1.5] < ARRAY[2.5] AS "numeric", '{1}'::real[] || '{2}'::real[] AS float4;
SELECT '[1,2]' = '[1,2]'::vector AS eq, '[1,2]'::vector || '[3]' AS concat, '[1,2]' <-> '[1,4]'::vector AS l2;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '{1,NULL}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT '{}'::real[]::vector;
SELECT '{NaN}'::real[]::vector;
SELECT '{1e99}'::numeric[]::vector;
SELECT array_fill(1, ARRAY[16001])::vector;
SELECT ARRAY[1,2]::vector(3);
SELECT '[3e9]'::vector::integer[];

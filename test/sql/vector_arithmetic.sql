-- Functions and operators of vector that are no distances.

SELECT '[1,2,3]'::vector + '[10,20,30.5]';
SELECT '[1,2,3]'::vector - '[10,20,30.5]';
SELECT '[1,2,3]'::vector * '[10,-20,0]';
SELECT '[1,2,3]'::vector || '[4,5]';
SELECT '[1,2,3]'::vector + NULL::vector AS null_in_null_out;

-- the result must be a number
SELECT '[3e38,0]'::vector + '[3e38,0]';
SELECT '[0,-3e38]'::vector - '[0,3e38]';
SELECT '[1e20]'::vector * '[-1e20]';
SELECT '[1e-20,1e-30]'::vector * '[1e-20,1]';
SELECT '[1e-30,1e-30]'::vector * '[1,1e-30]';
SELECT '[0,1e-30]'::vector * '[1e-30,0]' AS zero_is_no_underflow;

-- dimensions
SELECT '[1,2,3]'::vector + '[1,2]';
SELECT '[1,2,3]'::vector - '[1,2]';
SELECT '[1,2,3]'::vector * '[1,2]';
SELECT vector_dims(array_fill(1, ARRAY[9000])::vector || array_fill(1, ARRAY[7000])::vector);
SELECT vector_dims(array_fill(1, ARRAY[9000])::vector || array_fill(1, ARRAY[7001])::vector);
SELECT vector_dims('[4,5,6]'::vector);

-- norm
SELECT vector_norm('[2,3,6]');
SELECT vector_norm('[0,0]');
SELECT vector_norm('[-5]');
SELECT (vector_norm('[3e38,3e38,3e38,3e38]') / 3e38)::numeric(8, 4) AS no_overflow;
SELECT (vector_norm('[3e-40,4e-40]') / 1e-40)::numeric(8, 4) AS no_underflow;
SELECT l2_normalize('[3,0,-4]'::vector);
SELECT l2_normalize('[0,0]'::vector);
SELECT l2_normalize('[3e38,0]'::vector);
SELECT l2_normalize('[0,1e-40]'::vector);
SELECT abs(vector_norm(l2_normalize('[1,2,3,4,5,6,7]'::vector)) - 1) < 1e-6 AS length_one;

-- binary_quantize: one bit a value, set above zero
SELECT binary_quantize('[0.5,-0.5,0,1e-45,-0]'::vector);
SELECT binary_quantize('[1,1,1,1,1,1,1,1]'::vector);
SELECT binary_quantize('[-1,1,1,1,1,1,1,-1,1]'::vector);
SELECT length(binary_quantize(array_fill(1, ARRAY[16000])::vector)),
       bit_count(binary_quantize(array_fill(1, ARRAY[16000])::vector));

-- subvector counts from 1 and leaves out what lies outside
SELECT subvector('[10,20,30,40]'::vector, 1, 4);
SELECT subvector('[10,20,30,40]'::vector, 2, 2);
SELECT subvector('[10,20,30,40]'::vector, 4, 1);
SELECT subvector('[10,20,30,40]'::vector, 3, 100);
SELECT subvector('[10,20,30,40]'::vector, 0, 2);
SELECT subvector('[10,20,30,40]'::vector, -1, 3);
SELECT subvector('[10,20,30,40]'::vector, 2, 2147483647);
SELECT subvector('[10,20,30,40]'::vector, -2147483645, 2147483647);
SELECT subvector('[10,20,30,40]'::vector, 1, 0);
SELECT subvector('[10,20,30,40]'::vector, 2, -1);
SELECT subvector('[10,20,30,40]'::vector, 5, 1);
SELECT subvector('[10,20,30,40]'::vector, -1, 2);
SELECT subvector('[10,20,30,40]'::vector, 2147483647, 2147483647);
SELECT subvector('[10,20,30,40]'::vector, -2147483648, -2147483648);

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[3e38]'::vector + '[3e38]';
SELECT '[1e-30]'::vector * '[1e-30]';
SELECT '[1,2,3]'::vector + '[1,2]';
SELECT subvector('[10,20,30,40]'::vector, 5, 1);
SELECT array_fill(1, ARRAY[9000])::vector || array_fill(1, ARRAY[7001])::vector;

-- Distances between vectors. Where a result is not exact in binary it is rounded: SIMD levels may differ in
-- the last bits.

-- L2
SELECT '[1,2,3]'::vector <-> '[4,6,3]';
SELECT l2_distance('[1,2,3]'::vector, '[4,6,3]'::vector), vector_l2_squared_distance('[1,2,3]', '[4,6,3]');
SELECT l2_distance('[5]'::vector, '[5]'), l2_distance('[-1]'::vector, '[1]');
SELECT l2_distance('[0,0]'::vector, '[1,1]')::numeric(10, 6);

-- inner product
SELECT '[1,2,3]'::vector <#> '[4,-5,6]';
SELECT inner_product('[1,2,3]'::vector, '[4,-5,6]'), vector_negative_inner_product('[1,2,3]', '[4,-5,6]');
SELECT inner_product('[1,0]'::vector, '[0,1]');

-- cosine
SELECT '[1,2,2]'::vector <=> '[2,4,4]' AS same_direction;
SELECT '[1,0]'::vector <=> '[0,3]' AS orthogonal;
SELECT '[3,-4]'::vector <=> '[-6,8]' AS opposite;
SELECT cosine_distance('[3,4]'::vector, '[4,3]')::numeric(10, 6);
SELECT cosine_distance('[0,0]'::vector, '[1,2]') AS zero, cosine_distance('[0,0]'::vector, '[0,0]') AS zeros;
SELECT bool_and(d BETWEEN 0 AND 2) AS in_range, min(d) < 1e-6 AS near_zero, max(d) > 2 - 1e-6 AS near_two
FROM (SELECT cosine_distance(v, v * s) AS d
      FROM (SELECT array_agg(sin(i * j))::vector AS v
            FROM generate_series(1, 50) AS i, generate_series(1, 33) AS j GROUP BY i) AS vectors,
           (VALUES (array_fill(0.7, ARRAY[33])::vector), (array_fill(-1.3, ARRAY[33])::vector)) AS signs(s)) AS d;

-- cosine of very long and very short vectors
SELECT cosine_distance('[3e38,3e38]'::vector, '[-3e38,3e38]')::numeric(10, 6) AS long;
SELECT cosine_distance('[3e38,0]'::vector, '[3e38,0]')::numeric(10, 6) AS long_parallel;
SELECT cosine_distance('[3e-40,4e-40]'::vector, '[4e-40,3e-40]')::numeric(10, 6) AS short;
SELECT cosine_distance('[3e-30,4e-30]'::vector, '[4e30,3e30]')::numeric(10, 6) AS both;

-- L1
SELECT '[1,2,3]'::vector <+> '[4,-2,3.5]';
SELECT l1_distance('[1,2,3]'::vector, '[4,-2,3.5]');

-- angle between unit vectors as a share of a half turn
SELECT vector_spherical_distance('[1,0]', '[0,1]'), vector_spherical_distance('[1,0]', '[-1,0]'),
       vector_spherical_distance('[1,0]', '[1,0]');
SELECT vector_spherical_distance('[2,0]', '[2,0]') AS clamped, vector_spherical_distance('[2,0]', '[-2,0]') AS clamped_too;

-- sums in single precision overflow to infinity
SELECT '[3e38]'::vector <-> '[-3e38]' AS l2, '[3e38]'::vector <#> '[3e38]' AS ip, '[3e38]'::vector <+> '[-3e38]' AS l1;

-- every length has the same tail handling on every SIMD level: 1 + 2 + ... with differences of one
SELECT count(*) AS wrong
FROM (SELECT n, array_agg(i ORDER BY i)::vector AS a, array_agg(i + 1 ORDER BY i)::vector AS b,
             array_fill(1, ARRAY[n])::vector AS ones
      FROM generate_series(1, 130) AS n, generate_series(1, n) AS i GROUP BY n) AS t
WHERE l1_distance(a, b) <> n OR vector_l2_squared_distance(a, b) <> n
   OR inner_product(a, ones) <> n * (n + 1) / 2 OR abs(cosine_distance(a, a)) > 1e-6;

-- operands must have the same dimensions
SELECT '[1,2,3]'::vector <-> '[1,2]';
SELECT '[1,2,3]'::vector <#> '[1,2]';
SELECT '[1,2,3]'::vector <=> '[1,2]';
SELECT '[1,2,3]'::vector <+> '[1,2]';
SELECT vector_l2_squared_distance('[1,2]', '[1,2,3]');
SELECT vector_spherical_distance('[1,2]', '[1,2,3]');
\set VERBOSITY sqlstate
SELECT '[1,2,3]'::vector <-> '[1,2]';
\set VERBOSITY default

-- null in, null out
SELECT '[1]'::vector <-> NULL, NULL::vector <=> '[1]', inner_product(NULL::vector, NULL);

-- nearest neighbours without an index, from values in line and out of line
CREATE TABLE vector_distance AS
SELECT i AS id, array_fill(i, ARRAY[3])::vector AS small, array_fill(i, ARRAY[1000])::vector AS large
FROM generate_series(1, 20) AS i;
SELECT id, small <-> '[7.25,7.25,7.25]' = (small <-> '[7.25,7.25,7.25]'::vector(3)) AS same
FROM vector_distance ORDER BY small <-> '[7.25,7.25,7.25]' LIMIT 4;
SELECT id, large <+> array_fill(13, ARRAY[1000])::vector AS distance
FROM vector_distance ORDER BY large <+> array_fill(13, ARRAY[1000])::vector, id LIMIT 3;
DROP TABLE vector_distance;

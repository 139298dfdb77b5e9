-- The setting vecidx.simd. What SHOW tells depends on the machine, so of the levels only "scalar" is shown.

SELECT vector_dims('[1]') AS loads_the_library;
SELECT current_setting('vecidx.simd') NOT IN ('auto', '') AS tells_the_level;
SELECT boot_val, context, vartype FROM pg_settings WHERE name = 'vecidx.simd';
SET vecidx.simd = scalar;
SHOW vecidx.simd;
SELECT '[1,2,3]'::vector <-> '[4,6,3]' AS l2;
RESET vecidx.simd;

-- levels that this machine has are listed, others are refused
SELECT 'scalar' = ANY (enumvals) AS has_scalar, current_setting('vecidx.simd') = ANY (enumvals) AS has_best,
       'neon' = ANY (enumvals) AND 'sse2' = ANY (enumvals) AS has_two_architectures
FROM pg_settings WHERE name = 'vecidx.simd';
SELECT CASE WHEN 'neon' = ANY (enumvals) THEN 'sse2' ELSE 'neon' END AS other
FROM pg_settings WHERE name = 'vecidx.simd' \gset

-- every level that this machine has computes the same from whole numbers, at any length
DO $$
DECLARE
    available text[] := (SELECT enumvals FROM pg_settings WHERE name = 'vecidx.simd');
    level text;
    expected text;
    computed text;
BEGIN
    FOREACH level IN ARRAY ARRAY['scalar'] || available LOOP
        PERFORM set_config('vecidx.simd', level, false);
        SELECT string_agg(concat_ws(' ', a <-> b, a <#> b, a <+> b, (a <=> b)::numeric(8, 5)), ',' ORDER BY n)
        INTO computed
        FROM (SELECT n, array_agg(i % 17 - 8 ORDER BY i)::vector AS a, array_agg(i % 13 - 5 ORDER BY i)::vector AS b
              FROM generate_series(1, 150) AS n, generate_series(1, n) AS i GROUP BY n) AS vectors;
        expected := coalesce(expected, computed);
        ASSERT computed = expected, 'different distances at level ' || level;
    END LOOP;
END $$;
RESET vecidx.simd;

\set VERBOSITY sqlstate
SET vecidx.simd = :other;
SET vecidx.simd = mmx;
SET vecidx.smid = scalar;

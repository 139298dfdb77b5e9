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
\set VERBOSITY sqlstate
SET vecidx.simd = :other;
SET vecidx.simd = mmx;
SET vecidx.smid = scalar;

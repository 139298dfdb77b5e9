-- Every function, operator and type that the extension brings says what it is.
SELECT pg_describe_object(classid, objid, objsubid) AS undocumented
FROM pg_depend
WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vecidx')
  AND (classid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
       OR (classid = 'pg_type'::regclass AND (SELECT typelem = 0 FROM pg_type WHERE oid = objid)))
  AND obj_description(objid, classid::regclass::name) IS NULL
ORDER BY 1;

-- Every function of vector is strict, immutable and safe in parallel.
SELECT p.oid::regprocedure AS exception, proisstrict, provolatile, proparallel
FROM pg_depend AS d JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'vecidx')
  AND p.prokind = 'f' AND 'vector'::regtype::oid = ANY (p.proargtypes || p.prorettype)
  AND NOT (proisstrict AND provolatile = 'i' AND proparallel = 's')
ORDER BY 1;

-- Measures of the view `neighbours` (bench/load), which joins every query to its nearest items: for bench/compare.

-- The share of the neighbours found that are as near as the true K-th.
CREATE FUNCTION recall() RETURNS numeric
LANGUAGE sql AS $$
    SELECT round(count(*) FILTER (WHERE n.distance <= t.distance)::numeric
                 / ((SELECT count(*) FROM queries) * current_setting('bench.k')::int), 4)
    FROM neighbours n JOIN truth t USING (query_id)
$$;

-- Queries a second inside the server, one statement for all: the best of three runs after one to warm up.
CREATE FUNCTION statement_rate() RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    started timestamptz;
    seconds float8;
    best float8;
BEGIN
    FOR run IN 0..3 LOOP
        started := clock_timestamp();
        PERFORM max(id) FROM neighbours;
        seconds := extract(epoch FROM clock_timestamp() - started);
        IF run > 0 THEN
            best := least(best, seconds);
        END IF;
    END LOOP;
    RETURN round((SELECT count(*) FROM queries) / best::numeric);
END
$$;

-- Pages that the index scan touches for one query, in the buffer pool or not, rows of the table included.
CREATE FUNCTION pages_a_query() RETURNS numeric
LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
    scan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) SELECT max(id) FROM neighbours' INTO plan;
    scan := jsonb_path_query_first(plan, '$.** ? (@."Index Name" == "items_embedding_idx")');
    IF scan IS NULL THEN
        RAISE EXCEPTION 'the planner does not use the index' USING DETAIL = plan::text;
    END IF;
    RETURN round(((scan->>'Shared Hit Blocks')::numeric + (scan->>'Shared Read Blocks')::numeric)
                 / (SELECT count(*) FROM queries), 1);
END
$$;

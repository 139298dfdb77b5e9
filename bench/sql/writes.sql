-- What bench/writes, bench/grow and bench/churn do around their writes, on the tables of bench/load.

-- Keeps the first rows of `items`; the others become the table `incoming`, in random order, without TOAST, so that
-- to read them costs little. With more than one copy it has further rows, made of those: each dimension is stretched
-- or shrunk by up to a half, differently in each copy.
CREATE PROCEDURE split_items(kept bigint, copies int DEFAULT 1)
LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE incoming (LIKE items);
    ALTER TABLE incoming ADD position bigint, ALTER embedding SET STORAGE PLAIN;
    PERFORM setseed(0.5);
    INSERT INTO incoming
    WITH factor AS MATERIALIZED (
        SELECT copy, array_agg(CASE copy WHEN 0 THEN 1 ELSE 0.5 + random() END)::real[]::vector AS factors
        FROM generate_series(0, copies - 1) copy, generate_series(1, (SELECT vector_dims(embedding) FROM items LIMIT 1))
        GROUP BY copy
    ), made AS (
        SELECT id + copy * (SELECT count(*) FROM items) AS id, embedding * factors AS embedding
        FROM items, factor WHERE id >= kept
    )
    SELECT id, embedding, row_number() OVER (ORDER BY hashint8(id), id) FROM made;
    ALTER TABLE incoming ADD PRIMARY KEY (position);
    DELETE FROM items WHERE id >= kept;
END
$$;

-- Bytes of WAL since a position, and those of them that are an index's (Generic WAL, whole pages), and those that are
-- images of pages for the first change after a checkpoint.
CREATE FUNCTION wal_since(start pg_lsn, OUT all_bytes bigint, OUT index_bytes bigint, OUT image_bytes bigint)
LANGUAGE plpgsql AS $$
DECLARE
    till pg_lsn := pg_current_wal_insert_lsn();
BEGIN
    PERFORM pg_switch_wal();
    all_bytes := till - start;
    SELECT sum(combined_size) FILTER (WHERE "resource_manager/record_type" ~ '^(Generic|XLOG/FPI$)'), sum(fpi_size)
    INTO index_bytes, image_bytes FROM pg_get_wal_stats(start, till, true);
END
$$;

-- Rows of a vamana index that are not in its graph; 0 for other indexes.
CREATE FUNCTION pending_rows(index regclass) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    pending bigint := 0;
BEGIN
    IF EXISTS (SELECT FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.oid = index AND amname = 'vamana') THEN
        EXECUTE 'SELECT pending_rows FROM vamana_stats($1)' INTO pending USING index;
    END IF;
    RETURN pending;
END
$$;

-- Waits until no row is pending: while a worker merges, for it; then by merging what it left.
CREATE PROCEDURE wait_for_merge(index regclass)
LANGUAGE plpgsql AS $$
DECLARE
    merges int := 0;
BEGIN
    LOOP
        COMMIT;  -- so that pg_stat_activity is read again
        IF EXISTS (SELECT FROM pg_stat_activity
                   WHERE backend_type = 'vecidx merge worker' AND datname = current_database()) THEN
            PERFORM pg_sleep(0.01);
            CONTINUE;
        END IF;
        EXIT WHEN pending_rows(index) = 0;
        IF merges = 100 THEN
            RAISE EXCEPTION '% rows are still pending after % merges', pending_rows(index), merges;
        END IF;
        EXECUTE 'SELECT vamana_merge($1)' USING index;
        merges := merges + 1;
    END LOOP;
END
$$;

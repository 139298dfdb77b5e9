// Every difference between the Postgres versions that vecidx supports (15 and later) stands here, and only
// here: the rest of the code is written against one interface.
#pragma once

#include "pg/postgres.hpp"

// Soft errors came with 16: an input function that is handed an ErrorSaveContext notes the error there and
// returns. Before 16 there is no such context and every error is thrown.
#ifndef errsave
#define errsave(context, ...)        \
    do {                             \
        (void)(context);             \
        ereport(ERROR, __VA_ARGS__); \
    } while (0)
#endif

// The library is compiled with hidden symbols, which the server's headers allow for since 16: before, the
// mark for exported entry points is empty.
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

// Where a relation's file is: a RelFileNode until 15, a RelFileLocator since.
inline const auto& relation_locator(Relation relation) {
#if PG_VERSION_NUM >= 160000
    return relation->rd_locator;
#else
    return relation->rd_node;
#endif
}

// Counts a search for pg_stat_user_indexes and, since 18, for EXPLAIN ANALYZE.
inline void count_index_scan(IndexScanDesc scan) {
    pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
    if (scan->instrument != nullptr) scan->instrument->nsearches++;
#endif
}

// Tells the planner to take a path only when there is no other: since 18 by a count, before by an infinite
// cost alone.
inline void disable_path(IndexPath* path) {
#if PG_VERSION_NUM >= 180000
    path->path.disabled_nodes = 2;
#else
    (void)path;
#endif
}

// Makes vacuum_delay sleep as vacuum_cost_delay asks, outside of VACUUM.
inline void begin_vacuum_delay() {
    VacuumCostBalance = 0;
#if PG_VERSION_NUM >= 160000
    VacuumUpdateCosts();
#else
    VacuumCostActive = VacuumCostDelay > 0;
#endif
}
inline void end_vacuum_delay() {
    VacuumCostActive = false;
    VacuumCostBalance = 0;
}

// Polls for interrupts, and sleeps as the cost-based vacuum delay asks.
inline void vacuum_delay() {
#if PG_VERSION_NUM >= 180000
    vacuum_delay_point(false);
#else
    vacuum_delay_point();
#endif
}

// Takes a heavyweight tuple lock if nobody has it.
inline bool try_lock_tuple(Relation relation, ItemPointer place, LOCKMODE mode) {
#if PG_VERSION_NUM >= 180000
    return ConditionalLockTuple(relation, place, mode, false);
#else
    return ConditionalLockTuple(relation, place, mode);
#endif
}

// Whether the current user owns a relation, or is superuser.
inline bool owns_relation(Oid relation) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, GetUserId());
#else
    return pg_class_ownercheck(relation, GetUserId());
#endif
}

// For running code of a table's owner: since 17, names without a schema are Postgres's own.
inline void restrict_search_path() {
#if PG_VERSION_NUM >= 170000
    RestrictSearchPath();
#endif
}

// The subtransaction that gave a relation a new file, if it was this transaction.
inline SubTransactionId relation_file_subid(Relation relation) {
#if PG_VERSION_NUM >= 160000
    return relation->rd_newRelfilelocatorSubid;
#else
    return relation->rd_newRelfilenodeSubid;
#endif
}

// Makes a fork `count` blocks longer, from block `first`, its end, on; they read as zeros. No WAL.
inline void extend_with_zeros(SMgrRelation smgr, ForkNumber fork, BlockNumber first, BlockNumber count) {
#if PG_VERSION_NUM >= 160000
    while (count > 0) {
        const auto some = static_cast<int>(std::min<BlockNumber>(count, 1 << 16));
        CHECK_FOR_INTERRUPTS();
        smgrzeroextend(smgr, fork, first, some, true);
        first += static_cast<BlockNumber>(some);
        count -= static_cast<BlockNumber>(some);
    }
#else
    PGAlignedBlock zeros;
    std::memset(zeros.data, 0, sizeof zeros.data);
    smgrextend(smgr, fork, first + count - 1, zeros.data, true);
#endif
}

// Whether the planner may count on workers for an index's build, by the access method's word.
inline void allow_parallel_build(IndexAmRoutine* am) {
#if PG_VERSION_NUM >= 170000
    am->amcanbuildparallel = true;
#else
    (void)am;
#endif
}

// Since 17 a statement says when it has inserted its last row into an index.
#if PG_VERSION_NUM >= 170000
inline constexpr bool kStatementsEnd = true;
#else
inline constexpr bool kStatementsEnd = false;
#endif
inline void call_at_statement_end(IndexAmRoutine* am, void (*cleanup)(Relation index, IndexInfo* info)) {
#if PG_VERSION_NUM >= 170000
    am->aminsertcleanup = cleanup;
#else
    (void)am;
    (void)cleanup;
#endif
}

// Writes at an offset of a file; the number of bytes written, or less with errno set.
inline std::int64_t write_file(File file, const void* data, std::size_t bytes, off_t offset) {
#if PG_VERSION_NUM >= 160000
    return FileWrite(file, data, bytes, offset, WAIT_EVENT_BUFFILE_WRITE);
#else
    auto* from = static_cast<char*>(const_cast<void*>(data));
    return FileWrite(file, from, static_cast<int>(bytes), offset, WAIT_EVENT_BUFFILE_WRITE);
#endif
}

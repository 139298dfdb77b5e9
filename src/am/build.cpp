// CREATE INDEX: all processes read the heap and append its rows to temporary files, then build the graph of
// all rows at once and write it once. What they hold of the files at a time is bounded by
// maintenance_work_mem; the rest is let go and comes back (vecidx/arena.hpp).
#include "am/build_team.hpp"
#include "am/callbacks.hpp"
#include "am/graph_build.hpp"
#include "am/options.hpp"
#include "am/progress.hpp"
#include "am/row_embedder.hpp"
#include "storage/node_store.hpp"
#include "storage/pending.hpp"

#include <utility>

namespace vecidx {
namespace {

constexpr std::uint64_t kReportEvery = 1024;
constexpr std::size_t kFewRows = 10000;  // are built in no time

// The reading of the heap by one process.
struct Loader {
    RowEmbedder* embedder;
    BuildRows* rows;
    BuildShared* shared;
    NodeLayout layout;
    bool leads;
    MemoryContext scratch;
};

void add_row(Relation index, ItemPointer tid, Datum* values, bool* isnull, bool, void* context) {
    auto* loader = static_cast<Loader*>(context);
    BuildShared* shared = loader->shared;
    if (isnull[0]) {
        add_shared(shared->unindexed, std::uint64_t{1});
        return;
    }
    const MemoryContext old = MemoryContextSwitchTo(loader->scratch);
    if (loader->embedder->embed(values[0])) {
        PendingEntry entry = loader->embedder->entry();
        entry.tid = heap_tid(*tid);
        if (loader->layout.own_place == OwnPlace::kApart)
            entry.own_block = write_apart(index, loader->layout, loader->embedder->halves());
        loader->rows->add(entry, loader->embedder->halves());
        const std::uint64_t loaded = add_shared(shared->loaded, std::uint64_t{1}) + 1;
        if (loader->leads && loaded % kReportEvery < 2) show_done(loaded);
    } else {
        add_shared(shared->unindexed, std::uint64_t{1});
    }
    MemoryContextSwitchTo(old);
    MemoryContextReset(loader->scratch);
}

// Rows too few for a graph stay pending: a scan looks at all of them.
void keep_pending(Relation index, BuildRows& rows) {
    rows.allocate(0);
    rows.map();
    for (std::size_t i = 0; i < rows.count(); ++i)
        if (rows.is_row(i)) append_pending(index, {rows.entry(i).row, rows.halves(i)});
}

// What every process of a build does.
void load_and_build(Relation heap, Relation index, BuildShared* shared, unsigned worker,
                    ParallelTableScanDesc scan) {
    const IndexShape shape = read_meta(index).shape;
    BuildTeam team(shared, worker);
    const bool leads = team.team.leads();
    auto* rows = make_in<BuildRows>(CurrentMemoryContext, shape.layout, shared);
    if (leads) {
        rows->create();
        enter_phase(BuildPhase::kLoad, shared->expected_rows);
    }
    team.team.meet();
    if (!leads) rows->open();

    IndexInfo* info = BuildIndexInfo(index);
    info->ii_Concurrent = shared->concurrent;
    RowEmbedder embedder(shape, type_support(index));
    Loader loader{
        &embedder, rows,
        shared,    shape.layout,
        leads,     AllocSetContextCreate(CurrentMemoryContext, "vamana build row", ALLOCSET_DEFAULT_SIZES)};
    const TableScanDesc heap_scan = scan != nullptr ? table_beginscan_parallel(heap, scan) : nullptr;
    const double seen = table_index_build_scan(heap, index, info, true, leads, add_row, &loader, heap_scan);
    rows->flush();
    add_shared(shared->heap_rows, static_cast<std::uint64_t>(seen));
    if (info->ii_BrokenHotChain) add_shared(shared->broken_hot_chains, 1u);
    team.team.meet();

    if (shared->loaded >= least_graph_rows(shape.layout))
        build_graph({index, *rows, team, {}}, nullptr);
    else if (leads && shared->loaded > 0)
        keep_pending(index, *rows);
    rows->close();
}

// What CREATE INDEX hands to the leader's part.
struct Build {
    Relation heap, index;
    bool concurrent;
    std::uint64_t expected_rows;
    std::uint64_t heap_rows = 0, loaded = 0, unindexed = 0;
    bool broken_hot_chain = false;
};

void fill_shared(BuildShared* shared, void* context) {
    const auto* build = static_cast<Build*>(context);
    const IndexShape shape = read_meta(build->index).shape;
    shared->heap = RelationGetRelid(build->heap);
    shared->index = RelationGetRelid(build->index);
    shared->concurrent = build->concurrent;
    shared->logged = RelationNeedsWAL(build->index);
    shared->memory = memory_in_all();
    shared->scratch = scratch_bytes(shape);
    shared->expected_rows = build->expected_rows;
    shared->extent_rows = BuildRows::rows_per_extent(shape.layout);
}

void lead(BuildShared* shared, ParallelTableScanDesc scan, void* context) {
    auto* build = static_cast<Build*>(context);
    load_and_build(build->heap, build->index, shared, 0, scan);
    build->heap_rows = shared->heap_rows;
    build->loaded = shared->loaded;
    build->unindexed = shared->unindexed;
    build->broken_hot_chain = shared->broken_hot_chains > 0;
}

// Rows of a table: at the density that it was found to have, or, where nobody has looked, as many as fit if
// they are vectors and little else.
std::size_t expected_rows(Relation heap, const IndexShape& shape) {
    if (heap->rd_rel->reltuples < 0 || heap->rd_rel->relpages == 0) {
        const std::size_t width =
            sizeof(ItemIdData) + MAXALIGN(SizeofHeapTupleHeader) + shape.dims * sizeof(float);
        return std::size_t{blocks_in_all(heap)} * BLCKSZ / width;
    }
    BlockNumber blocks;
    double rows, all_visible;
    table_relation_estimate_size(heap, nullptr, &blocks, &rows, &all_visible);
    return static_cast<std::size_t>(rows);
}

// Says before the work what too little memory will cost. Times are those of one core of a current server.
void forecast(Relation index, const IndexShape& shape, std::size_t rows, int processes) {
    const std::size_t memory = memory_in_all();
    const std::size_t fixed = static_cast<std::size_t>(processes) * scratch_bytes(shape);
    const std::size_t wanted = build_bytes(shape, rows) + fixed;
    if (wanted <= memory || rows < kFewRows) return;
    const double seconds =
        static_cast<double>(rows) * (20e-6 + 60e-9 * static_cast<double>(shape.layout.padded)) / processes;
    const double factor =
        std::min(3.0, 1 + 0.25 * std::log2(static_cast<double>(wanted) / static_cast<double>(memory)) + 0.25);
    ereport(NOTICE,
            errmsg("building index \"%s\" in maintenance_work_mem takes longer than it might",
                   RelationGetRelationName(index)),
            errdetail(
                "About %zu rows take %zu MB, %zu MB of temporary files and some %.0f seconds; with %zu MB of "
                "memory some %.0f seconds.",
                rows, wanted >> 20, (wanted - fixed) >> 20, seconds, memory >> 20, seconds * factor),
            errhint("Set maintenance_work_mem to %zu MB for this build.", (wanted >> 20) + 1));
}

}  // namespace

void build_as_worker(Relation heap, Relation index, BuildShared* shared, unsigned worker,
                     ParallelTableScanDesc scan) {
    load_and_build(heap, index, shared, worker, scan);
}

IndexBuildResult* vamana_build(Relation heap, Relation index, IndexInfo* info) {
    if (RelationGetNumberOfBlocks(index) != 0)
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
    // TRUNCATE in the transaction that made the table builds anew in the same file.
    if (index->rd_amcache != nullptr) pfree(std::exchange(index->rd_amcache, nullptr));
    const IndexShape shape = make_shape(index, type_support(index));
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana build", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    create_meta(index, MAIN_FORKNUM, empty_meta(shape));

    const std::size_t expected = expected_rows(heap, shape);
    // Vectors kept apart are written while they are loaded, which is the leader's alone.
    const bool apart = shape.layout.own_place == OwnPlace::kApart;
    int workers = apart ? 0 : plan_build_workers(heap, index, info);
    const std::size_t least = build_bytes(shape, expected) / kLeastPart;
    while (workers > 0 && memory_in_all() / (static_cast<std::size_t>(workers) + 1) < least) --workers;
    forecast(index, shape, expected, workers + 1);
    Build build{heap, index, info->ii_Concurrent, expected};
    run_team({heap, workers, info->ii_Concurrent}, {fill_shared, lead, &build});
    if (build.unindexed > 0) note_unindexed(index);
    if (build.broken_hot_chain)
        info->ii_BrokenHotChain = true;  // Postgres keeps older snapshots off the index
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);

    auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
    result->heap_tuples = static_cast<double>(build.heap_rows);
    result->index_tuples = static_cast<double>(build.loaded);
    return result;
}

void vamana_build_empty(Relation index) {
    create_meta(index, INIT_FORKNUM, empty_meta(make_shape(index, type_support(index))));
}

}  // namespace vecidx

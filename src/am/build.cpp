// CREATE INDEX: reads the heap, builds the graph of all rows at once in memory, writes it once, logs it once.
// Rows that do not fit in maintenance_work_mem go to the pending area and are merged afterwards.
#include "am/bulk.hpp"
#include "am/callbacks.hpp"
#include "am/merge.hpp"
#include "am/options.hpp"
#include "am/progress.hpp"
#include "am/row_embedder.hpp"
#include "storage/node_store.hpp"
#include "storage/pending.hpp"
#include "vecidx/bulk_build.hpp"

#include <utility>

namespace vecidx {
namespace {

struct BuildState {
    RowEmbedder* embedder;
    RowStore* rows;
    NodeLayout layout;
    std::size_t capacity;  // rows that fit in memory
    double overflow;       // rows that did not
    double unindexed;      // rows that are not indexed: NULL, zero vectors under cosine
    MemoryContext scratch;
};

void add_row(Relation index, ItemPointer tid, Datum* values, bool* isnull, bool, void* context) {
    auto* state = static_cast<BuildState*>(context);
    if (isnull[0]) {
        ++state->unindexed;
        return;
    }
    const MemoryContext old = MemoryContextSwitchTo(state->scratch);
    if (state->embedder->embed(values[0])) {
        PendingEntry entry = state->embedder->entry();
        entry.tid = heap_tid(*tid);
        const bool fits = state->rows->size() < state->capacity;
        if (state->layout.own_place == OwnPlace::kApart)
            entry.own_block = write_apart(index, state->layout, state->embedder->halves());
        if (fits)
            state->rows->add(entry, state->embedder->halves(), entry.tid);
        else
            append_pending(index, {entry, state->embedder->halves()});
        state->overflow += fits ? 0 : 1;
    } else {
        ++state->unindexed;
    }
    MemoryContextSwitchTo(old);
    MemoryContextReset(state->scratch);
}

std::size_t rows_in_memory(const NodeLayout& layout) {
    const BulkParams params;
    const std::size_t budget = static_cast<std::size_t>(maintenance_work_mem) * 1024;
    const std::size_t width =
        RowStore::bytes_per_row(layout, std::max<std::size_t>(params.reservoir, layout.degree));
    return std::max(budget / width, least_graph_rows(layout));
}

// Rows too few for a graph stay pending: a scan looks at all of them.
void keep_pending(Relation index, const RowStore& rows) {
    for (std::size_t i = 0; i < rows.size(); ++i)
        append_pending(index, {rows.entry(i), rows.vectors()[i].data});
}

}  // namespace

IndexBuildResult* vamana_build(Relation heap, Relation index, IndexInfo* info) {
    if (RelationGetNumberOfBlocks(index) != 0)
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
    // TRUNCATE in the transaction that made the table builds anew in the same file.
    if (index->rd_amcache != nullptr) pfree(std::exchange(index->rd_amcache, nullptr));
    const TypeSupport& support = type_support(index);
    const IndexShape shape = make_shape(index, support);
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana build", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    auto* memory = make_in<ContextResource>(context, context);
    auto* rows = make_in<RowStore>(context, shape.layout, memory);
    RowEmbedder embedder(shape, support);
    create_meta(index, MAIN_FORKNUM, empty_meta(shape));

    BuildState state{&embedder,
                     rows,
                     shape.layout,
                     rows_in_memory(shape.layout),
                     0,
                     0,
                     AllocSetContextCreate(context, "vamana build row", ALLOCSET_DEFAULT_SIZES)};
    const double expected = std::max(heap->rd_rel->reltuples, 0.0f);
    rows->reserve(std::min(state.capacity, static_cast<std::size_t>(expected * 1.05)));
    enter_phase(BuildPhase::kLoad, static_cast<std::size_t>(expected));
    const double heap_rows = table_index_build_scan(heap, index, info, true, true, add_row, &state, nullptr);
    const double index_rows = static_cast<double>(rows->heap_rows()) + state.overflow;
    if (rows->size() < least_graph_rows(shape.layout))
        keep_pending(index, *rows);
    else
        build_graph(index, *rows, Logging::kAtEnd, memory, build_progress());
    for (const BlockNumber block : rows->spare_blocks()) free_apart(index, block);
    if (state.unindexed > 0) note_unindexed(index);
    // Before a merge, which logs changes of these pages.
    if (RelationNeedsWAL(index))
        log_newpage_range(index, MAIN_FORKNUM, 0, RelationGetNumberOfBlocks(index), true);
    if (state.overflow > 0) {
        enter_phase(BuildPhase::kMerge, static_cast<std::size_t>(state.overflow));
        merge_pending(index);
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);

    auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
    result->heap_tuples = heap_rows;
    result->index_tuples = index_rows;
    return result;
}

void vamana_build_empty(Relation index) {
    create_meta(index, INIT_FORKNUM, empty_meta(make_shape(index, type_support(index))));
}

}  // namespace vecidx

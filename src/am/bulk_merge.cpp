// The processes of a bulk merge. See bulk_merge.hpp.
#include "am/bulk_merge.hpp"

#include "am/graph_append.hpp"
#include "am/graph_build.hpp"
#include "am/merge_lock.hpp"
#include "am/pending_load.hpp"

namespace vecidx {
namespace {

// The leader's part of loading: what is pending.
void load_pending_rows(Relation index, const Meta& meta, BuildShared* shared, BuildRows& rows) {
    Load load{kNoLimit, shared->merge.last_sequence};
    load_pending(index, meta, load, rows);
    rows.flush();
    shared->merge.run_last = load.run.last;
    shared->merge.run_pages = load.run.pages;
    shared->loaded = load.rows;
}

void end_empty_run(Relation index, const Meta& meta, const PendingRun& run, bool leads) {
    if (leads)
        with_lock(index, IndexLock::kRows, [&] { end_run(index, meta.pending_head, run, [](Meta&) {}); });
}

// What each process of a merge does.
void merge_by_team(Relation index, BuildShared* shared, unsigned worker) {
    const Meta meta = read_meta(index);
    BuildTeam team(shared, worker);
    const bool leads = team.team.leads();
    auto* rows = make_in<BuildRows>(CurrentMemoryContext, meta.shape.layout, shared);
    if (leads) rows->create();
    team.team.meet();
    if (!leads) rows->open();
    if (meta.trained != 0) load_nodes(index, meta, team, *rows);
    team.team.meet();  // a node comes before pending rows with the same vector
    if (leads) load_pending_rows(index, meta, shared, *rows);
    team.team.meet();
    const PendingRun run{shared->merge.run_last, shared->merge.run_pages};
    LiveRows live(index, {shared->merge.head, shared->merge.sweeps, run},
                  make_in<ContextResource>(CurrentMemoryContext, CurrentMemoryContext));
    const GraphTask task{index, *rows, team, run};
    if (shared->loaded == 0)  // VACUUM was faster
        end_empty_run(index, meta, run, leads);
    else if (meta.trained != 0)
        append_to_graph(task, live);
    else
        build_graph(task, &live);
    rows->close();
}

struct Plan {
    BulkMerge merge;
    std::uint64_t rows = 0;
};

void fill_shared(BuildShared* shared, void* context) {
    const BulkMerge& merge = static_cast<Plan*>(context)->merge;
    const IndexShape shape = read_meta(merge.index).shape;
    shared->job = BuildJob::kMerge;
    shared->heap = merge.index->rd_index->indrelid;
    shared->index = RelationGetRelid(merge.index);
    shared->memory = memory_in_all();
    shared->scratch = scratch_bytes(shape);
    shared->extent_rows = BuildRows::rows_per_extent(shape.layout);
    shared->merge.head = merge.pending_head;
    shared->merge.sweeps = merge.sweeps;
    shared->merge.last_sequence = merge.last_sequence;
}

void lead(BuildShared* shared, ParallelTableScanDesc, void* context) {
    auto* plan = static_cast<Plan*>(context);
    merge_by_team(plan->merge.index, shared, 0);
    plan->rows = shared->loaded;
}

}  // namespace

void merge_as_worker(Relation index, BuildShared* shared, unsigned worker) {
    merge_by_team(index, shared, worker);
}

std::size_t run_bulk_merge(const BulkMerge& merge) {
    Plan plan{merge};
    const Meta meta = read_meta(merge.index);
    const std::size_t rows =
        meta.node_count + meta.pending_pages * pending_entries_per_page(meta.shape.layout);
    const std::size_t vectors = rows * stored_bytes(OwnFormat::kF16, meta.shape.layout.padded);
    const int workers = plan_merge_workers(merge.index, vectors, build_bytes(meta.shape, rows));
    run_team({nullptr, workers, false}, {fill_shared, lead, &plan});
    return plan.rows;
}

}  // namespace vecidx

// Merges: taking rows off the pending area's head and linking them, one batch under the graph lock at a time.
// The graph is written before the pending area is cleared, so a scan, which reads in the other order, misses
// nothing; and a merge that was interrupted is undone by the next. A batch is linked by searches, or, where
// it is large beside the graph, by appending (graph_append.hpp).
#include "am/merge.hpp"

#include "am/batch.hpp"
#include "am/bulk_merge.hpp"
#include "am/drop_graph.hpp"
#include "am/graph_build.hpp"
#include "am/merge_lock.hpp"
#include "am/node_sweep.hpp"
#include "am/pending_load.hpp"
#include "am/progress.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kLeastBatch = 256;

// Rows are appended rather than searched for when they are at least so many, and one for so many nodes.
constexpr std::size_t kLeastLarge = 500;
constexpr std::size_t kLargeShare = 24;

// Where rows too few for a first graph are spread over many pages, which vacuums empty and nobody takes away,
// writes them together.
void keep_together(Relation index, const Meta& meta, const RowStore& rows, const PendingRun& run) {
    const std::size_t needed = ceil_div(rows.size(), pending_entries_per_page(meta.shape.layout));
    if (run.pages < needed + 2) return;
    std::pmr::vector<PendingRow> kept(rows.resource());
    for (std::size_t i = 0; i < rows.size(); ++i) kept.push_back({rows.entry(i), rows.vectors()[i].data});
    if (replace_chain(index, run, kept)) free_chain(index, meta.pending_head, run.last);
}

struct SlotCount {
    std::uint32_t used = 0, tombstones = 0, unused = 0, undone = 0;
};

SlotCount count_slots(const Meta& meta, Page page) {
    SlotCount count;
    for (std::size_t slot = 0; slot < meta.shape.nodes_per_page; ++slot) {
        const ConstNode node = node_in(meta.shape, page, slot);
        if (!node.used()) {
            ++count.unused;
            continue;
        }
        const bool undone = node.header().batch == meta.merging;
        ++count.used;
        count.undone += undone ? 1 : 0;
        count.tombstones += undone || !node.live() ? 1 : 0;
    }
    return count;
}

void bury(const NodeLayout& layout, Node node) {
    NodeHeader& h = node.header();
    h.flags |= kNodeTombstone;
    h.degree = 0;
    h.tid_count = 0;
    std::memset(h.tids, 0, sizeof h.tids);
    h.own_block = kNoOwnBlock;  // the pending row has it
    std::memset(node.ids(), 0, layout.size - layout.ids);
}

// Buries a page's nodes of the interrupted batch.
SlotCount undo_page(Relation index, const Meta& meta, BlockNumber block) {
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const Page page = BufferGetPage(buffer);
    SlotCount count;
    if (!PageIsNew(page)) {
        check_page(index, block, page);
        if (page_kind(page) == PageKind::kNode) count = count_slots(meta, page);
    }
    if (count.undone == 0) {
        UnlockReleaseBuffer(buffer);
        return count;
    }
    PageChange change(index);
    const Page copy = change.adopt(buffer);
    for (std::size_t slot = 0; slot < meta.shape.nodes_per_page; ++slot) {
        const Node node = node_in(meta.shape, copy, slot);
        if (node.used() && node.header().batch == meta.merging) bury(meta.shape.layout, node);
    }
    change.commit();
    return count;
}

// Says that a batch is being written, and reads the metapage that says so. From here on no sweep takes empty
// pages and slots for leftovers.
Meta begin_merge(Relation index) {
    with_lock(index, IndexLock::kRows,
              [&] { with_meta_write(index, [](Meta& m) { m.merging = m.batch + 1; }); });
    return read_meta(index);
}

// What merges of all sorts are told.
struct Order {
    Relation index;
    std::uint32_t last_sequence;  // no page after this one
    std::size_t most;             // no further page once there are so many rows
    MemoryContext context;
};

// Makes or extends the graph with all rows that are pending; returns how many.
std::size_t merge_in_bulk(const Order& order) {
    const Meta meta = begin_merge(order.index);
    return run_bulk_merge({order.index, meta.pending_head, meta.sweeps, order.last_sequence});
}

// Whether there are rows enough for a first graph; where there are not, and they take too many pages, those
// are put in order.
bool is_graph_due(const Order& order, const Meta& meta) {
    const NodeLayout& layout = meta.shape.layout;
    const std::size_t least = least_graph_rows(layout);
    if (meta.pending_pages * pending_entries_per_page(layout) < least) return false;
    bool due = false;
    with_lock(order.index, IndexLock::kRows, [&] {
        const Meta now = read_meta(order.index);
        RowStore few(layout, make_in<ContextResource>(order.context, order.context));
        Load look{least, order.last_sequence};
        load_pending(order.index, now, look, few);
        due = few.size() >= least;
        if (!due && look.run.pages > 0) keep_together(order.index, now, few, look.run);
    });
    return due;
}

// Whether so much is pending that looking at every node costs less than searching for every row.
bool is_large(const Meta& meta) {
    const std::size_t rows = meta.pending_pages * pending_entries_per_page(meta.shape.layout);
    return rows >= std::max<std::size_t>(meta.node_count / kLargeShare, kLeastLarge);
}

// Links rows by searches; returns how many.
std::size_t merge_by_search(const Order& order) {
    const Meta meta = begin_merge(order.index);
    const NodeLayout& layout = meta.shape.layout;
    auto* memory = make_in<ContextResource>(order.context, order.context);
    auto* rows = make_in<RowStore>(order.context, layout, memory);
    const std::size_t fit = std::max(memory_in_all() / Batch::bytes_per_row(layout), kLeastBatch);
    Load load{std::min(order.most, fit), order.last_sequence};
    load_pending(order.index, meta, load, *rows);
    LiveRows live(order.index, {meta.pending_head, meta.sweeps, load.run}, memory);
    auto* batch = make_in<Batch>(order.context, order.index, meta, *rows, memory);
    batch->link(live);
    with_lock(order.index, IndexLock::kRows, [&] {
        end_run(order.index, meta.pending_head, load.run, [batch](Meta& now) {
            now.node_count += static_cast<std::uint32_t>(batch->added());
            now.tombstones += batch->tombstones();
        });
    });
    batch->release();
    return load.rows;
}

// One batch, under the graph lock; returns the number of rows that it took.
std::size_t merge_batch(const Order& order) {
    undo_interrupted_merge(order.index);
    const Meta meta = read_meta(order.index);
    const bool none = meta.pending_head == InvalidBlockNumber ||
                      static_cast<std::int32_t>(head_sequence(meta) - order.last_sequence) > 0;
    if (none) return 0;
    if (meta.trained == 0) return is_graph_due(order, meta) ? merge_in_bulk(order) : 0;
    if (order.most == kNoLimit && is_large(meta)) return merge_in_bulk(order);
    return merge_by_search(order);
}

}  // namespace

void undo_interrupted_merge(Relation index) {
    const Meta meta = read_meta(index);
    if (meta.merging == 0) return;
    if (meta.trained == 0) return free_graph_pages(index, meta, vacuum_delay);
    forget_pending_rows(index);
    SlotCount all;
    const BlockNumber blocks = RelationGetNumberOfBlocks(index);
    for (BlockNumber block = kMetaBlock + 1; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const SlotCount count = undo_page(index, meta, block);
        all.used += count.used;
        all.tombstones += count.tombstones;
        // the merge may have taken the page off the list
        if (count.unused > 0) list_free_nodes(index, block);
    }
    with_meta_write(index, [&](Meta& m) {
        m.batch = m.merging;
        m.merging = 0;
        m.node_count = all.used;
        m.tombstones = all.tombstones;
    });
}

double merge_pending(Relation index, Wait wait) {
    const std::uint32_t last_sequence = read_meta(index).pending_sequence;
    double merged = 0;
    for (std::size_t rows = 1; rows > 0;) {
        rows = 0;
        in_context("vamana merge", [&](MemoryContext context) {
            const auto batch = [&] { rows = merge_batch({index, last_sequence, kNoLimit, context}); };
            if (wait == Wait::kYes)
                with_lock(index, IndexLock::kGraph, batch);
            else
                try_with_lock(index, IndexLock::kGraph, batch);
        });
        merged += static_cast<double>(rows);
    }
    if (merged > 0) IndexFreeSpaceMapVacuum(index);
    return merged;
}

double merge_as_command(Relation index) {
    begin_merge_progress(index);
    begin_vacuum_delay();
    const double merged = merge_pending(index, Wait::kYes);
    end_vacuum_delay();
    end_merge_progress();
    return merged;
}

void merge_slice(Relation index, std::size_t rows) {
    std::size_t merged = 0;
    in_context("vamana merge", [&](MemoryContext context) {
        try_with_lock(index, IndexLock::kGraph, [&] {
            merged = merge_batch({index, read_meta(index).pending_sequence, rows, context});
        });
    });
    if (merged > 0) IndexFreeSpaceMapVacuum(index);
}

}  // namespace vecidx

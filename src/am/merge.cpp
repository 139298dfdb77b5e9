// Merges: taking rows off the pending area's head and linking them, one batch under the merge lock at a time.
// The graph is written before the pending area is cleared, so a scan, which reads in the other order, misses
// nothing; and a merge that was interrupted is undone by the next.
#include "am/merge.hpp"

#include "am/batch.hpp"
#include "am/drop_graph.hpp"
#include "am/graph_build.hpp"
#include "am/merge_lock.hpp"
#include "am/node_sweep.hpp"
#include "storage/pending.hpp"
#include "vecidx/bulk_build.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kLeastBatch = 256;

// The rows of pending pages from the head on, into a RowStore or a BuildRows.
struct Load {
    std::size_t capacity;         // no further page once there are so many
    std::uint32_t last_sequence;  // no page after this one
    PendingRun run{};             // what was read
    std::size_t rows = 0;         // what was in it
};

template <typename Rows>
void add_rows(Relation index, const NodeLayout& layout, const PendingPage& page, void* apart, Rows& rows) {
    for (std::size_t i = 0; i < page.count(); ++i) {
        const PendingEntry& e = page.entry(i);
        const void* halves = page.vector(i).data;
        if (e.own_block != kNoOwnBlock) {
            read_apart(index, layout, e.own_block, apart);
            halves = apart;
        }
        rows.add(e, halves);
    }
}

// Closes the page at the tail, to which rows may be appended at any time, and reads what it has.
template <typename Rows>
std::size_t close_and_read(Relation index, const NodeLayout& layout, BlockNumber block, void* apart,
                           Rows& rows) {
    std::size_t count = 0;
    with_write(index, block, PageKind::kPending, [&](Page page) {
        check_pending_page(index, layout, block, page);
        page_tail(page).flags |= kPendingClosed;
        const PendingPage pending(layout, page);
        count = pending.count();
        add_rows(index, layout, pending, apart, rows);
    });
    return count;
}

template <typename Rows>
void load_pending(Relation index, const Meta& meta, Load& load, Rows& rows) {
    const NodeLayout& layout = meta.shape.layout;
    void* apart = palloc(stored_bytes(OwnFormat::kF16, layout.padded));
    for (BlockNumber block = meta.pending_head; block != InvalidBlockNumber && load.rows < load.capacity;) {
        CHECK_FOR_INTERRUPTS();
        bool open = false, wanted = false;
        const BlockNumber next = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kPending);
            check_pending_page(index, layout, block, page);
            const PageTail& tail = page_tail(page);
            wanted = tail.sequence <= load.last_sequence;
            open = tail.next == InvalidBlockNumber && (tail.flags & kPendingClosed) == 0;
            if (wanted && !open) {
                const PendingPage pending(layout, page);
                load.rows += pending.count();
                add_rows(index, layout, pending, apart, rows);
            }
            return tail.next;
        });
        if (!wanted) break;
        if (open) load.rows += close_and_read(index, layout, block, apart, rows);
        load.run.last = block;
        ++load.run.pages;
        block = next;
    }
}

// Takes the pages that were loaded off the chain; from here on they belong to nobody.
void advance_head(Relation index, const PendingRun& run, std::size_t added) {
    with_meta_write(index, [&](Meta& meta) {
        meta.node_count += static_cast<std::uint32_t>(added);
        finish_run(index, meta, run);
    });
}

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

std::size_t memory_budget() {
    return static_cast<std::size_t>(maintenance_work_mem) * 1024;
}

// Says that a batch is being written, and reads the metapage that says so.
Meta begin_merge(Relation index) {
    with_meta_write(index, [](Meta& m) { m.merging = m.batch + 1; });
    return read_meta(index);
}

// The first graph, of all rows that are pending up to `last_sequence`. False when they are too few.
bool build_first_graph(Relation index, const Meta& before, std::uint32_t last_sequence, MemoryContext context,
                       double& merged) {
    const NodeLayout& layout = before.shape.layout;
    const std::size_t least = least_graph_rows(layout);
    if (before.pending_pages * pending_entries_per_page(layout) < least) return false;
    RowStore few(layout, make_in<ContextResource>(context, context));
    Load look{least, last_sequence};
    load_pending(index, before, look, few);
    if (few.size() < least) {
        if (look.run.pages > 0) keep_together(index, before, few, look.run);
        return false;
    }

    const Meta meta = begin_merge(index);
    auto* shared = static_cast<BuildShared*>(MemoryContextAllocZero(context, sizeof(BuildShared)));
    ConditionVariableInit(&shared->met);
    shared->team = 1;
    shared->memory = memory_budget();
    shared->extent_rows = BuildRows::rows_per_extent(layout);
    BuildTeam team(shared, 0);
    auto* rows = make_in<BuildRows>(context, layout, shared);
    rows->create();
    Load load{kNoLimit, last_sequence};
    load_pending(index, meta, load, *rows);
    rows->flush();
    build_graph({index, *rows, team, Writing::kLiveIndex, load.run});
    rows->close();
    free_chain(index, meta.pending_head, load.run.last);
    merged += static_cast<double>(load.rows);
    return true;
}

// One batch, no further page once it has `most` rows; adds to `merged` the rows it took. False: nothing is
// left to do.
bool merge_batch(Relation index, std::uint32_t last_sequence, std::size_t most, MemoryContext context,
                 double& merged) {
    undo_interrupted_merge(index);
    const Meta before = read_meta(index);
    if (before.pending_head == InvalidBlockNumber) return false;
    if (before.trained == 0) return build_first_graph(index, before, last_sequence, context, merged);
    const NodeLayout& layout = before.shape.layout;
    auto* memory = make_in<ContextResource>(context, context);
    auto* rows = make_in<RowStore>(context, layout, memory);
    const std::size_t fit = std::max(memory_budget() / Batch::bytes_per_row(layout), kLeastBatch);
    Load load{std::min(most, fit), last_sequence};
    load_pending(index, before, load, *rows);
    if (load.run.pages == 0) return false;
    merged += static_cast<double>(load.rows);

    const Meta meta = begin_merge(index);
    auto* batch = make_in<Batch>(context, index, meta, *rows, memory);
    batch->link();
    advance_head(index, load.run, batch->added());
    free_chain(index, meta.pending_head, load.run.last);
    batch->release();
    return true;
}

}  // namespace

namespace {

// Calls fn(context) in a memory context of its own.
template <typename Fn>
void in_own_context(Fn fn) {
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana merge", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    fn(context);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
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

double merge_pending(Relation index) {
    const std::uint32_t last_sequence = read_meta(index).pending_sequence;
    double merged = 0;
    for (bool more = true; more;)
        in_own_context([&](MemoryContext context) {
            with_merge_lock(index,
                            [&] { more = merge_batch(index, last_sequence, kNoLimit, context, merged); });
        });
    if (merged > 0) IndexFreeSpaceMapVacuum(index);
    return merged;
}

void merge_slice(Relation index, std::size_t rows) {
    if (!ConditionalLockPage(index, kMetaBlock, ExclusiveLock)) return;
    double merged = 0;
    in_own_context([&](MemoryContext context) {
        merge_batch(index, read_meta(index).pending_sequence, rows, context, merged);
    });
    UnlockPage(index, kMetaBlock, ExclusiveLock);
    if (merged > 0) IndexFreeSpaceMapVacuum(index);
}

}  // namespace vecidx

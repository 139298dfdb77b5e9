// VACUUM: heap rows that are gone leave the pending area and the nodes (node_sweep.hpp); a node without rows
// becomes a tombstone, still walked but never returned; when tombstones are more than a few per cent, the
// graph is repaired around them and their slots freed. Pending rows are merged on the way. The locks are
// taken in slices.
#include "am/callbacks.hpp"
#include "am/drop_graph.hpp"
#include "am/merge.hpp"
#include "am/merge_lock.hpp"
#include "am/node_sweep.hpp"
#include "am/repair.hpp"
#include "am/truncate.hpp"
#include "storage/pending.hpp"

namespace vecidx {
namespace {

constexpr BlockNumber kSlice = 64;          // pages a hold of the row lock
constexpr std::uint32_t kRepairShare = 25;  // repair once one node in so many is dead

void poll() {
    vacuum_delay();
}

class Sweep {
  public:
    Sweep(Relation index, IndexBulkDeleteCallback callback, void* state, IndexBulkDeleteResult* stats)
        : index_(index), callback_(callback), state_(state), stats_(stats), meta_(read_meta(index)) {}

    void run() {
        // Rows that a merge moves from the pending area later were looked at here already. Nodes of an
        // interrupted merge share their own vectors with pending rows, so they go first.
        try_with_lock(index_, IndexLock::kGraph, [this] { undo_interrupted_merge(index_); });
        with_lock(index_, IndexLock::kRows, [this] {
            with_meta_write(index_, [](Meta& meta) { ++meta.sweeps; });
            sweep_pending();
            if (read_meta(index_).merging == 0) free_empty_chain(index_);  // else a merge has read it
        });
        const BlockNumber blocks = settled_blocks();
        NodeSweep nodes(index_, callback_, state_, NodeSweep::Unfinished::kSweep);
        for (BlockNumber first = kMetaBlock + 1; first < blocks; first += kSlice)
            with_lock(index_, IndexLock::kRows,
                      [&] { nodes.sweep(first, std::min(blocks, first + kSlice)); });
        stats_->num_index_tuples += nodes.rows().live;
        stats_->tuples_removed += nodes.rows().removed;
    }

  private:
    bool dead(const HeapTid& tid) const {
        ItemPointerData pointer = item_pointer(tid);
        return callback_(&pointer, state_);
    }

    // The number of blocks, none of them just being added and not locked yet. New ones need no sweep.
    BlockNumber settled_blocks() const {
        const bool shared = !RELATION_IS_LOCAL(index_);
        if (shared) LockRelationForExtension(index_, ExclusiveLock);
        const BlockNumber blocks = RelationGetNumberOfBlocks(index_);
        if (shared) UnlockRelationForExtension(index_, ExclusiveLock);
        return blocks;
    }

    void sweep_pending() {
        for (BlockNumber block = read_meta(index_).pending_head; block != InvalidBlockNumber;) {
            poll();
            bool any = false;
            const BlockNumber next = with_read(index_, block, [&](Page page) {
                check_kind(index_, block, page, PageKind::kPending);
                const PendingPage pending(meta_.shape.layout, page);
                for (std::size_t i = 0; i < pending.count(); ++i) any |= dead(pending.entry(i).tid);
                stats_->num_index_tuples += static_cast<double>(any ? 0 : pending.count());
                return page_tail(page).next;
            });
            if (any) compact(block);
            block = next;
        }
    }

    // Removes dead rows from a pending page, and then their vectors kept apart, which nobody can look up any
    // more.
    void compact(BlockNumber block) {
        BlockNumber apart[kPageBytes / sizeof(PendingEntry)];
        std::size_t apart_count = 0;
        with_write(index_, block, PageKind::kPending, [&](Page page) {
            check_pending_page(index_, meta_.shape.layout, block, page);
            const PendingPage pending(meta_.shape.layout, page);
            const std::size_t width = pending_entry_bytes(meta_.shape.layout);
            std::size_t kept = 0;
            for (std::size_t i = 0; i < pending.count(); ++i) {
                const PendingEntry& e = pending.entry(i);
                if (dead(e.tid)) {
                    if (e.own_block != kNoOwnBlock) apart[apart_count++] = e.own_block;
                    continue;
                }
                if (kept != i) std::memmove(&pending.entry(kept), &e, width);
                ++kept;
            }
            stats_->tuples_removed += static_cast<double>(pending.count() - kept);
            stats_->num_index_tuples += static_cast<double>(kept);
            page_tail(page).count = static_cast<std::uint16_t>(kept);
            set_used(page, kept * width);
        });
        for (std::size_t i = 0; i < apart_count; ++i) free_apart(index_, apart[i]);
    }

    Relation index_;
    IndexBulkDeleteCallback callback_;
    void* state_;
    IndexBulkDeleteResult* stats_;
    Meta meta_;
};

// What a sweep and a repair have emptied. No sleep, because the lists are walked under one hold of the lock.
void free_empty_pages(Relation index) {
    const auto poll = [] { CHECK_FOR_INTERRUPTS(); };
    try_with_lock(index, IndexLock::kGraph, [&] {
        free_empty_node_pages(index, poll);
        free_empty_posting_pages(index, poll);
    });
}

}  // namespace

IndexBulkDeleteResult* vamana_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                          IndexBulkDeleteCallback callback, void* state) {
    if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    stats->num_index_tuples = 0;  // of the last pass, if there are several
    const auto sweep = [&] { Sweep(info->index, callback, state, stats).run(); };
    // Of a row with a vector kept apart, both the pending row and the node of a merge lead to it.
    if (read_meta(info->index).shape.layout.own_place == OwnPlace::kApart)
        with_lock(info->index, IndexLock::kGraph, sweep);
    else
        sweep();
    return stats;
}

IndexBulkDeleteResult* vamana_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    if (info->analyze_only) return stats;
    const bool swept = stats != nullptr;
    if (stats == nullptr) {
        // No pass over the index: the heap's count is the best there is.
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    drop_dead_graph(info->index, poll);
    merge_pending(info->index, Wait::kNo);
    const Meta meta = read_meta(info->index);
    if (meta.tombstones > 0 && meta.tombstones >= meta.node_count / kRepairShare)
        repair_graph(info->index, poll);
    if (swept) free_empty_pages(info->index);
    IndexFreeSpaceMapVacuum(info->index);
    truncate_free_end(info->index);
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}

}  // namespace vecidx

// VACUUM: heap rows that are gone leave the pending area and the nodes; a node without rows becomes a
// tombstone, still walked but never returned; when tombstones are more than a few per cent, the graph is
// repaired around them and their slots freed. Pending rows are merged on the way. The merge lock is taken in
// slices.
#include "am/callbacks.hpp"
#include "am/merge.hpp"
#include "am/merge_lock.hpp"
#include "am/repair.hpp"
#include "storage/node_store.hpp"
#include "storage/pending.hpp"

namespace vecidx {
namespace {

constexpr BlockNumber kSlice = 64;          // pages a hold of the merge lock
constexpr std::uint32_t kRepairShare = 20;  // repair once one node in so many is dead

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
        });
        const BlockNumber blocks = settled_blocks();
        for (BlockNumber first = kMetaBlock + 1; first < blocks; first += kSlice)
            with_lock(index_, IndexLock::kRows,
                      [&] { sweep_slice(first, std::min(blocks, first + kSlice)); });
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

    void sweep_slice(BlockNumber first, BlockNumber end) {
        const Meta meta = read_meta(index_);
        head_sequence_ = head_sequence(meta);
        merging_ = meta.merging != 0;
        for (BlockNumber block = first; block < end; ++block) {
            poll();
            sweep_page(block);
        }
    }

    struct Finding {
        std::size_t slot;
        NodeHeader header;
        bool changed;
    };

    void sweep_page(BlockNumber block) {
        Finding findings[kPageBytes / sizeof(NodeHeader)];
        std::size_t count = 0;
        Leftover leftover = Leftover::kNone;
        const Buffer buffer = ReadBuffer(index_, block);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const Page page = BufferGetPage(buffer);
        if (PageIsNew(page)) {
            leftover = Leftover::kFree;
        } else {
            check_page(index_, block, page);
            leftover = leftover_of(page);
            for (std::size_t slot = 0;
                 page_kind(page) == PageKind::kNode && slot < meta_.shape.nodes_per_page; ++slot) {
                const ConstNode node = node_in(meta_.shape, page, slot);
                if (node.live()) findings[count++] = {slot, node.header(), false};
            }
        }
        UnlockReleaseBuffer(buffer);
        reclaim(block, leftover);
        sweep_nodes(block, std::span(findings, count));
    }

    void sweep_nodes(BlockNumber block, std::span<Finding> findings) {
        bool any = false;
        std::uint32_t tombstones = 0;
        for (Finding& f : findings) {
            any |= sweep_node(block, f);
            tombstones += (f.header.flags & kNodeTombstone) != 0 ? 1 : 0;
        }
        if (!any) return;
        PageChange change(index_);
        if (tombstones > 0)
            page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta))->tombstones += tombstones;
        const Page page = change.edit(block, PageKind::kNode);
        for (const Finding& f : findings)
            if (f.changed) node_in(meta_.shape, page, f.slot).header() = f.header;
        change.commit();
    }

    // What a crash may leave behind: pages that the free space map forgot (it is not logged), pages that a
    // merge took off the pending area and did not free, free slots that are on no list.
    enum class Leftover { kNone, kFree, kConsumed, kSlots };

    Leftover leftover_of(Page page) const {
        const PageTail& tail = page_tail(page);
        if (tail.kind == PageKind::kFree) return Leftover::kFree;
        if (tail.kind == PageKind::kPending)
            return static_cast<std::int32_t>(tail.sequence - head_sequence_) < 0 ? Leftover::kConsumed
                                                                                 : Leftover::kNone;
        if (tail.kind != PageKind::kNode || (tail.flags & kInFreeList) != 0) return Leftover::kNone;
        for (std::size_t slot = 0; slot < meta_.shape.nodes_per_page; ++slot)
            if (!node_in(meta_.shape, page, slot).used()) return Leftover::kSlots;
        return Leftover::kNone;
    }

    // What is empty may be a running merge's.
    void reclaim(BlockNumber block, Leftover leftover) {
        if (merging_) return;
        if (leftover == Leftover::kFree) RecordFreeIndexPage(index_, block);
        if (leftover == Leftover::kConsumed) free_page(index_, block);
        if (leftover == Leftover::kSlots) list_free_nodes(index_, block);
    }

    // Removes a node's dead rows from the copy of its header and from its chain. True when the header
    // changed.
    bool sweep_node(BlockNumber block, Finding& finding) {
        NodeHeader& h = finding.header;
        HeapTid* end =
            std::remove_if(h.tids, h.tids + h.tid_count, [this](const HeapTid& tid) { return dead(tid); });
        const auto kept = static_cast<std::uint8_t>(end - h.tids);
        RowCount rows{static_cast<double>(kept), static_cast<double>(h.tid_count - kept)};
        finding.changed = kept < h.tid_count;
        std::memset(end, 0, (h.tid_count - kept) * sizeof(HeapTid));
        h.tid_count = kept;
        if (h.posting != kNoPosting) {
            const PostingOwner owner{node_id(meta_.shape, block, finding.slot), h.version};
            const RowCount chain =
                remove_postings(index_, h.posting, owner, [this](const HeapTid& tid) { return dead(tid); });
            rows.live += chain.live;
            rows.removed += chain.removed;
        }
        if (rows.live == 0) {
            h.flags |= kNodeTombstone;
            finding.changed = true;
        }
        stats_->num_index_tuples += rows.live;
        stats_->tuples_removed += rows.removed;
        return finding.changed;
    }

    Relation index_;
    IndexBulkDeleteCallback callback_;
    void* state_;
    IndexBulkDeleteResult* stats_;
    Meta meta_;
    bool merging_ = false;             // while a slice is swept
    std::uint32_t head_sequence_ = 0;  // of the pending area, while a slice is swept
};

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
    if (stats == nullptr) {
        // No pass over the index: the heap's count is the best there is.
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    merge_pending(info->index, Wait::kNo);
    const Meta meta = read_meta(info->index);
    if (meta.tombstones > 0 && meta.tombstones >= meta.node_count / kRepairShare)
        repair_graph(info->index, poll);
    IndexFreeSpaceMapVacuum(info->index);
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}

}  // namespace vecidx

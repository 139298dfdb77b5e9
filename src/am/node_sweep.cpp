// Sweeping the graph's pages. See node_sweep.hpp.
#include "am/node_sweep.hpp"

#include "am/merge_lock.hpp"
#include "pg/memory.hpp"
#include "storage/pending.hpp"

namespace vecidx {

NodeSweep::NodeSweep(Relation index, IndexBulkDeleteCallback dead, void* state, Unfinished unfinished)
    : index_(index), dead_(dead), state_(state), unfinished_(unfinished), meta_(read_meta(index)) {}

bool NodeSweep::is_left(const ConstNode& node) const {
    const bool unfinished = meta_.merging != 0 && node.header().batch == meta_.merging;
    return !node.live() || (unfinished && unfinished_ == Unfinished::kLeave);
}

bool NodeSweep::is_dead(const HeapTid& tid) const {
    ItemPointerData pointer = item_pointer(tid);
    return dead_(&pointer, state_);
}

void NodeSweep::sweep(BlockNumber first, BlockNumber end) {
    meta_ = read_meta(index_);
    for (BlockNumber block = first; block < end; ++block) {
        vacuum_delay();
        sweep_page(block);
    }
}

void NodeSweep::sweep_page(BlockNumber block) {
    Survey found = survey(block);
    reclaim(block, found.leftover);
    for (Finding& f : std::span(found.findings, found.count)) {
        if (f.posting != kNoPosting) {
            const RowCount chain = sweep_chain(
                index_, f.posting, {node_id(meta_.shape, block, f.slot), f.version},
                [this](const HeapTid& tid) { return is_dead(tid); }, vacuum_delay);
            rows_.live += chain.live;
            rows_.removed += chain.removed;
            f.rowless &= chain.live == 0;
        }
        found.changes |= f.rowless;
    }
    if (found.changes) change_nodes(block, found);
}

NodeSweep::Survey NodeSweep::survey(BlockNumber block) {
    Survey found;
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    if (PageIsNew(page)) {
        found.leftover = Leftover::kFree;
    } else {
        check_page(index_, block, page);
        found.leftover = leftover_of(page);
        const bool nodes = page_kind(page) == PageKind::kNode;
        for (std::size_t slot = 0; nodes && slot < meta_.shape.nodes_per_page; ++slot) {
            const ConstNode node = node_in(meta_.shape, page, slot);
            if (is_left(node)) continue;
            check_node(index_, block, node);
            survey_node(node, slot, found);
        }
    }
    UnlockReleaseBuffer(buffer);
    return found;
}

void NodeSweep::survey_node(const ConstNode& node, std::size_t slot, Survey& found) {
    const NodeHeader& h = node.header();
    const auto dead = static_cast<std::size_t>(
        std::count_if(h.tids, h.tids + h.tid_count, [this](const HeapTid& tid) { return is_dead(tid); }));
    rows_.live += static_cast<double>(h.tid_count - dead);
    rows_.removed += static_cast<double>(dead);
    found.changes |= dead > 0;
    if (dead == h.tid_count || h.posting != kNoPosting)
        found.findings[found.count++] = {slot, h.version, h.posting, dead == h.tid_count};
}

// Removes dead inline rows and makes tombstones, on the page as it is now: rows may have been added.
void NodeSweep::change_nodes(BlockNumber block, const Survey& survey) {
    const std::span<const Finding> findings(survey.findings, survey.count);
    const bool tombstones =
        std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.rowless; });
    PageChange change(index_);
    Meta* meta = tombstones ? page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta)) : nullptr;
    const Page page = change.edit(block, PageKind::kNode);
    for (std::size_t slot = 0; slot < meta_.shape.nodes_per_page; ++slot) {
        const Node node = node_in(meta_.shape, page, slot);
        if (is_left(node)) continue;
        const auto finding = std::find_if(findings.begin(), findings.end(),
                                          [slot](const Finding& f) { return f.slot == slot; });
        if (drop_dead(block, node.header(), finding != findings.end() ? &*finding : nullptr))
            ++meta->tombstones;
    }
    change.commit();
}

// True when it made the node a tombstone.
bool NodeSweep::drop_dead(BlockNumber block, NodeHeader& h, const Finding* finding) {
    HeapTid* end =
        std::remove_if(h.tids, h.tids + h.tid_count, [this](const HeapTid& tid) { return is_dead(tid); });
    std::memset(end, 0, static_cast<std::size_t>(h.tids + h.tid_count - end) * sizeof(HeapTid));
    h.tid_count = static_cast<std::uint8_t>(end - h.tids);
    if (finding == nullptr || !finding->rowless || h.tid_count > 0) return false;
    // All records were found empty. Rows are added to the first, or to new ones in front of it.
    if (h.posting != finding->posting) return false;
    PostingRecord first{};
    const PostingOwner owner{node_id(meta_.shape, block, finding->slot), h.version};
    if (h.posting != kNoPosting && read_posting(index_, h.posting, owner, &first) && first.count > 0)
        return false;
    h.flags |= kNodeTombstone;
    return true;
}

NodeSweep::Leftover NodeSweep::leftover_of(Page page) const {
    const PageTail& tail = page_tail(page);
    if (tail.kind == PageKind::kFree) return Leftover::kFree;
    if (tail.kind == PageKind::kPosting) return tail.count > 0 ? Leftover::kOrphans : Leftover::kNone;
    if (tail.kind == PageKind::kPending)
        return static_cast<std::int32_t>(tail.sequence - head_sequence(meta_)) < 0 ? Leftover::kConsumed
                                                                                   : Leftover::kNone;
    if (tail.kind != PageKind::kNode || (tail.flags & kInFreeList) != 0) return Leftover::kNone;
    for (std::size_t slot = 0; slot < meta_.shape.nodes_per_page; ++slot)
        if (!node_in(meta_.shape, page, slot).used()) return Leftover::kSlots;
    return Leftover::kNone;
}

// What is empty or on no list may be a running merge's.
void NodeSweep::reclaim(BlockNumber block, Leftover leftover) {
    if (meta_.merging != 0 && leftover != Leftover::kOrphans) return;
    if (leftover == Leftover::kFree) RecordFreeIndexPage(index_, block);
    if (leftover == Leftover::kConsumed) free_page(index_, block);
    if (leftover == Leftover::kSlots) list_free_nodes(index_, block);
    if (leftover == Leftover::kOrphans) free_orphans(block);
}

// Frees the records of a page whose nodes are gone: a crash may come between the freeing of a slot and that
// of its chain, or between the writing of a chain and that of its node.
void NodeSweep::free_orphans(BlockNumber block) {
    PostingOwner owners[kPostingsPerPage];
    with_read(index_, block, [&](Page page) {
        const PostingRecord* records = page_contents<PostingRecord>(page);
        for (std::size_t i = 0; i < kPostingsPerPage; ++i)
            owners[i] = records[i].count == kPostingFree ? PostingOwner{kNoNode, 0}
                                                         : PostingOwner{records[i].owner, records[i].version};
    });
    IndexCache* cache = index_cache(index_, meta_);
    for (std::size_t i = 0; i < kPostingsPerPage; ++i) {
        const PostingOwner owner = owners[i];
        if (owner.id == kNoNode) continue;
        bool there = i > 0 && owners[i - 1].id == owner.id && owners[i - 1].version == owner.version;
        if (!there && block_of(meta_.shape, owner.id) < RelationGetNumberOfBlocks(index_))
            with_node(index_, cache, owner.id,
                      [&](const ConstNode& node) { there = node.header().version == owner.version; });
        if (there) continue;
        owners[i].id = kNoNode;
        free_posting(index_, static_cast<std::uint32_t>(block * kPostingsPerPage + i), owner);
    }
}

namespace {

// `keys`: a sorted vector of row keys.
bool is_among(ItemPointer row, void* keys) {
    const auto& sorted = *static_cast<const std::pmr::vector<std::uint64_t>*>(keys);
    return std::binary_search(sorted.begin(), sorted.end(), heap_tid(*row).key());
}

}  // namespace

void forget_pending_rows(Relation index) {
    ContextResource memory(CurrentMemoryContext);
    std::pmr::vector<std::uint64_t> keys(&memory);
    for_each_pending(
        index, read_meta(index),
        [&keys](BlockNumber, const PendingPage& page) {
            for (std::size_t i = 0; i < page.count(); ++i) keys.push_back(page.entry(i).tid.key());
        },
        vacuum_delay);
    std::sort(keys.begin(), keys.end());
    with_lock(index, IndexLock::kRows, [&] {
        NodeSweep(index, is_among, &keys, NodeSweep::Unfinished::kLeave)
            .sweep(kMetaBlock + 1, RelationGetNumberOfBlocks(index));
    });
}

}  // namespace vecidx

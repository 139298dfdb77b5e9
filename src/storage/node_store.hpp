// Nodes in pages: reading one by id, allocating slots, and the heap rows of a node, inline and in its posting
// chain. Writers hold the index's merge lock (am/merge_lock.hpp), so there is one at a time; readers may be
// many.
#pragma once

#include "storage/meta.hpp"
#include "vecidx/node.hpp"

namespace vecidx {

inline Node node_in(const IndexShape& shape, Page page, std::size_t slot) {
    return {shape.layout, page_contents(page) + slot * shape.layout.size};
}

// Error (index_corrupted) unless what a node's header counts is within the node. Cheap: for every node that
// is read.
inline void check_node(Relation index, BlockNumber block, const ConstNode& node) {
    const NodeHeader& h = node.header();
    if (h.degree > node.layout().degree || h.tid_count > kInlineTids)
        report_corruption(index, block, "A node says that it has more edges or rows than fit.");
}

// Lends a node, share locked, to fn(ConstNode). False, and no call, where the slot holds no node: a stale id.
template <typename Fn>
bool with_node(Relation index, IndexCache* cache, NodeId id, Fn fn) {
    const IndexShape& shape = cache->shape;
    const BlockNumber block = block_of(shape, id);
    const Buffer buffer = pin_with_hint(index, block, cache->hint(block));
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    check_page(index, block, page);
    const bool is_node = page_kind(page) == PageKind::kNode;
    const ConstNode node = node_in(shape, page, slot_of(shape, id));
    const bool used = is_node && node.used();
    if (used) {
        check_node(index, block, node);
        fn(node);
    }
    UnlockReleaseBuffer(buffer);
    return used;
}

// Reads an own vector that is kept apart into `halves` (padded values).
void read_apart(Relation index, const NodeLayout& layout, BlockNumber block, void* halves);

// Writes an own vector apart; returns its first block.
BlockNumber write_apart(Relation index, const NodeLayout& layout, const void* halves);

// Frees the pages of an own vector kept apart.
void free_apart(Relation index, BlockNumber block);

// ERROR when nodes on a block could not be numbered.
void check_node_number(Relation index, const IndexShape& shape, BlockNumber block);

// What of new pages is in use, and so logged at once: their slots, as zeros, or nothing. Of the latter,
// whoever writes the first node to one says what is in use (set_used, node_page_bytes), and its bytes are
// logged once.
enum class NewPages { kWithSlots, kEmpty };

// Takes `count` free node slots: first those on the free list, then new pages. Slots stay unused until a node
// is written.
void allocate_nodes(Relation index, std::size_t count, NodeId* ids, NewPages pages = NewPages::kWithSlots);

// Puts a page on the list of pages with free node slots unless it is there. Pages on the list have their
// slots in use.
void list_free_nodes(Relation index, BlockNumber block);

// Adds heap rows to a node, those that are not there yet. `error` widens the node's error bound.
void add_tids(Relation index, const IndexShape& shape, NodeId id, std::span<const HeapTid> tids, float error);

// One record of a node's posting chain, copied out; call it with nothing locked, or interrupts wait. False
// when it is no longer of that node (then the chain ends).
struct PostingOwner {
    NodeId id;
    std::uint16_t version;
};
bool read_posting(Relation index, std::uint32_t record, PostingOwner owner, PostingRecord* out);

// Writes a whole chain for a new node, before the node leads to it; returns its first record.
std::uint32_t write_postings(Relation index, PostingOwner owner, std::span<const HeapTid> tids);

// Removes from a node's chain what `dead(tid)` names. Counts what stays and what went.
struct RowCount {
    double live = 0, removed = 0;
};
template <typename Dead>
RowCount remove_postings(Relation index, std::uint32_t record, PostingOwner owner, Dead dead);

// Frees a node's chain.
void free_postings(Relation index, std::uint32_t record, PostingOwner owner);

inline BlockNumber posting_block(std::uint32_t record) {
    return record / kPostingsPerPage;
}
inline PostingRecord& posting_in(Page page, std::uint32_t record) {
    return page_contents<PostingRecord>(page)[record % kPostingsPerPage];
}
inline bool is_of(const PostingRecord& r, PostingOwner owner) {
    return r.count != kPostingFree && r.owner == owner.id && r.version == owner.version;
}

template <typename Dead>
RowCount remove_postings(Relation index, std::uint32_t record, PostingOwner owner, Dead dead) {
    RowCount rows;
    while (record != kNoPosting) {
        PostingRecord r;
        if (!read_posting(index, record, owner, &r)) break;
        HeapTid* end = std::remove_if(r.tids, r.tids + r.count, dead);
        const auto kept = static_cast<std::uint16_t>(end - r.tids);
        rows.live += kept;
        rows.removed += r.count - kept;
        if (kept < r.count)
            with_write(index, posting_block(record), PageKind::kPosting, [&](Page page) {
                std::memset(end, 0, (r.count - kept) * sizeof(HeapTid));
                r.count = kept;
                posting_in(page, record) = r;
            });
        record = r.next;
    }
    return rows;
}

}  // namespace vecidx

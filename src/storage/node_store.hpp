// Nodes in pages: reading one by id, allocating slots. Writers hold the index's graph lock
// (am/merge_lock.hpp), so there is one at a time; readers may be many. A node's heap rows have rules of their
// own: posting.hpp.
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

// Error (index_corrupted) unless an empty block is one that a merge has reserved. A scan gets there by a
// stale id of a slot that is in use again, by a node whose neighbors are still to be written. Nothing is
// locked.
void check_reserved(Relation index, BlockNumber block);

// Lends a node, share locked, to fn(ConstNode). False, and no call, where the slot holds no node: a stale id.
template <typename Fn>
bool with_node(Relation index, IndexCache* cache, NodeId id, Fn fn) {
    const IndexShape& shape = cache->shape;
    const BlockNumber block = block_of(shape, id);
    const Buffer buffer = pin_with_hint(index, block, cache->hint(block));
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    if (PageIsNew(page)) {
        UnlockReleaseBuffer(buffer);
        check_reserved(index, block);
        return false;
    }
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

// ERROR: the index is as large as its numbers allow.
[[noreturn]] void report_full(Relation index);

// ERROR when nodes on a block could not be numbered.
void check_node_number(Relation index, const IndexShape& shape, BlockNumber block);

// Takes `count` free node slots: first those on the free list, then those of free pages, then such on blocks
// at the end, which are reserved and become pages when a node is written (with_node_page). Slots stay unused
// until then.
void allocate_nodes(Relation index, std::size_t count, NodeId* ids);

// Lends a page of nodes for change, or makes one of a reserved block: fn(Page), one WAL record.
template <typename Fn>
void with_node_page(Relation index, const IndexShape& shape, BlockNumber block, Fn fn) {
    PageChange change(index);
    const Page page = change.open(block, PageKind::kNode);
    set_used(page, node_page_bytes(shape));
    fn(page);
    change.commit();
}

// Puts a page on the list of pages with free node slots unless it is there. Pages on the list have their
// slots in use.
void list_free_nodes(Relation index, BlockNumber block);

// A list of pages of a kind with free room, whose head is in the metapage.
struct FreeList {
    BlockNumber Meta::*head;
    PageKind kind;
};

// Frees a page that holds nothing and follows `before` on a list, or is its first (InvalidBlockNumber).
// False, and no change, when it does not any more.
bool free_listed_page(Relation index, FreeList list, BlockNumber before, BlockNumber block);

// Frees the pages of a list that hold nothing, as `empty(page)` tells. The caller holds the graph lock.
// Others may take pages off the list's head meanwhile: then the rest waits for the next time. `poll` is
// called between pages.
template <typename Empty>
void free_empty_pages(Relation index, FreeList list, Empty empty, void (*poll)());

// The same for the pages with free node slots.
void free_empty_node_pages(Relation index, void (*poll)());

template <typename Empty>
void free_empty_pages(Relation index, FreeList list, Empty empty, void (*poll)()) {
    BlockNumber before = InvalidBlockNumber;
    for (BlockNumber block = read_meta(index).*list.head; block != InvalidBlockNumber;) {
        poll();
        bool is_empty = false;
        const BlockNumber next = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, list.kind);
            is_empty = empty(page);
            return page_tail(page).next;
        });
        if (!is_empty)
            before = block;
        else if (!free_listed_page(index, list, before, block))
            return;
        block = next;
    }
}

}  // namespace vecidx

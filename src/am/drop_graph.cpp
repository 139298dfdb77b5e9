// Taking a dead graph away. See drop_graph.hpp.
//
// First the metapage says that there is no graph, and, as a merge does, that a batch is being written; then
// the pages are freed; then the batch ends. After a crash in between, undo_interrupted_merge does the rest.
#include "am/drop_graph.hpp"

#include "am/merge_lock.hpp"
#include "storage/node_store.hpp"

namespace vecidx {
namespace {

bool is_dead(const Meta& meta) {
    return meta.trained > 0 && meta.merging == 0 && meta.node_count == meta.tombstones;
}

void forget_graph(Meta& meta) {
    meta.merging = meta.batch + 1;
    meta.trained = meta.centroid_count = 0;
    meta.codebook = InvalidBlockNumber;
    meta.medoid = kNoNode;
    meta.rescale_unit = 0;
    meta.max_norm_squared = 0;
    meta.free_nodes = meta.free_postings = InvalidBlockNumber;
    meta.node_count = meta.tombstones = 0;
    std::memset(meta.entries, 0, sizeof meta.entries);
}

// Frees a page that is part of a graph. Vectors kept apart go with their nodes; those of nodes that an
// interrupted build wrote are the pending rows'.
void free_graph_page(Relation index, const Meta& meta, BlockNumber block) {
    BlockNumber apart[kPageBytes / sizeof(NodeHeader)];
    std::size_t apart_count = 0;
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    PageKind kind = PageKind::kFree;
    if (!PageIsNew(page)) {
        check_page(index, block, page);
        kind = page_kind(page);
    }
    for (std::size_t slot = 0; kind == PageKind::kNode && slot < meta.shape.nodes_per_page; ++slot) {
        const ConstNode node = node_in(meta.shape, page, slot);
        const NodeHeader& h = node.header();
        if (node.used() && h.batch != meta.merging && h.own_block != kNoOwnBlock)
            apart[apart_count++] = h.own_block;
    }
    UnlockReleaseBuffer(buffer);
    if (kind != PageKind::kNode && kind != PageKind::kPosting && kind != PageKind::kCodebook) return;
    free_page(index, block);
    for (std::size_t i = 0; i < apart_count; ++i) free_apart(index, apart[i]);
}

}  // namespace

bool drop_dead_graph(Relation index, void (*poll)()) {
    if (!is_dead(read_meta(index))) return false;
    bool dropped = false;
    with_merge_lock(index, [&] {
        if (!is_dead(read_meta(index))) return;
        with_meta_write(index, forget_graph);
        free_graph_pages(index, read_meta(index), poll);
        dropped = true;
    });
    if (dropped) IndexFreeSpaceMapVacuum(index);
    return dropped;
}

void free_graph_pages(Relation index, const Meta& meta, void (*poll)()) {
    const BlockNumber blocks = RelationGetNumberOfBlocks(index);
    for (BlockNumber block = kMetaBlock + 1; block < blocks; ++block) {
        poll();
        free_graph_page(index, meta, block);
    }
    with_meta_write(index, [](Meta& m) {
        m.batch = m.merging;
        m.merging = 0;
        m.node_count = m.tombstones = 0;
        m.free_nodes = m.free_postings = InvalidBlockNumber;
    });
}

}  // namespace vecidx

// Node slots, own vectors kept apart. See node_store.hpp.
#include "storage/node_store.hpp"

#include "storage/page_writer.hpp"

namespace vecidx {

namespace {

constexpr std::uint32_t kMostNodeId = (std::uint32_t{1} << 31) - 1;  // searches tag ids with a bit

}  // namespace

void report_full(Relation index) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("index \"%s\" has no numbers left for its nodes", RelationGetRelationName(index)),
            errhint("Partition the table."));
    pg_unreachable();
}

void check_node_number(Relation index, const IndexShape& shape, BlockNumber block) {
    if (block >= kMostNodeId / shape.nodes_per_page) report_full(index);
}

void check_reserved(Relation index, BlockNumber block) {
    if (read_meta(index).merging != 0) return;
    with_read(index, block, [](Page) {});  // written meanwhile, if it was reserved
}

void read_apart(Relation index, const NodeLayout& layout, BlockNumber block, void* halves) {
    const std::size_t total = stored_bytes(OwnFormat::kF16, layout.padded);
    for (std::size_t at = 0; at < total; at += kPageBytes) {
        if (block == InvalidBlockNumber)
            report_corruption(index, kMetaBlock, "A vector's chain is too short.");
        block = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kVector);
            std::memcpy(static_cast<char*>(halves) + at, page_contents(page),
                        std::min(kPageBytes, total - at));
            return page_tail(page).next;
        });
    }
}

BlockNumber write_apart(Relation index, const NodeLayout& layout, const void* halves) {
    const std::size_t total = stored_bytes(OwnFormat::kF16, layout.padded);
    BlockNumber next = InvalidBlockNumber;
    for (std::size_t pages = ceil_div(total, kPageBytes); pages > 0; --pages) {
        const std::size_t at = (pages - 1) * kPageBytes, n = std::min(kPageBytes, total - at);
        PageChange change(index);
        BlockNumber block;
        const Page page = change.create(PageKind::kVector, &block);
        std::memcpy(page_contents(page), static_cast<const char*>(halves) + at, n);
        page_tail(page).next = next;
        page_tail(page).count = static_cast<std::uint16_t>(n);
        set_used(page, n);
        change.commit();
        next = block;
    }
    return next;
}

void free_apart(Relation index, BlockNumber block) {
    while (block != InvalidBlockNumber) {
        const BlockNumber next = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kVector);
            return page_tail(page).next;
        });
        free_page(index, block);
        block = next;
    }
}

namespace {

// Takes the free slots of the first page on the list, at most `count`; returns how many.
std::size_t take_listed(Relation index, std::size_t count, NodeId* ids) {
    const Meta meta = read_meta(index);
    const BlockNumber block = meta.free_nodes;
    if (block == InvalidBlockNumber) return 0;
    std::size_t taken = 0;
    bool exhausted = true;
    const BlockNumber next = with_read(index, block, [&](Page page) {
        check_kind(index, block, page, PageKind::kNode);
        for (std::size_t slot = 0; slot < meta.shape.nodes_per_page; ++slot) {
            if (node_in(meta.shape, page, slot).used()) continue;
            if (taken == count) {
                exhausted = false;
                break;
            }
            ids[taken++] = node_id(meta.shape, block, slot);
        }
        return page_tail(page).next;
    });
    if (!exhausted) return taken;
    PageChange change(index);
    page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta))->free_nodes = next;
    PageTail& tail = page_tail(change.edit(block, PageKind::kNode));
    tail.next = InvalidBlockNumber;
    tail.flags &= static_cast<std::uint16_t>(~kInFreeList);
    change.commit();
    return taken;
}

// Makes a page of nodes of a free page, and takes its slots, at most `count`; returns how many. Until a node
// is written, nothing of it is in use.
std::size_t take_free_page(Relation index, const IndexShape& shape, std::size_t count, NodeId* ids) {
    PageChange change(index);
    BlockNumber block;
    const Page page = change.create_from_free(PageKind::kNode, &block);
    if (page == nullptr) {
        change.cancel();
        return 0;
    }
    set_used(page, 0);
    check_node_number(index, shape, block);
    change.commit();
    const std::size_t taken = std::min<std::size_t>(shape.nodes_per_page, count);
    for (std::size_t slot = 0; slot < taken; ++slot) ids[slot] = node_id(shape, block, slot);
    if (taken < shape.nodes_per_page) list_free_nodes(index, block);
    return taken;
}

}  // namespace

void allocate_nodes(Relation index, std::size_t count, NodeId* ids) {
    std::size_t at = 0;
    while (at < count) {
        const std::size_t taken = take_listed(index, count - at, ids + at);
        if (taken == 0) break;
        at += taken;
    }
    const IndexShape shape = read_meta(index).shape;
    while (at < count) {
        CHECK_FOR_INTERRUPTS();
        const std::size_t taken = take_free_page(index, shape, count - at, ids + at);
        if (taken == 0) break;
        at += taken;
    }
    if (at == count) return;
    const std::size_t pages = ceil_div<std::size_t>(count - at, shape.nodes_per_page);
    const BlockNumber first = reserve_blocks(index, pages);
    check_node_number(index, shape, first + static_cast<BlockNumber>(pages));
    const bool some_left = (count - at) % shape.nodes_per_page != 0;
    for (NodeId id = node_id(shape, first, 0); at < count; ++id) ids[at++] = id;
    // The last block is logged, so that a standby has them all.
    const BlockNumber last = first + static_cast<BlockNumber>(pages) - 1;
    if (some_left)
        list_free_nodes(index, last);
    else
        with_node_page(index, shape, last, [](Page) {});
}

void list_free_nodes(Relation index, BlockNumber block) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Page page = change.open(block, PageKind::kNode);
    PageTail& tail = page_tail(page);
    if ((tail.flags & kInFreeList) != 0) return change.cancel();
    tail.flags |= kInFreeList;
    tail.next = meta->free_nodes;
    set_used(page, node_page_bytes(meta->shape));
    meta->free_nodes = block;
    change.commit();
}

bool free_listed_page(Relation index, FreeList list, BlockNumber before, BlockNumber block) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    BlockNumber* link = &(meta->*list.head);
    if (before != InvalidBlockNumber) link = &page_tail(change.edit(before, list.kind)).next;
    bool there = *link == block;
    if (there) {
        const Page page = change.edit(block, list.kind);
        there = page_tail(page).count == 0;  // posting records; 0 on node pages
        *link = page_tail(page).next;
        init_page(page, PageKind::kFree);
        set_used(page, 0);
    }
    if (!there) {
        change.cancel();
        return false;
    }
    change.commit();
    RecordFreeIndexPage(index, block);
    return true;
}

void free_empty_node_pages(Relation index, void (*poll)()) {
    const IndexShape shape = read_meta(index).shape;
    const auto empty = [&shape](Page page) {
        for (std::size_t slot = 0; slot < shape.nodes_per_page; ++slot)
            if (node_in(shape, page, slot).used()) return false;
        return true;
    };
    free_empty_pages(index, {&Meta::free_nodes, PageKind::kNode}, empty, poll);
}

}  // namespace vecidx

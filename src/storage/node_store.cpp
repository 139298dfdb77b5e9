// Node slots, own vectors kept apart, posting chains. See node_store.hpp.
#include "storage/node_store.hpp"

namespace vecidx {

namespace {

constexpr std::uint32_t kMostNodeId = (std::uint32_t{1} << 31) - 1;  // searches tag ids with a bit

[[noreturn]] void report_full(Relation index) {
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
            errmsg("index \"%s\" has no numbers left for its nodes", RelationGetRelationName(index)),
            errhint("Partition the table."));
    pg_unreachable();
}

}  // namespace

void check_node_number(Relation index, const IndexShape& shape, BlockNumber block) {
    if (block >= kMostNodeId / shape.nodes_per_page) report_full(index);
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

}  // namespace

void allocate_nodes(Relation index, std::size_t count, NodeId* ids, NewPages pages) {
    std::size_t at = 0;
    while (at < count) {
        const std::size_t taken = take_listed(index, count - at, ids + at);
        if (taken == 0) break;
        at += taken;
    }
    const IndexShape shape = read_meta(index).shape;
    while (at < count) {
        CHECK_FOR_INTERRUPTS();
        PageChange change(index);
        BlockNumber block;
        const Page page = change.create(PageKind::kNode, &block);
        set_used(page, pages == NewPages::kWithSlots ? node_page_bytes(shape) : 0);
        check_node_number(index, shape, block);
        change.commit();
        const std::size_t n = std::min<std::size_t>(shape.nodes_per_page, count - at);
        for (std::size_t slot = 0; slot < n; ++slot) ids[at++] = node_id(shape, block, slot);
        if (n < shape.nodes_per_page) list_free_nodes(index, block);
    }
}

void list_free_nodes(Relation index, BlockNumber block) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Page page = change.edit(block, PageKind::kNode);
    PageTail& tail = page_tail(page);
    if ((tail.flags & kInFreeList) != 0) return change.cancel();
    tail.flags |= kInFreeList;
    tail.next = meta->free_nodes;
    set_used(page, node_page_bytes(meta->shape));  // a new page may lack its slots
    meta->free_nodes = block;
    change.commit();
}

bool read_posting(Relation index, std::uint32_t record, PostingOwner owner, PostingRecord* out) {
    CHECK_FOR_INTERRUPTS();
    const BlockNumber block = posting_block(record);
    return with_read(index, block, [&](Page page) {
        if (page_kind(page) != PageKind::kPosting) return false;
        *out = posting_in(page, record);
        if (!is_of(*out, owner)) return false;
        if (out->count > kPostingTids)
            report_corruption(index, block, "A posting record says that it has more rows than fit.");
        if (out->next == record) report_corruption(index, block, "A posting record leads to itself.");
        return true;
    });
}

namespace {

// A free record, taken off its page's count; the page is in `change` afterwards.
std::uint32_t take_record(Relation index, PageChange& change, Meta* meta, Page* page) {
    BlockNumber block = meta->free_postings;
    if (block == InvalidBlockNumber) {
        *page = change.create(PageKind::kPosting, &block);
        if (block > kNoPosting / kPostingsPerPage - 1) report_full(index);
        for (std::size_t i = 0; i < kPostingsPerPage; ++i)
            page_contents<PostingRecord>(*page)[i].count = kPostingFree;
        page_tail(*page).flags |= kInFreeList;
        meta->free_postings = block;
    } else {
        *page = change.edit(block, PageKind::kPosting);
    }
    PageTail& tail = page_tail(*page);
    const PostingRecord* records = page_contents<PostingRecord>(*page);
    std::size_t slot = 0;
    while (slot + 1 < kPostingsPerPage && records[slot].count != kPostingFree) ++slot;
    if (++tail.count == kPostingsPerPage) {
        meta->free_postings = tail.next;
        tail.next = InvalidBlockNumber;
        tail.flags &= static_cast<std::uint16_t>(~kInFreeList);
    }
    return static_cast<std::uint32_t>(block * kPostingsPerPage + slot);
}

std::uint32_t write_record(Relation index, PostingOwner owner, std::uint32_t next,
                           std::span<const HeapTid> tids) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    Page page;
    const std::uint32_t record = take_record(index, change, meta, &page);
    PostingRecord& r = posting_in(page, record);
    r = PostingRecord{next, owner.id, owner.version, static_cast<std::uint16_t>(tids.size()), {}};
    std::copy(tids.begin(), tids.end(), r.tids);
    change.commit();
    return record;
}

// The heap rows of a node that it already has, sorted by key, and its posting records with room.
struct KnownRows {
    std::uint64_t* keys;
    std::size_t count;
    std::uint32_t roomy;  // a record with room, or kNoPosting

    bool holds(HeapTid tid) const { return std::binary_search(keys, keys + count, tid.key()); }
};

KnownRows known_rows(Relation index, PostingOwner owner, const NodeHeader& header) {
    std::size_t room = 64;
    KnownRows known{static_cast<std::uint64_t*>(palloc(room * sizeof(std::uint64_t))), 0, kNoPosting};
    const auto note = [&](HeapTid tid) {
        if (known.count == room) {
            room *= 2;
            known.keys = static_cast<std::uint64_t*>(repalloc_huge(known.keys, room * sizeof(std::uint64_t)));
        }
        known.keys[known.count++] = tid.key();
    };
    std::for_each_n(header.tids, header.tid_count, note);
    for (std::uint32_t record = header.posting; record != kNoPosting;) {
        PostingRecord r;
        if (!read_posting(index, record, owner, &r)) break;
        std::for_each_n(r.tids, r.count, note);
        if (r.count < kPostingTids) known.roomy = record;
        record = r.next;
    }
    std::sort(known.keys, known.keys + known.count);
    return known;
}

}  // namespace

std::uint32_t write_postings(Relation index, PostingOwner owner, std::span<const HeapTid> tids) {
    std::uint32_t record = kNoPosting;
    for (std::size_t at = 0; at < tids.size(); at += kPostingTids) {
        CHECK_FOR_INTERRUPTS();
        record =
            write_record(index, owner, record, tids.subspan(at, std::min(kPostingTids, tids.size() - at)));
    }
    return record;
}

void add_tids(Relation index, const IndexShape& shape, NodeId id, std::span<const HeapTid> tids,
              float error) {
    const BlockNumber block = block_of(shape, id);
    const std::size_t slot = slot_of(shape, id);
    const NodeHeader header = with_read(index, block, [&](Page page) {
        check_kind(index, block, page, PageKind::kNode);
        check_node(index, block, node_in(shape, page, slot));
        return node_in(shape, page, slot).header();
    });
    const PostingOwner owner{id, header.version};
    const KnownRows known = known_rows(index, owner, header);
    auto* fresh = static_cast<HeapTid*>(palloc(std::max<std::size_t>(tids.size(), 1) * sizeof(HeapTid)));
    const std::size_t count = static_cast<std::size_t>(
        std::copy_if(tids.begin(), tids.end(), fresh, [&known](HeapTid tid) { return !known.holds(tid); }) -
        fresh);
    std::size_t at = std::min(count, kInlineTids - header.tid_count);
    const std::size_t inline_rows = at;
    if (known.roomy != kNoPosting && at < count)
        with_write(index, posting_block(known.roomy), PageKind::kPosting, [&](Page page) {
            PostingRecord& r = posting_in(page, known.roomy);
            while (at < count && r.count < kPostingTids) r.tids[r.count++] = fresh[at++];
        });
    std::uint32_t first = header.posting;
    for (; at < count; at += std::min(kPostingTids, count - at))
        first = write_record(index, owner, first, std::span(fresh + at, std::min(kPostingTids, count - at)));
    with_write(index, block, PageKind::kNode, [&](Page page) {
        NodeHeader& h = node_in(shape, page, slot).header();
        h.error = std::max(h.error, error);
        h.posting = first;
        std::copy_n(fresh, inline_rows, h.tids + h.tid_count);
        h.tid_count = static_cast<std::uint8_t>(h.tid_count + inline_rows);
    });
    pfree(fresh);
    pfree(known.keys);
}

void free_postings(Relation index, std::uint32_t record, PostingOwner owner) {
    while (record != kNoPosting) {
        PageChange change(index);
        Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
        const Page page = change.edit(posting_block(record), PageKind::kPosting);
        PostingRecord& r = posting_in(page, record);
        if (!is_of(r, owner)) return change.cancel();
        const std::uint32_t next = r.next;
        r = PostingRecord{};
        r.count = kPostingFree;
        PageTail& tail = page_tail(page);
        --tail.count;
        if ((tail.flags & kInFreeList) == 0) {
            tail.flags |= kInFreeList;
            tail.next = meta->free_postings;
            meta->free_postings = posting_block(record);
        }
        change.commit();
        record = next;
    }
}

}  // namespace vecidx

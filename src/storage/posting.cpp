// Rows of nodes, and posting chains. See posting.hpp.
#include "storage/posting.hpp"

namespace vecidx {
namespace {

// Locks a node's page exclusively. InvalidBuffer, and nothing locked, unless the node is still there, live.
Buffer lock_live(Relation index, const IndexShape& shape, PostingOwner owner) {
    const BlockNumber block = block_of(shape, owner.id);
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const Page page = BufferGetPage(buffer);
    check_page(index, block, page);
    const ConstNode node = node_in(shape, page, slot_of(shape, owner.id));
    if (page_kind(page) == PageKind::kNode && node.live() && node.header().version == owner.version) {
        check_node(index, block, node);
        return buffer;
    }
    UnlockReleaseBuffer(buffer);
    return InvalidBuffer;
}

std::uint16_t fill(PostingRecord& r, std::span<const HeapTid> tids) {
    const std::size_t count = std::min(tids.size(), kPostingTids - r.count);
    std::copy_n(tids.begin(), count, r.tids + r.count);
    r.count = static_cast<std::uint16_t>(r.count + count);
    return static_cast<std::uint16_t>(count);
}

// The record as a page that is locked has it. ERROR unless it is the node's.
PostingRecord& own_record(Relation index, Page page, std::uint32_t record, PostingOwner owner) {
    PostingRecord& r = posting_in(page, record);
    if (!is_of(r, owner) || r.count > kPostingTids || r.next == record)
        report_corruption(index, posting_block(record),
                          "A posting chain leads to a record that is not its own.");
    return r;
}

struct Added {
    bool gone;          // the node
    std::size_t count;  // rows
};

// Adds what fits into the header and the chain's first record.
Added add_in_place(Relation index, const IndexShape& shape, PostingOwner owner, const JoiningRows& rows) {
    const std::span<const HeapTid> tids = rows.tids;
    const Buffer buffer = lock_live(index, shape, owner);
    if (!BufferIsValid(buffer)) return {true, 0};
    const NodeHeader before = node_in(shape, BufferGetPage(buffer), slot_of(shape, owner.id)).header();
    const std::uint64_t fingerprint = join_fingerprints(before.fingerprint, rows.fingerprint);
    const bool header_changes =
        before.tid_count < kInlineTids || rows.error > before.error || fingerprint != before.fingerprint;
    std::size_t count = 0;
    PageChange change(index);
    if (header_changes) {
        NodeHeader& h = node_in(shape, change.adopt(buffer), slot_of(shape, owner.id)).header();
        h.error = std::max(h.error, rows.error);
        h.fingerprint = fingerprint;
        while (count < tids.size() && h.tid_count < kInlineTids) h.tids[h.tid_count++] = tids[count++];
    }
    if (count < tids.size() && before.posting != kNoPosting) {
        const Page page = change.edit(posting_block(before.posting), PageKind::kPosting);
        count += fill(own_record(index, page, before.posting, owner), tids.subspan(count));
    }
    if (header_changes || count > 0)
        change.commit();
    else
        change.cancel();
    if (!header_changes) UnlockReleaseBuffer(buffer);
    return {false, count};
}

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

// Adds as many rows as fit into a new record in front of the chain.
Added add_record(Relation index, const IndexShape& shape, PostingOwner owner, std::span<const HeapTid> tids) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Buffer buffer = lock_live(index, shape, owner);
    if (!BufferIsValid(buffer)) {
        change.cancel();
        return {true, 0};
    }
    NodeHeader& h = node_in(shape, change.adopt(buffer), slot_of(shape, owner.id)).header();
    Page page;
    const std::uint32_t record = take_record(index, change, meta, &page);
    PostingRecord& r = posting_in(page, record);
    r = PostingRecord{h.posting, owner.id, owner.version, 0, {}};
    const std::size_t count = fill(r, tids);
    h.posting = record;
    change.commit();
    return {false, count};
}

// Marks a record as free on its page, which `meta` lists from now on.
void free_record(Meta* meta, Page page, std::uint32_t record) {
    PostingRecord& r = posting_in(page, record);
    r = PostingRecord{};
    r.count = kPostingFree;
    PageTail& tail = page_tail(page);
    --tail.count;
    if ((tail.flags & kInFreeList) != 0) return;
    tail.flags |= kInFreeList;
    tail.next = meta->free_postings;
    meta->free_postings = posting_block(record);
}

void revive(Relation index, const IndexShape& shape, NodeId id) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Page page = change.edit(block_of(shape, id), PageKind::kNode);
    node_in(shape, page, slot_of(shape, id)).header().flags &= static_cast<std::uint16_t>(~kNodeTombstone);
    --meta->tombstones;
    change.commit();
}

}  // namespace

std::size_t add_tids(Relation index, const IndexShape& shape, PostingOwner node, const JoiningRows& rows) {
    std::size_t count = 0;
    while (count < rows.tids.size()) {
        CHECK_FOR_INTERRUPTS();
        const std::span<const HeapTid> rest = rows.tids.subspan(count);
        Added added = add_in_place(index, shape, node, {rest, rows.error, rows.fingerprint});
        if (!added.gone && added.count == 0) added = add_record(index, shape, node, rest);
        if (added.gone) break;
        count += added.count;
    }
    return count;
}

void join_node(Relation index, const IndexShape& shape, NodeId id, const JoiningRows& rows) {
    if (rows.tids.empty()) return;
    const BlockNumber block = block_of(shape, id);
    const NodeHeader header = with_read(index, block, [&](Page page) {
        check_kind(index, block, page, PageKind::kNode);
        return node_in(shape, page, slot_of(shape, id)).header();
    });
    if ((header.flags & kNodeTombstone) != 0) revive(index, shape, id);
    if (add_tids(index, shape, PostingOwner{id, header.version}, rows) < rows.tids.size())
        report_corruption(index, block, "A node vanished while rows were added to it.");
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

std::uint32_t reread_chain(Relation index, IndexCache* cache, std::uint32_t record, PostingOwner owner) {
    const auto read_first = [&] {
        std::uint32_t first = kNoPosting;
        with_node(index, cache, owner.id, [&](const ConstNode& node) {
            if (node.live() && node.header().version == owner.version) first = node.header().posting;
        });
        return first;
    };
    const std::uint32_t first = read_first();
    PostingRecord r, other;
    // A vacuum takes a record and what leads to it away in one change.
    bool leads = first == record && !read_posting(index, record, owner, &other) && read_first() == record;
    for (std::uint32_t at = first; !leads && at != kNoPosting && read_posting(index, at, owner, &r);
         at = r.next)
        leads = r.next == record && !read_posting(index, record, owner, &other) &&
                read_posting(index, at, owner, &r) && r.next == record;
    if (leads)
        report_corruption(index, posting_block(record),
                          "A posting chain leads to a record that is not its own.");
    return first;
}

std::uint32_t write_postings(Relation index, PostingOwner owner, std::span<const HeapTid> tids) {
    std::uint32_t first = kNoPosting;
    for (std::size_t at = 0; at < tids.size();) {
        CHECK_FOR_INTERRUPTS();
        PageChange change(index);
        Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
        Page page;
        const std::uint32_t record = take_record(index, change, meta, &page);
        PostingRecord& r = posting_in(page, record);
        r = PostingRecord{first, owner.id, owner.version, 0, {}};
        at += fill(r, tids.subspan(at));
        change.commit();
        first = record;
    }
    return first;
}

bool join_next(Relation index, std::uint32_t record, PostingOwner owner) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Page page = change.edit(posting_block(record), PageKind::kPosting);
    PostingRecord& r = own_record(index, page, record, owner);
    const std::uint32_t next = r.next;
    const bool same_page = posting_block(next) == posting_block(record);
    const Page next_page = same_page ? page : change.edit(posting_block(next), PageKind::kPosting);
    const PostingRecord& following = own_record(index, next_page, next, owner);
    if (r.count + following.count > kPostingTids) {
        change.cancel();
        return false;
    }
    fill(r, std::span(following.tids, following.count));
    r.next = following.next;
    free_record(meta, next_page, next);
    change.commit();
    return true;
}

std::uint32_t free_posting(Relation index, std::uint32_t record, PostingOwner owner) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const Page page = change.edit(posting_block(record), PageKind::kPosting);
    const PostingRecord& r = posting_in(page, record);
    const std::uint32_t next = r.next;
    if (!is_of(r, owner)) {
        change.cancel();
        return kNoPosting;
    }
    free_record(meta, page, record);
    change.commit();
    return next;
}

void free_postings(Relation index, std::uint32_t record, PostingOwner owner) {
    while (record != kNoPosting) {
        CHECK_FOR_INTERRUPTS();
        record = free_posting(index, record, owner);
    }
}

void free_empty_posting_pages(Relation index, void (*poll)()) {
    free_empty_pages(
        index, {&Meta::free_postings, PageKind::kPosting},
        [](Page page) { return page_tail(page).count == 0; }, poll);
}

}  // namespace vecidx

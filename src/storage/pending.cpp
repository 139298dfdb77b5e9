// Appending to the pending area. See pending.hpp.
#include "storage/pending.hpp"

namespace vecidx {
namespace {

void put(const NodeLayout& layout, Page page, const PendingRow& row) {
    PageTail& tail = page_tail(page);
    const std::size_t width = pending_entry_bytes(layout);
    std::byte* at = page_contents(page) + tail.count * width;
    std::memcpy(at, &row.entry, sizeof(PendingEntry));
    if (layout.own_place == OwnPlace::kInline)
        std::memcpy(at + sizeof(PendingEntry), row.vector, stored_bytes(OwnFormat::kF16, layout.padded));
    ++tail.count;
    set_used(page, tail.count * width);
}

bool has_room(const NodeLayout& layout, Page page) {
    const PageTail& tail = page_tail(page);
    return tail.kind == PageKind::kPending && (tail.flags & kPendingClosed) == 0 &&
           tail.next == InvalidBlockNumber && tail.count < pending_entries_per_page(layout);
}

// Appends to `block` if that is still an open page at the tail.
bool try_append(Relation index, const NodeLayout& layout, BlockNumber block, const PendingRow& row) {
    if (block == InvalidBlockNumber) return false;
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, block, BufferGetPage(buffer));
    if (!has_room(layout, BufferGetPage(buffer))) {
        UnlockReleaseBuffer(buffer);
        return false;
    }
    PageChange change(index);
    put(layout, change.adopt(buffer), row);
    change.commit();
    return true;
}

// Adds a page with the row at the end of the chain, unless somebody else has just done so. Returns the tail.
BlockNumber extend_chain(Relation index, const PendingRow& row, bool* done) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const NodeLayout& layout = meta->shape.layout;
    const BlockNumber old_tail = meta->pending_tail;
    Page tail = nullptr;
    if (old_tail != InvalidBlockNumber) {
        tail = change.edit(old_tail, PageKind::kPending);
        if (has_room(layout, tail)) {
            change.cancel();
            return old_tail;
        }
    }
    BlockNumber block;
    const Page page = change.create(PageKind::kPending, &block);
    page_tail(page).sequence = ++meta->pending_sequence;
    put(layout, page, row);
    if (tail != nullptr)
        page_tail(tail).next = block;
    else
        meta->pending_head = block;
    meta->pending_tail = block;
    ++meta->pending_pages;
    change.commit();
    *done = true;
    return block;
}

}  // namespace

bool replace_chain(Relation index, const PendingRun& run, std::span<const PendingRow> rows) {
    const Meta before = read_meta(index);
    const NodeLayout& layout = before.shape.layout;
    const std::size_t per_page = pending_entries_per_page(layout);
    const auto pages = static_cast<std::uint32_t>(ceil_div(rows.size(), per_page));
    BlockNumber first = InvalidBlockNumber, last = InvalidBlockNumber;
    for (std::uint32_t i = pages; i-- > 0;) {
        PageChange change(index);
        BlockNumber block;
        const Page page = change.create(PageKind::kPending, &block);
        page_tail(page).sequence = before.pending_sequence + 1 + i;
        page_tail(page).next = first;
        set_used(page, 0);
        for (const PendingRow& row :
             rows.subspan(i * per_page).first(std::min(per_page, rows.size() - i * per_page)))
            put(layout, page, row);
        change.commit();
        first = block;
        if (i + 1 == pages) last = block;
    }
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    if (meta->pending_tail != run.last || meta->pending_sequence != before.pending_sequence) {
        change.cancel();
        free_chain(index, first, last);
        return false;
    }
    meta->pending_head = first;
    meta->pending_tail = last;
    meta->pending_pages = pages;
    meta->pending_sequence += pages;
    change.commit();
    return true;
}

void free_empty_chain(Relation index) {
    const Meta meta = read_meta(index);
    PendingRun run;
    for (BlockNumber block = meta.pending_head; block != InvalidBlockNumber;) {
        CHECK_FOR_INTERRUPTS();
        run.last = block;
        ++run.pages;
        bool empty = false;
        block = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kPending);
            empty = page_tail(page).count == 0;
            return page_tail(page).next;
        });
        if (!empty) return;
    }
    if (run.pages == 0) return;
    bool closed = false;
    with_write(index, run.last, PageKind::kPending, [&](Page page) {
        closed = page_tail(page).count == 0;
        if (closed) page_tail(page).flags |= kPendingClosed;
    });
    if (closed && replace_chain(index, run, {})) free_chain(index, meta.pending_head, run.last);
}

void free_chain(Relation index, BlockNumber first, BlockNumber last) {
    for (BlockNumber block = first; block != InvalidBlockNumber;) {
        const BlockNumber next = with_read(index, block, [](Page page) { return page_tail(page).next; });
        free_page(index, block);
        if (block == last) return;
        block = next;
    }
}

void finish_run(Relation index, Meta& meta, const PendingRun& run) {
    const BlockNumber next = with_read(index, run.last, [](Page page) { return page_tail(page).next; });
    meta.pending_head = next;
    if (next == InvalidBlockNumber) meta.pending_tail = InvalidBlockNumber;
    meta.pending_pages -= run.pages;
    meta.batch = meta.merging;
    meta.merging = 0;
}

Appended append_pending(Relation index, const PendingRow& row) {
    IndexCache* cache = peek_cache(index);
    if (cache == nullptr) cache = index_cache(index, read_meta(index));
    // Postgres forgets the target block when the index is truncated.
    while (!try_append(index, cache->shape.layout, RelationGetTargetBlock(index), row)) {
        const BlockNumber tail = read_meta(index).pending_tail;
        if (tail != RelationGetTargetBlock(index)) {
            RelationSetTargetBlock(index, tail);
            continue;
        }
        bool done = false;
        const BlockNumber block = extend_chain(index, row, &done);
        RelationSetTargetBlock(index, block);
        if (done) return Appended::kOnNewPage;
    }
    return Appended::kOnOldPage;
}

}  // namespace vecidx

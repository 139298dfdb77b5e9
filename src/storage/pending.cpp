// Appending to the pending area. See pending.hpp.
#include "storage/pending.hpp"

namespace vecidx {
namespace {

IndexCache* cache_of(Relation index) {
    IndexCache* cache = peek_cache(index);
    return cache != nullptr ? cache : index_cache(index, read_meta(index));
}

std::size_t room_on(const NodeLayout& layout, Page page) {
    const PageTail& tail = page_tail(page);
    const std::size_t capacity = pending_entries_per_page(layout);
    const bool open = tail.kind == PageKind::kPending && (tail.flags & kPendingClosed) == 0 &&
                      tail.next == InvalidBlockNumber;
    return open && tail.count < capacity ? capacity - tail.count : 0;
}

// Puts the first rows onto a page that has room for them, and takes them off `rows`.
void put(const NodeLayout& layout, Page page, std::size_t count, PackedRows& rows) {
    PageTail& tail = page_tail(page);
    const std::size_t width = pending_entry_bytes(layout);
    std::memcpy(page_contents(page) + tail.count * width, rows.bytes, count * width);
    tail.count = static_cast<std::uint16_t>(tail.count + count);
    set_used(page, tail.count * width);
    rows.bytes += count * width;
    rows.count -= count;
}

// Appends all rows to `block` if that is still an open page at the tail and has room for them.
bool try_append(Relation index, const NodeLayout& layout, BlockNumber block, PackedRows& rows) {
    if (block == InvalidBlockNumber) return false;
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, block, BufferGetPage(buffer));
    if (room_on(layout, BufferGetPage(buffer)) < rows.count) {
        UnlockReleaseBuffer(buffer);
        return false;
    }
    PageChange change(index);
    put(layout, change.adopt(buffer), rows.count, rows);
    change.commit();
    return true;
}

// Fills the page at the tail and adds pages behind it, no more than one record takes. Takes the rows that it
// wrote off `rows`, and returns the tail.
BlockNumber extend_chain(Relation index, PackedRows& rows, Appended& appended) {
    PageChange change(index);
    Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
    const NodeLayout& layout = meta->shape.layout;
    Page tail = nullptr;
    if (meta->pending_tail != InvalidBlockNumber) {
        tail = change.edit(meta->pending_tail, PageKind::kPending);
        put(layout, tail, std::min(rows.count, room_on(layout, tail)), rows);
    }
    while (rows.count > 0 && change.may_grow()) {
        BlockNumber block;
        const Page page = change.create(PageKind::kPending, &block);
        page_tail(page).sequence = ++meta->pending_sequence;
        put(layout, page, std::min(rows.count, pending_entries_per_page(layout)), rows);
        (tail != nullptr ? page_tail(tail).next : meta->pending_head) = block;
        meta->pending_tail = block;
        ++meta->pending_pages;
        appended = Appended::kOnNewPage;
        tail = page;
    }
    const BlockNumber last = meta->pending_tail;
    change.commit();
    return last;
}

}  // namespace

void pack(const NodeLayout& layout, const PendingRow& row, std::byte* to) {
    std::memcpy(to, &row.entry, sizeof(PendingEntry));
    if (layout.own_place == OwnPlace::kInline)
        std::memcpy(to + sizeof(PendingEntry), row.vector, stored_bytes(OwnFormat::kF16, layout.padded));
}

bool replace_chain(Relation index, const PendingRun& run, std::span<const PendingRow> rows) {
    const Meta before = read_meta(index);
    const NodeLayout& layout = before.shape.layout;
    const std::size_t per_page = pending_entries_per_page(layout);
    const auto pages = static_cast<std::uint32_t>(ceil_div(rows.size(), per_page));
    auto* packed = static_cast<std::byte*>(palloc(pending_entry_bytes(layout)));
    BlockNumber first = InvalidBlockNumber, last = InvalidBlockNumber;
    for (std::uint32_t i = pages; i-- > 0;) {
        PageChange change(index);
        BlockNumber block;
        const Page page = change.create(PageKind::kPending, &block);
        page_tail(page).sequence = before.pending_sequence + 1 + i;
        page_tail(page).next = first;
        set_used(page, 0);
        for (const PendingRow& row :
             rows.subspan(i * per_page).first(std::min(per_page, rows.size() - i * per_page))) {
            pack(layout, row, packed);
            PackedRows one{packed, 1};
            put(layout, page, 1, one);
        }
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
    if (run.pages > 0) {
        const BlockNumber next = with_read(index, run.last, [](Page page) { return page_tail(page).next; });
        meta.pending_head = next;
        if (next == InvalidBlockNumber) meta.pending_tail = InvalidBlockNumber;
        meta.pending_pages -= run.pages;
    }
    meta.batch = meta.merging;
    meta.merging = 0;
}

Appended append_pending(Relation index, PackedRows rows) {
    IndexCache* cache = cache_of(index);
    Appended appended = Appended::kOnOldPage;
    // Postgres forgets the target block when the index is truncated.
    while (rows.count > 0 && !try_append(index, cache->shape.layout, RelationGetTargetBlock(index), rows)) {
        const BlockNumber tail = read_meta(index).pending_tail;
        const bool stale = tail != RelationGetTargetBlock(index);
        RelationSetTargetBlock(index, stale ? tail : extend_chain(index, rows, appended));
    }
    return appended;
}

Appended append_pending(Relation index, const PendingRow& row) {
    std::byte packed[kPageBytes];
    pack(cache_of(index)->shape.layout, row, packed);
    return append_pending(index, {packed, 1});
}

}  // namespace vecidx

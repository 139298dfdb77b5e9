// Reading pending rows for a merge.
#pragma once

#include <limits>

#include "storage/node_store.hpp"
#include "storage/pending.hpp"

namespace vecidx {

inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

// The rows of pending pages from the head on, into a RowStore or a BuildRows.
struct Load {
    std::size_t capacity;         // no further page once there are so many
    std::uint32_t last_sequence;  // no page after this one
    PendingRun run{};             // what was read
    std::size_t rows = 0;         // what was in it
};

template <typename Rows>
void add_rows(Relation index, const NodeLayout& layout, const PendingPage& page, void* apart, Rows& rows) {
    for (std::size_t i = 0; i < page.count(); ++i) {
        const PendingEntry& e = page.entry(i);
        const void* halves = page.vector(i).data;
        if (e.own_block != kNoOwnBlock) {
            read_apart(index, layout, e.own_block, apart);
            halves = apart;
        }
        rows.add(e, halves);
    }
}

// Closes the page at the tail, to which rows may be appended at any time, and reads what it has.
template <typename Rows>
std::size_t close_and_read(Relation index, const NodeLayout& layout, BlockNumber block, void* apart,
                           Rows& rows) {
    std::size_t count = 0;
    with_write(index, block, PageKind::kPending, [&](Page page) {
        check_pending_page(index, layout, block, page);
        page_tail(page).flags |= kPendingClosed;
        const PendingPage pending(layout, page);
        count = pending.count();
        add_rows(index, layout, pending, apart, rows);
    });
    return count;
}

template <typename Rows>
void load_pending(Relation index, const Meta& meta, Load& load, Rows& rows) {
    const NodeLayout& layout = meta.shape.layout;
    void* apart = palloc(stored_bytes(OwnFormat::kF16, layout.padded));
    for (BlockNumber block = meta.pending_head; block != InvalidBlockNumber && load.rows < load.capacity;) {
        CHECK_FOR_INTERRUPTS();
        bool open = false, wanted = false;
        const BlockNumber next = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kPending);
            check_pending_page(index, layout, block, page);
            const PageTail& tail = page_tail(page);
            wanted = tail.sequence <= load.last_sequence;
            open = tail.next == InvalidBlockNumber && (tail.flags & kPendingClosed) == 0;
            if (wanted && !open) {
                const PendingPage pending(layout, page);
                load.rows += pending.count();
                add_rows(index, layout, pending, apart, rows);
            }
            return tail.next;
        });
        if (!wanted) break;
        if (open) load.rows += close_and_read(index, layout, block, apart, rows);
        load.run.last = block;
        ++load.run.pages;
        block = next;
    }
}

}  // namespace vecidx

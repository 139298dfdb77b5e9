// The pending area: rows that no merge has taken into the graph yet, in a chain of pages that grows at its
// tail and is consumed at its head. Pages are numbered in the order of the chain, so that a reader whose next
// page was consumed meanwhile notices, and starts again at the head: what it missed is in the graph by then.
#pragma once

#include "storage/meta.hpp"
#include "vecidx/stored_vector.hpp"

namespace vecidx {

// A row to append: `vector` holds its halves (ignored where own vectors are kept apart).
struct PendingRow {
    PendingEntry entry;
    const void* vector;
};

// Appends a row, WAL-logged. Any number of backends may append at once. Tells whether the chain grew by a
// page.
enum class Appended { kOnOldPage, kOnNewPage };
Appended append_pending(Relation index, const PendingRow& row);

// A pending page as it is seen under its lock.
class PendingPage {
  public:
    PendingPage(const NodeLayout& layout, Page page)
        : bytes_(page_contents(page)), count_(page_tail(page).count), width_(pending_entry_bytes(layout)) {}

    std::size_t count() const { return count_; }
    PendingEntry& entry(std::size_t i) const { return *reinterpret_cast<PendingEntry*>(bytes_ + i * width_); }
    // The stored vector where it is inline.
    StoredVector vector(std::size_t i) const {
        return {bytes_ + i * width_ + sizeof(PendingEntry), entry(i).unit, OwnFormat::kF16};
    }

  private:
    std::byte* bytes_;
    std::size_t count_;
    std::size_t width_;
};

// Error (index_corrupted) unless a pending page's entries are all within it.
inline void check_pending_page(Relation index, const NodeLayout& layout, BlockNumber block, Page page) {
    check_kind(index, block, page, PageKind::kPending);
    if (page_tail(page).count > pending_entries_per_page(layout))
        report_corruption(index, block, "The page says that it has more pending rows than fit.");
}

// Lends every pending page, oldest first, share locked, to fn(block, PendingPage); pages appended meanwhile
// are seen too, and a page may be lent twice when a merge overtakes the reader. `poll` is called between
// pages, nothing locked. Error (index_corrupted) when the chain is broken.
template <typename Fn, typename Poll>
void for_each_pending(Relation index, const IndexShape& shape, BlockNumber head, Fn fn, Poll poll) {
    std::uint32_t last_sequence = 0;
    std::uint32_t first_sequence = 0;  // of the head at the last start
    bool started = false;
    for (BlockNumber block = head; block != InvalidBlockNumber;) {
        poll();
        bool overtaken = false;
        const BlockNumber next = with_read(index, block, [&](Page page) {
            const PageTail& tail = page_tail(page);
            overtaken = tail.kind != PageKind::kPending || (started && tail.sequence != last_sequence + 1);
            if (overtaken) return InvalidBlockNumber;
            check_pending_page(index, shape.layout, block, page);
            // A reader is overtaken only when the head has moved on.
            if (!started && tail.sequence == first_sequence)
                report_corruption(index, block, "The chain of pending pages that begins here is broken.");
            if (!started) first_sequence = tail.sequence;
            last_sequence = tail.sequence;
            started = true;
            fn(block, PendingPage(shape.layout, page));
            return tail.next;
        });
        block = next;
        if (!overtaken) continue;
        block = read_meta(index).pending_head;
        started = false;
    }
}

}  // namespace vecidx

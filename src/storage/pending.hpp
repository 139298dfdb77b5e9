// The pending area: rows that no merge has taken into the graph yet, in a chain of pages that grows at its
// tail and is consumed at its head. Pages are numbered in the order of the chain, so that a reader whose next
// page was consumed meanwhile notices, and starts again at the head: what it missed is in the graph by then.
#pragma once

#include "storage/meta.hpp"
#include "vecidx/stored_vector.hpp"

namespace vecidx {

// A row: `vector` holds its halves (ignored where own vectors are kept apart).
struct PendingRow {
    PendingEntry entry;
    const void* vector;
};

// Rows as a page holds them, one behind the other, each pending_entry_bytes wide.
struct PackedRows {
    const std::byte* bytes;
    std::size_t count;
};
void pack(const NodeLayout& layout, const PendingRow& row, std::byte* to);

// Appends rows, WAL-logged: in one record if they fit on the page at the tail; else what does not is written
// to new pages, with two of which a record links the chain. Any number of backends may append at once. Tells
// whether the chain grew.
enum class Appended { kOnOldPage, kOnNewPage };
Appended append_pending(Relation index, PackedRows rows);
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

// The number of the chain's oldest page; pages with a smaller one were consumed.
inline std::uint32_t head_sequence(const Meta& meta) {
    return meta.pending_sequence - meta.pending_pages + 1;
}

// Lends every pending page, oldest first, share locked, to fn(block, PendingPage); pages appended meanwhile
// are seen too, and a page may be lent twice when a merge overtakes the reader. `poll` is called between
// pages, nothing locked. Error (index_corrupted) when the chain is broken.
template <typename Fn, typename Poll>
void for_each_pending(Relation index, const Meta& start, Fn fn, Poll poll) {
    const IndexShape shape = start.shape;
    BlockNumber block = start.pending_head;
    std::uint32_t first = head_sequence(start);
    for (std::uint32_t sequence = first; block != InvalidBlockNumber;) {
        poll();
        bool overtaken = false;
        const BlockNumber next = with_read(index, block, [&](Page page) {
            const PageTail& tail = page_tail(page);
            overtaken = tail.kind != PageKind::kPending || tail.sequence != sequence;
            if (overtaken) return InvalidBlockNumber;
            check_pending_page(index, shape.layout, block, page);
            fn(block, PendingPage(shape.layout, page));
            return tail.next;
        });
        ++sequence;
        if (!overtaken) {
            block = next;
            continue;
        }
        // A reader is overtaken only when the head has moved on.
        const Meta meta = read_meta(index);
        sequence = head_sequence(meta);
        if (sequence == first)
            report_corruption(index, block, "The chain of pending pages is broken at this block.");
        first = sequence;
        block = meta.pending_head;
    }
}

// Pages that a merge has read and takes off the head of the chain: up to `last`.
struct PendingRun {
    BlockNumber last = InvalidBlockNumber;
    std::uint32_t pages = 0;
};

// Takes a run off the chain in the metapage, which is locked, and ends the merge that read it: the nodes of
// its batch count from the commit of this change on.
void finish_run(Relation index, Meta& meta, const PendingRun& run);

// Takes a run off the chain as finish_run does, and frees its pages; `change(meta)` goes with it. The caller
// holds the row lock.
template <typename Fn>
void end_run(Relation index, BlockNumber head, const PendingRun& run, Fn change);

// Frees the pages of a chain that belong to nobody any more.
void free_chain(Relation index, BlockNumber first, BlockNumber last);

// Puts new pages, filled with `rows`, in the place of the whole chain, which `run` is. False, and no change,
// when somebody has appended a page to it. The caller holds the row lock and frees the pages of the run.
bool replace_chain(Relation index, const PendingRun& run, std::span<const PendingRow> rows);

// Frees the chain if all its pages are empty. The caller holds the row lock, and no merge has read it.
void free_empty_chain(Relation index);

template <typename Fn>
void end_run(Relation index, BlockNumber head, const PendingRun& run, Fn change) {
    with_meta_write(index, [&](Meta& meta) {
        change(meta);
        finish_run(index, meta, run);
    });
    if (run.pages > 0) free_chain(index, head, run.last);
}

}  // namespace vecidx

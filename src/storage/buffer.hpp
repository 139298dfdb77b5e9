// Buffers are lent, not guarded: a page is pinned, locked, changed with WAL and released inside one function,
// so an ERROR in between leaves nothing that Postgres does not clean up itself. Lock order: metapage, then
// pages of a chain from head to tail, then new pages; a node page before the posting pages of its nodes.
#pragma once

#include "storage/layout.hpp"

namespace vecidx {

// Errors (index_corrupted) unless the page was written by this access method.
void check_page(Relation index, BlockNumber block, Page page);

// The tail of a page that check_page has passed.
inline PageTail& page_tail(Page page) {
    return *reinterpret_cast<PageTail*>(PageGetSpecialPointer(page));
}

// The kind of a checked page.
inline PageKind page_kind(Page page) {
    return page_tail(page).kind;
}

// What follows the page header.
template <typename T = std::byte>
T* page_contents(Page page) {
    return reinterpret_cast<T*>(PageGetContents(page));
}

// Makes an empty page of a kind, all bytes zero, with the whole of it in use for WAL.
void init_page(Page page, PageKind kind);

// Says that the first `bytes` of the contents are in use; what is behind them is not logged.
void set_used(Page page, std::size_t bytes);

// Error (index_corrupted) that names the page.
[[noreturn]] void report_corruption(Relation index, BlockNumber block, const char* detail);

// As check_page, and of the expected kind.
void check_kind(Relation index, BlockNumber block, Page page, PageKind kind);

// Lends a checked page, share locked, to fn(Page).
template <typename Fn>
auto with_read(Relation index, BlockNumber block, Fn fn) {
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    check_page(index, block, page);
    if constexpr (std::is_void_v<decltype(fn(page))>) {
        fn(page);
        UnlockReleaseBuffer(buffer);
    } else {
        const auto result = fn(page);
        UnlockReleaseBuffer(buffer);
        return result;
    }
}

// A set of at most four pages that change together: one WAL record. Edit pages, then commit.
class PageChange {
  public:
    explicit PageChange(Relation index);

    // Locks a page exclusively and lends a copy that becomes the page at commit.
    Page edit(BlockNumber block, PageKind kind);

    // The same, but a block that was reserved and never written becomes an empty page of the kind.
    Page open(BlockNumber block, PageKind kind);

    // The same for a page that is locked already; the change releases it.
    Page adopt(Buffer buffer);

    // Whether another page may join.
    bool may_grow() const { return count_ < MAX_GENERIC_XLOG_PAGES; }

    // A new empty page.
    Page create(PageKind kind, BlockNumber* block);

    // The same where the free space map has one; else nullptr.
    Page create_from_free(PageKind kind, BlockNumber* block);

    // Writes everything, releases everything.
    void commit();

    // Releases everything without a change.
    void cancel();

  private:
    Page make_anew(Buffer buffer, PageKind kind);
    void release();

    Relation index_;
    GenericXLogState* state_;
    Buffer buffers_[MAX_GENERIC_XLOG_PAGES];
    int count_ = 0;
};

// Lends one page for change: fn(Page), one WAL record.
template <typename Fn>
void with_write(Relation index, BlockNumber block, PageKind kind, Fn fn) {
    PageChange change(index);
    fn(change.edit(block, kind));
    change.commit();
}

// A page for new use, exclusively locked and pinned, from the free space map or at the end; not initialised.
Buffer allocate_page(Relation index);

// Makes a page free and tells the free space map, which its user must vacuum (IndexFreeSpaceMapVacuum).
void free_page(Relation index, BlockNumber block);

// Pins a block, by way of the buffer where it was found last (a hint that may be wrong and is mended).
Buffer pin_with_hint(Relation index, BlockNumber block, Buffer* hint);

}  // namespace vecidx

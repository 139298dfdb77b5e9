// Writing many new pages of an index that nobody else reads yet: past the buffer pool, each WAL-logged once,
// in records of several pages. Several processes may write at once, each its own blocks.
#pragma once

#include "storage/buffer.hpp"

namespace vecidx {

// Makes room for `count` blocks at the end of the index; returns the first. They read as zeros until they are
// written. Nothing of it is logged: after a crash VACUUM finds them.
BlockNumber reserve_blocks(Relation index, std::size_t count);

class PageWriter {
  public:
    // `logged`: whether the index's pages go to the WAL.
    PageWriter(Relation index, bool logged);

    // Lends an empty page of a kind to fn(Page) and writes it to a reserved block, now or later.
    template <typename Fn>
    void write(BlockNumber block, PageKind kind, Fn fn) {
        const Page page = next(block);
        init_page(page, kind);
        fn(page);
        done();
    }

    // Writes what is left; from now on a crash loses nothing.
    void finish();

  private:
    struct State;

    Page next(BlockNumber block);
    void done();

    State* state_;
};

}  // namespace vecidx

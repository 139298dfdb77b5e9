// Rows that a statement has inserted and that are not in the index yet. From its second row on, a statement
// that will say when it ends (aminsertcleanup, PostgreSQL 17) gathers rows and appends them two pages at a
// time: one WAL record and one turn at the metapage instead of dozens.
//
// Nobody misses them. Other backends cannot see these rows before the transaction commits, and by then they
// are written. This backend can, within the statement: a trigger, a volatile function or a cursor may query
// the table. So the open gatherings of a backend are on a list, and a scan, or whatever else reads the index,
// first writes those of its index (write_gathered). Parallel workers read what their leader has written, so
// all are written when a parallel query starts; and, should a statement end without saying so, before the
// commit.
//
// What is gathered when an ERROR ends the statement is dropped with the statement's memory: those rows are
// dead. They must be, because nothing keeps VACUUM from giving away the place of a row that is dead before
// it is in the index. So a row that may die while its transaction lives is never gathered: a speculative one
// (INSERT ... ON CONFLICT).
#pragma once

#include "storage/pending.hpp"

namespace vecidx {

class Gathering {
  public:
    // On this backend's list until `context`, which lives as long as the statement, is reset.
    Gathering(Relation index, const NodeLayout& layout, MemoryContext context);

    Oid index() const { return index_; }
    bool empty() const { return count_ == 0; }
    bool full() const { return count_ == capacity_; }
    Gathering* next() const { return next_; }

    // A row more; not when it is full.
    void add(const PendingRow& row);

    // Appends the rows to the index, and is empty.
    Appended write(Relation index);

  private:
    static void forget(void* gathering);

    Oid index_;
    NodeLayout layout_;
    std::size_t width_;
    std::size_t capacity_;
    std::size_t count_ = 0;
    std::byte* rows_;
    Gathering* next_;
    Gathering** link_;  // what leads to this one
    MemoryContextCallback at_reset_{};
};

// Whether this backend may gather for one index more: a statement on a table of many partitions has a
// gathering for each.
bool may_gather();

// Writes what this backend has gathered for an index.
void write_gathered(Relation index);

// Called once, when the library is loaded: takes the executor's and the transaction's hooks.
void watch_gatherings();

}  // namespace vecidx

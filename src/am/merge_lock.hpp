// One writer of the graph at a time: merges and vacuums hold this lock, in slices; inserts and scans never take it. It is
// Postgres's heavyweight lock on the metapage, as GIN's pending list uses, so deadlocks and aborts are taken care of.
#pragma once

#include "storage/layout.hpp"

namespace vecidx {

class MergeLock {
  public:
    // Waits for the lock.
    explicit MergeLock(Relation index) : index_(index) { LockPage(index_, kMetaBlock, ExclusiveLock); }
    ~MergeLock() { UnlockPage(index_, kMetaBlock, ExclusiveLock); }
    MergeLock(const MergeLock&) = delete;
    MergeLock& operator=(const MergeLock&) = delete;

  private:
    Relation index_;
};

}  // namespace vecidx

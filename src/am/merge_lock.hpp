// One writer of the graph at a time: merges and vacuums hold this lock, in slices; inserts and scans never
// take it. It is Postgres's heavyweight lock on the metapage, as GIN's pending list uses, so deadlocks and
// aborts are taken care of.
#pragma once

#include "storage/layout.hpp"

namespace vecidx {

// Not a page: the lock of the worker whose turn it is to merge.
inline constexpr BlockNumber kMergeTurn = MaxBlockNumber;

// Runs fn() under the lock; an ERROR releases it with the transaction.
template <typename Fn>
void with_merge_lock(Relation index, Fn fn) {
    LockPage(index, kMetaBlock, ExclusiveLock);
    fn();
    UnlockPage(index, kMetaBlock, ExclusiveLock);
}

// Runs fn(), which only reads, while no merge and no vacuum writes. A standby, where both are replayed, has
// no such lock.
template <typename Fn>
void without_merges(Relation index, Fn fn) {
    const bool lockable = !RecoveryInProgress();
    if (lockable) LockPage(index, kMetaBlock, ShareLock);
    fn();
    if (lockable) UnlockPage(index, kMetaBlock, ShareLock);
}

}  // namespace vecidx

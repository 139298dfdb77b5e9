// Who may change the graph. Three of Postgres's heavyweight locks, so that deadlocks and aborts are taken
// care of: tuple locks on line pointers of block 0, which holds no tuples. The processes of a parallel merge
// share them. Inserts and scans never take them. In this order:
//
//   turn   the background worker of the index (background.hpp).
//   graph  whoever changes the edges of nodes or takes and frees their slots. A merge holds it for a batch,
//   so
//          that what it has seen of the graph stays true; a repair for a slice of pages.
//   rows   whoever moves heap rows from the pending area to nodes, or looks for dead ones. A merge holds it
//   while
//          it writes nodes, a slice at a time, VACUUM's sweep for a slice of pages: neither keeps the other
//          waiting long, however large a batch is. What a sweep removes while a merge computes, the merge
//          notices before it writes (live_rows.hpp).
//
// VACUUM does not wait for a merge: what that leaves undone is left to the next.
#pragma once

#include "storage/layout.hpp"

namespace vecidx {

enum class IndexLock : OffsetNumber { kTurn = 1, kGraph = 2, kRows = 3 };

inline void take_lock(Relation index, IndexLock lock, LOCKMODE mode = ExclusiveLock) {
    ItemPointerData place;
    ItemPointerSet(&place, kMetaBlock, static_cast<OffsetNumber>(lock));
    LockTuple(index, &place, mode);
}

// False when somebody else has it.
inline bool try_lock(Relation index, IndexLock lock) {
    ItemPointerData place;
    ItemPointerSet(&place, kMetaBlock, static_cast<OffsetNumber>(lock));
    return try_lock_tuple(index, &place, ExclusiveLock);
}

inline void release_lock(Relation index, IndexLock lock, LOCKMODE mode = ExclusiveLock) {
    ItemPointerData place;
    ItemPointerSet(&place, kMetaBlock, static_cast<OffsetNumber>(lock));
    UnlockTuple(index, &place, mode);
}

// Runs fn() under a lock; an ERROR releases it with the transaction.
template <typename Fn>
void with_lock(Relation index, IndexLock lock, Fn fn) {
    take_lock(index, lock);
    fn();
    release_lock(index, lock);
}

// The same unless somebody else has the lock: false, then.
template <typename Fn>
bool try_with_lock(Relation index, IndexLock lock, Fn fn) {
    if (!try_lock(index, lock)) return false;
    fn();
    release_lock(index, lock);
    return true;
}

// Runs fn(), which only reads, while no merge and no vacuum writes. A standby, where both are replayed, has
// no such locks.
template <typename Fn>
void without_merges(Relation index, Fn fn) {
    constexpr IndexLock kLocks[] = {IndexLock::kGraph, IndexLock::kRows};
    const bool lockable = !RecoveryInProgress();
    for (const IndexLock lock : kLocks)
        if (lockable) take_lock(index, lock, ShareLock);
    fn();
    for (const IndexLock lock : kLocks)
        if (lockable) release_lock(index, lock, ShareLock);
}

}  // namespace vecidx

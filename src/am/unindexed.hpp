// Rows of the heap that the index does not hold: NULLs, and under cosine zero vectors. A scan that has
// returned all others finds them here, so that no LIMIT is left short.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// In the order in which they sort: the distance of a zero vector is NaN, that of a NULL is NULL.
enum class Unindexed { kZeroVector, kNull };

struct UnindexedSearch {
    Relation heap;
    Relation index;
    Snapshot snapshot;  // MVCC
    Unindexed kind;
    HeapTid after;     // of the heap's order, exclusive
    std::size_t most;  // rows to find
};

// Appends what it finds to `rows`, in the heap's order. Reads the whole heap; evaluates the index's
// expression and predicate. Nothing is locked when it is called.
void find_unindexed(const UnindexedSearch& search, std::pmr::vector<HeapTid>& rows);

}  // namespace vecidx

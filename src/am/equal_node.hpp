// Rows whose vector the graph has already: an UPDATE that leaves the vector alone adds a heap row to its node
// and nothing to the pending area.
#pragma once

#include "pg/compat.hpp"
#include "vecidx/node.hpp"

namespace vecidx {

// Adds a heap row to the node that stores the vector as it would be stored, if a short search meets one.
// False, and nothing done, when there is none: the vector is pending, the search missed it, or the node went.
bool add_to_equal_node(Relation index, Datum value, HeapTid tid);

}  // namespace vecidx

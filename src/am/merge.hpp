// Merges: pending rows become nodes of the graph, in batches.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// Merges what is pending when it is called. The caller does not hold the merge lock; it is taken in slices.
// Rows too few for a first graph stay. Returns the number of rows merged.
double merge_pending(Relation index);

}  // namespace vecidx

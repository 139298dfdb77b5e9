// Merges: pending rows become nodes of the graph, in batches.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// Merges what is pending when it is called, a batch under the graph lock at a time, which the caller does not
// hold; kNo: as long as nobody else has it. Rows too few for a first graph stay. Returns the number of rows
// merged.
enum class Wait { kYes, kNo };
double merge_pending(Relation index, Wait wait);

// The same as a command of its own: waits for others, shows its progress, and is slowed down by
// vacuum_cost_delay as VACUUM is.
double merge_as_command(Relation index);

// Merges at least `rows` pending rows if there are so many, unless somebody else is merging: what an inserter
// can do in passing.
void merge_slice(Relation index, std::size_t rows);

// Turns the nodes that an interrupted merge wrote into tombstones, without edges, since what they lead to may
// not have been written; their rows are still pending. Does nothing when no merge was interrupted. The caller
// holds the graph lock.
void undo_interrupted_merge(Relation index);

}  // namespace vecidx

// Merging all that is pending at once: the first graph of an index, or rows that are many beside the graph
// (graph_append.hpp). Parallel workers help.
#pragma once

#include "am/build_team.hpp"

namespace vecidx {

struct BulkMerge {
    Relation index;
    BlockNumber pending_head;  // with `sweeps`, as they were before the merge began
    std::uint32_t sweeps;
    std::uint32_t last_sequence;  // no page after this one
};

// The caller holds the graph lock, and the metapage says that a batch is being written. Returns the number of
// rows that it took.
std::size_t run_bulk_merge(const BulkMerge& merge);

}  // namespace vecidx

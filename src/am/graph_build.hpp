// From loaded rows to a graph in the index, for CREATE INDEX and for the first merge of an index that has
// none: trains the geometry, builds (vecidx/bulk_build.hpp), encodes and writes. All processes of a build run
// it at once.
#pragma once

#include "am/build_rows.hpp"
#include "storage/pending.hpp"
#include "vecidx/bulk_build.hpp"

namespace vecidx {

// How node pages get into the index: past the buffer pool, where nobody else sees the index yet, or by way of
// it, each change logged at once.
enum class Writing { kNewIndex, kLiveIndex };

// From this many rows on an index has a graph; fewer are searched faster by looking at all.
std::size_t least_graph_rows(const NodeLayout& layout);

// What a build of `rows` rows takes of mapped memory, in bytes.
std::size_t build_bytes(const IndexShape& shape, std::size_t rows);

// What each process of a build needs beside it.
std::size_t scratch_bytes(const IndexShape& shape);

struct GraphBuild {
    Relation index;
    BuildRows& rows;  // loaded by all processes, and mapped by this; the caller closes them
    BuildTeam& team;
    Writing writing;
    PendingRun merged;  // what leaves the pending area by the change that leads to the graph
};

// Returns the number of nodes. Afterwards searches find the graph.
std::size_t build_graph(const GraphBuild& build);

}  // namespace vecidx

// From loaded rows to a graph in the index, for CREATE INDEX and for the first merge of an index that has
// none: trains the geometry, builds (vecidx/bulk_build.hpp), encodes and writes. All processes of a build run
// it at once.
#pragma once

#include "am/graph_work.hpp"
#include "am/live_rows.hpp"

namespace vecidx {

// From this many rows on an index has a graph; fewer are searched faster by looking at all.
std::size_t least_graph_rows(const NodeLayout& layout);

// What a build of `rows` rows takes of mapped memory, in bytes.
std::size_t build_bytes(const IndexShape& shape, std::size_t rows);

// What each process of a build needs beside it.
std::size_t scratch_bytes(const IndexShape& shape);

// Returns the number of nodes. Afterwards searches find the graph. `live`: of a merge, which this ends;
// nullptr: nobody else sees the index yet.
std::size_t build_graph(const GraphTask& task, LiveRows* live);

}  // namespace vecidx

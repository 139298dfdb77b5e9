// The graph of many rows at once, for CREATE INDEX and for the first merge of an index that has none.
#pragma once

#include "am/row_store.hpp"
#include "storage/pending.hpp"
#include "vecidx/progress.hpp"

namespace vecidx {

// When the pages that are written reach the WAL.
enum class Logging { kAtEnd, kNow };

// From this many rows on an index has a graph; fewer are searched faster by looking at all.
std::size_t least_graph_rows(const NodeLayout& layout);

// Trains the geometry, builds the graph and writes it into an index that has none; its metapage leads to it
// afterwards, and by the same change what was merged leaves the pending area. Uses up `rows`. Returns the
// number of nodes.
std::size_t build_graph(Relation index, RowStore& rows, Logging logging, std::pmr::memory_resource* memory,
                        const Progress& progress, const PendingRun& merged = {});

}  // namespace vecidx

// Dropping a graph in which no node is live, so that the next merge trains a new one: a geometry fits the
// rows that it was trained on.
//
// Nothing visible is lost. A scan that is under way meets slots that hold no node any more, or nodes of a
// later graph, whose batch is newer than the metapage that the scan has read; their rows were pending when it
// read those.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// Drops the graph if there is one and all its nodes are tombstones. Takes the merge lock; `poll` is called
// between pages. True when it did.
bool drop_dead_graph(Relation index, void (*poll)());

// Ends a drop, or the first build of a graph, that was interrupted: frees all that belongs to a graph. The
// caller holds the merge lock; `meta` says that the index has no graph and that something is being written.
void free_graph_pages(Relation index, const Meta& meta, void (*poll)());

}  // namespace vecidx

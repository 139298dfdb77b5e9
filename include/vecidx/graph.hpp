// The seam between algorithms and storage: what a graph must offer to be searched. The index's pages, flat
// arrays in memory and the compact adjacency of a build in progress all are graphs; the search is written
// once.
#pragma once

#include <concepts>

#include "vecidx/beam.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

template <typename G>
concept Graph = requires(G graph, NodeId id, Beam& beam) {
    // Visits a node that `beam.next()` gave: settles its exact distance, keeps it as a result if the graph
    // collects results, and offers its neighbours.
    {graph.expand(id, beam)};
    // Hint that a node may be expanded soon.
    {graph.prefetch(id)};
};

}  // namespace vecidx

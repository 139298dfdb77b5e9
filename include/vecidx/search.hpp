// Best-first search (GreedySearch of DiskANN, Jayaram Subramanya et al., NeurIPS 2019, algorithm 1).
#pragma once

#include <cstddef>

#include "vecidx/graph.hpp"

namespace vecidx {

// Expands the beam's nodes, nearest first, until its L nearest are all expanded. The caller has offered the
// entry nodes. `poll` is called once a hop, with nothing locked. Returns the number of hops.
template <Graph G, typename Poll>
std::size_t best_first_search(G& graph, Beam& beam, Poll poll) {
    std::size_t hops = 0;
    for (NodeId id; (id = beam.next()) != kNoNode; ++hops) {
        poll();
        if (const NodeId following = beam.peek(); following != kNoNode) graph.prefetch(following);
        graph.expand(id, beam);
    }
    return hops;
}

}  // namespace vecidx

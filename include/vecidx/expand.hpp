// One hop of a search over inline nodes: the exact distance of the node's own vector and the estimates of all
// its neighbours, from one look at the node.
#pragma once

#include "vecidx/beam.hpp"
#include "vecidx/kernels.hpp"
#include "vecidx/node.hpp"

namespace vecidx {

// A query in a graph's space. Everything is borrowed.
struct GraphQuery {
    const float* vector;  // padded floats, relative to the codebook's mean
    const QueryTable* table;
    float* estimates;  // room for a node's lanes (layout.degree floats)
};

// Offers the node's neighbours by their estimated distances.
inline void offer_neighbors(const ConstNode& node, const GraphQuery& query, Beam& beam) {
    kernels().scan(node.blocks(), *query.table, query.estimates);
    const NodeId* ids = node.ids();
    const std::size_t degree = node.degree();
    for (std::size_t i = 0; i < degree; ++i) beam.offer(ids[i], query.estimates[i]);
}

// Settles the node at its exact distance, then offers its neighbours. Returns the squared distance.
inline float expand_node(const ConstNode& node, const StoredVector& own, const GraphQuery& query,
                         Beam& beam) {
    const float distance = l2_squared(kernels(), query.vector, own, node.layout().padded);
    beam.settle(distance);
    offer_neighbors(node, query, beam);
    return distance;
}

}  // namespace vecidx

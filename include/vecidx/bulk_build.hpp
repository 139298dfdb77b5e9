// The bulk build: the graph of all vectors at once, without a search (after PiPNN, arXiv 2602.21247).
//
//   1. A skeleton: the same build of a random 1/32 of the rows, recursively; its edges are pinned. It
//   connects what the leaves
//      of the whole set would leave apart (tight clusters).
//   2. Leaves: overlapping cells around random leaders (partition.hpp).
//   3. In each leaf all pairs; every vector's few nearest, in both directions, go into its bounded reservoir.
//   4. RobustPrune of each reservoir.
//   5. One round of reverse edges, pruned again where they exceed the degree.
//   6. Repair: whatever the medoid does not reach is linked from what it does.
//
// Rows must be distinct vectors: equal ones fill leaves and reservoirs with copies, so the caller collapses
// them first. Deterministic for a seed.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/adjacency.hpp"
#include "vecidx/progress.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

struct BulkParams {
    std::size_t degree = 64;
    float alpha = 1.2f;  // on squared distances
    std::size_t leaf_size = 2000;
    std::size_t fan_out = 8;
    std::size_t per_leaf = 8;
    std::size_t reservoir = 96;  // at least `degree`
    std::size_t sample_ratio = 32;
    std::uint64_t seed = 1;
};

struct BulkGraph {
    explicit BulkGraph(std::pmr::memory_resource* memory)
        : edges(0, 0, memory), order(memory), parent(memory) {}

    Adjacency edges;                        // row to at most `degree` rows
    std::pmr::vector<std::uint32_t> order;  // rows in the order of their pages
    // A tree from the medoid along edges: parent[i] has an edge to i (kNoNode for the medoid).
    std::pmr::vector<std::uint32_t> parent;
    std::uint32_t medoid = 0;
};

void bulk_build(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
                const Progress& progress, BulkGraph& graph);

// The nearest of each row among the rows, as far as shared leaves show them: candidates for linking a batch
// with itself. `lists` has a list for every row.
void nearest_in_leaves(const VectorArray& vectors, const BulkParams& params,
                       std::pmr::memory_resource* memory, const Progress& progress, Adjacency& lists);

}  // namespace vecidx

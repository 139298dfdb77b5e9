// The bulk build as one call, by one worker in private memory: for tests, benchmarks and the batches of a
// merge.
#pragma once

#include "vecidx/bulk_build.hpp"

namespace vecidx {

// A whole build in private memory, by one worker; rows by their number in `vectors`.
struct BulkGraph {
    explicit BulkGraph(std::pmr::memory_resource* memory)
        : edges(0, 0, memory), order(memory), parent(memory) {}

    Adjacency edges;                        // row to at most `degree` rows
    std::pmr::vector<std::uint32_t> order;  // rows so that near ones are near
    // A tree from the medoid along edges: parent[i] has an edge to i (kNoNode for the medoid).
    std::pmr::vector<std::uint32_t> parent;
    std::uint32_t medoid = 0;
};

void bulk_build(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
                const Progress& progress, BulkGraph& graph);

// Appends to a graph: its rows are the first of `vectors`, and keep their places in its tree. `graph` is the
// whole.
void bulk_append(const VectorArray& vectors, const BulkGraph& old, const BulkParams& params,
                 std::pmr::memory_resource* memory, const Progress& progress, BulkGraph& graph);

// Rows of a finished build by their number in the input.
void copy_graph(const BulkBuild& build, std::pmr::memory_resource* memory, BulkGraph& graph);

// The nearest of each row among the rows, as far as shared leaves show them, at most `params.candidates`,
// nearest first: candidates for linking a batch with itself. `lists` has a list for every row.
void nearest_in_leaves(const VectorArray& vectors, const BulkParams& params,
                       std::pmr::memory_resource* memory, const Progress& progress, const Lists& lists);

}  // namespace vecidx

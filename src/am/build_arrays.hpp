// What a build keeps in its files behind the vectors, but for the graph's own arrays
// (vecidx/build_level.hpp).
#pragma once

#include "am/build_rows.hpp"
#include "storage/meta.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/quantizer.hpp"

namespace vecidx {

struct BuildArrays {
    // `node_ids`: numbers below which the nodes of the graph are that is appended to, or 0.
    BuildArrays(Arena& arena, const NodeLayout& layout, std::size_t count, std::size_t node_ids)
        : rows(arena, count),
          floats(arena.carve<float>(geometry_floats(layout.padded, kDefaultCentroids))),
          codes(arena.carve<std::uint8_t>(count * layout.code_bytes())),
          factors(arena.carve<CodeFactors>(count)),
          postings(arena.carve<std::uint32_t>(count)),
          ids(arena.carve<NodeId>(count)),
          settled(arena.carve<std::uint8_t>(node_ids > 0 ? count : 0)),
          row_of_node(arena.carve<std::uint32_t>(node_ids)) {}

    RowArrays rows;
    float* floats;  // mean, direction, centroids
    // By row of the build:
    std::uint8_t* codes;
    CodeFactors* factors;
    std::uint32_t* postings;  // first record of its further heap rows
    NodeId* ids;

    // Of the graph that is appended to: its rows, by number as loaded; the row of the build of each node, or
    // kNoRow.
    std::uint8_t* settled;
    std::uint32_t* row_of_node;
};

}  // namespace vecidx

// Overlapping leaves by random leaders (the ball carving of PiPNN, arXiv 2602.21247, section 3): every vector
// joins the cells of its `fan_out` nearest leaders; a cell that is larger than a leaf may be is split
// further, without overlap.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/progress.hpp"
#include "vecidx/random.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

struct PartitionParams {
    std::size_t leaf_size;     // most members of a leaf
    std::size_t fan_out;       // leaves that a vector is in
    std::size_t most_leaders;  // of one split: bounds the work of an assignment
};

// Leaves as members in a row; leaf i is members[offsets[i]] .. members[offsets[i + 1] - 1].
struct Leaves {
    explicit Leaves(std::pmr::memory_resource* memory) : members(memory), offsets(memory), order(memory) {}

    std::size_t count() const { return offsets.empty() ? 0 : offsets.size() - 1; }
    std::span<const std::uint32_t> leaf(std::size_t i) const {
        return std::span(members).subspan(offsets[i], offsets[i + 1] - offsets[i]);
    }

    std::pmr::vector<std::uint32_t> members;
    std::pmr::vector<std::size_t> offsets;
    // All rows once, those with the same nearest leader together: the order in which nodes are laid out.
    std::pmr::vector<std::uint32_t> order;
};

// Partitions the given rows of `vectors`.
void partition(const VectorArray& vectors, std::span<const std::uint32_t> rows, const PartitionParams& params,
               Random& random, const Progress& progress, Leaves& leaves);

}  // namespace vecidx

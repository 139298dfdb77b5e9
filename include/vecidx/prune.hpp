// RobustPrune (DiskANN, algorithm 2): of a node's candidates, nearest first, keep those that no kept one
// covers: a kept s covers t when alpha d(s, t) <= d(x, t), distances squared.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/tile.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

struct PruneParams {
    float alpha;         // on squared distances, at least 1
    std::size_t degree;  // keep at most so many
};

class Pruner {
  public:
    explicit Pruner(std::pmr::memory_resource* memory)
        : tile_(memory),
          members_(memory),
          candidates_(memory),
          center_(memory),
          dots_(memory),
          kept_norms_(memory),
          kept_(memory) {}

    // Measures candidates, `vectors` but for the first, which is the vector that they are candidates of, in
    // the frame of that one, and returns the nearest `most` of them, nearest first. ids[i] is the candidate
    // at vectors[i]. The caller may strike some of them out by setting their id to kNoNode. Valid until the
    // next call.
    std::span<Neighbor> measure(const VectorArray& vectors, std::span<const std::uint32_t> ids,
                                std::size_t most);

    // Prunes what was measured. Returns what is kept, nearest first; valid until the next call.
    std::span<const Neighbor> prune(const PruneParams& params);

    // Both, for candidates sorted by distance.
    std::span<const Neighbor> prune(const VectorArray& vectors, std::uint32_t x,
                                    std::span<const Neighbor> candidates, const PruneParams& params);

  private:
    bool covered(std::size_t t, const std::int32_t* dots, float alpha) const;

    PackedTile tile_;
    std::pmr::vector<std::uint32_t> members_;
    std::pmr::vector<Neighbor> candidates_;  // in the tile's order
    std::pmr::vector<float> center_;
    std::pmr::vector<std::int32_t> dots_;
    std::pmr::vector<std::int32_t> kept_norms_;  // of each candidate; out of reach while it is not kept
    std::pmr::vector<Neighbor> kept_;
};

}  // namespace vecidx

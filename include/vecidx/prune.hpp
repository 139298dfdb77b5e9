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

// Distances are those of 8-bit frames around x (tile.hpp). Where near candidates would be a blur in the frame
// that reaches the farthest, they get a finer frame of their own, and so on; seen from there the far ones are
// all in one direction, so near and far do not cover each other.
class Pruner {
  public:
    explicit Pruner(std::pmr::memory_resource* memory)
        : tiles_(memory),
          members_(memory),
          places_(memory),
          near_(memory),
          candidates_(memory),
          center_(memory),
          dots_(memory),
          kept_norms_(memory),
          kept_(memory) {
        tiles_.reserve(kMostFrames);
        for (std::size_t i = 0; i < kMostFrames; ++i) tiles_.emplace_back(memory);
    }

    // Measures the candidates of a vector in its frame and returns the nearest `most` of them, nearest first.
    // members[0] is the vector, the others the candidates, known as ids[1], ids[2], ... The caller may strike
    // some of them out by setting their id to kNoNode. Valid until the next call.
    std::span<Neighbor> measure(const VectorArray& vectors, std::span<const std::uint32_t> members,
                                std::span<const std::uint32_t> ids, std::size_t most);

    // Prunes what was measured. Returns what is kept, nearest first; valid until the next call.
    std::span<const Neighbor> prune(const PruneParams& params);

  private:
    static constexpr std::size_t kMostFrames = 4;

    // Lanes of a tile from `first` on are candidates_ from `offset` on; those before are in a finer frame.
    struct Frame {
        std::size_t first, offset;
    };

    bool is_sharp(const PackedTile& tile, std::size_t lane) const;
    void prune_frame(std::size_t frame, const PruneParams& params);
    bool covered(const PackedTile& tile, std::size_t t, const std::int32_t* dots, float alpha) const;

    std::pmr::vector<PackedTile> tiles_;  // the frame that reaches farthest first
    Frame frames_[kMostFrames] = {};
    std::size_t frame_count_ = 0;
    std::pmr::vector<std::uint32_t> members_;  // of the frame at hand
    std::pmr::vector<std::uint32_t> places_;   // theirs among all
    std::pmr::vector<Neighbor> near_;
    std::pmr::vector<Neighbor> candidates_;
    std::pmr::vector<float> center_;
    std::pmr::vector<std::int32_t> dots_;
    std::pmr::vector<std::int32_t> kept_norms_;  // of each lane; out of reach while it is not kept
    std::pmr::vector<Neighbor> kept_;
};

}  // namespace vecidx

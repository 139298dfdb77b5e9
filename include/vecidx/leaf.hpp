// Candidates from leaves: in each leaf all pairs are compared, and every member that is not settled gets the
// ids of its few nearest members and of the nearest that have it among their few nearest. Settled members do
// not look for theirs, so in their company the others get half as many more of their own nearest.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/build_level.hpp"
#include "vecidx/gather.hpp"
#include "vecidx/nearest.hpp"
#include "vecidx/partition.hpp"
#include "vecidx/progress.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

class LeafCandidates {
  public:
    // `progress` hears of `phase`, at least once a leaf.
    LeafCandidates(const Level& level, Window& window, const Progress& progress, Phase phase,
                   std::pmr::memory_resource* memory)
        : level_(level),
          window_(window),
          progress_(progress),
          phase_(phase),
          splitter_(level, window, memory),
          cell_(memory),
          members_(memory),
          rows_(memory),
          vectors_(memory),
          tile_(memory),
          nearest_(memory),
          dots_(memory),
          forward_(memory),
          backward_(memory),
          forward_count_(memory),
          backward_count_(memory) {}

    // Compares within the leaves of a cell and writes every member's leaf slot, and the bridges of those
    // whose home it is. Cells can be done in any order and at the same time.
    void compare_cell(std::size_t cell);

  private:
    void compare_leaf(std::span<const std::uint32_t> members);
    bool gather(std::span<const std::uint32_t> members);
    void find_nearest();
    void write_bridges(std::size_t i, const std::int32_t* dots);
    void turn_around();
    void write_slots();
    // Of a member's nearest those that are told that it is near.
    std::size_t forward_near(std::size_t i) const {
        return std::min<std::size_t>(forward_count_[i], level_.params.per_leaf);
    }
    bool is_forward(std::size_t i, std::size_t j) const;

    const Level& level_;
    Window& window_;
    const Progress& progress_;
    Phase phase_;
    CellSplitter splitter_;
    std::pmr::vector<std::uint32_t> cell_;
    std::pmr::vector<std::uint32_t> members_;  // of the leaf at hand, those of the skeleton first
    std::pmr::vector<std::uint32_t> rows_;     // theirs
    GatheredVectors vectors_;
    std::size_t skeleton_ = 0;                     // how many members are of the skeleton
    std::size_t first_fresh_ = 0, end_fresh_ = 0;  // members that are not settled
    PackedTile tile_;
    NearestInRow nearest_;
    std::pmr::vector<std::int32_t> dots_;
    std::size_t most_forward_ = 0;  // room of each in forward_
    // Of each member the nearest and those that it is nearest to, nearest first, by their number in the leaf.
    std::pmr::vector<Neighbor> forward_, backward_;
    std::pmr::vector<std::uint8_t> forward_count_, backward_count_;
};

}  // namespace vecidx

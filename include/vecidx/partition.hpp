// Overlapping cells by random leaders (the ball carving of PiPNN, arXiv 2602.21247, section 3): every row
// joins the cells of its nearest leaders; a cell that is larger than a leaf may be is split further, without
// overlap.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/nearest.hpp"
#include "vecidx/random.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

// Leaders that `rows` rows are split by, so that cells are half a leaf on average, but at most `most`.
std::size_t leader_count(std::size_t rows, std::size_t fan_out, std::size_t leaf_size, std::size_t most);

class Leaders {
  public:
    explicit Leaders(std::pmr::memory_resource* memory)
        : tile_(memory), chunk_(memory), nearest_(memory), dots_(memory) {}

    void set(const VectorArray& vectors, std::span<const std::uint32_t> leaders) {
        tile_.pack_around_mean(vectors, leaders);
    }
    std::size_t count() const { return tile_.size(); }

    // The `fan_out` nearest leaders of each row, nearest first, to choices[i * fan_out ...].
    void assign(const VectorArray& vectors, std::span<const std::uint32_t> rows, std::size_t fan_out,
                std::uint16_t* choices);

  private:
    PackedTile tile_;
    PackedTile chunk_;
    NearestInRow nearest_;
    std::pmr::vector<std::int32_t> dots_;
};

// Splits cells into leaves of at most `leaf_size` members.
class CellSplitter {
  public:
    CellSplitter(std::size_t leaf_size, std::pmr::memory_resource* memory)
        : leaf_size_(leaf_size), leaders_(memory), chosen_(memory), choices_(memory), memory_(memory) {}

    // Calls leaf(members) for each leaf. A member's row is member >> shift. The order of members changes.
    template <typename Fn>
    void split(const VectorArray& vectors, std::span<std::uint32_t> members, unsigned shift, Random& random,
               Fn leaf) {
        split_at(vectors, members, shift, random, leaf, 0);
    }

  private:
    static constexpr int kDeepest = 8;

    template <typename Fn>
    void split_at(const VectorArray& vectors, std::span<std::uint32_t> members, unsigned shift,
                  Random& random, Fn& leaf, int depth) {
        if (members.size() <= leaf_size_) return leaf(members);
        if (depth == kDeepest) {  // leaders do not separate it
            for (std::size_t at = 0; at < members.size(); at += leaf_size_)
                leaf(members.subspan(at, std::min(leaf_size_, members.size() - at)));
            return;
        }
        std::pmr::vector<std::size_t> ends(memory_);
        part(vectors, members, shift, random, ends);
        std::size_t first = 0;
        for (const std::size_t end : ends) {
            if (end > first)
                split_at(vectors, members.subspan(first, end - first), shift, random, leaf, depth + 1);
            first = end;
        }
    }

    // Sorts members by their nearest of some leaders; `ends` says where each leader's end.
    void part(const VectorArray& vectors, std::span<std::uint32_t> members, unsigned shift, Random& random,
              std::pmr::vector<std::size_t>& ends);

    std::size_t leaf_size_;
    Leaders leaders_;
    std::pmr::vector<std::uint32_t> chosen_;
    std::pmr::vector<std::uint16_t> choices_;
    std::pmr::memory_resource* memory_;
};

}  // namespace vecidx

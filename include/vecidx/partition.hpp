// Overlapping cells by random leaders (the ball carving of PiPNN, arXiv 2602.21247, section 3): every row
// joins the cells of its nearest leaders; a cell that is larger than a leaf may be is split further, without
// overlap.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/build_level.hpp"
#include "vecidx/gather.hpp"
#include "vecidx/nearest.hpp"
#include "vecidx/random.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

// Leaders that `rows` rows are split by, so that cells are half a leaf on average, but at most `most`.
std::size_t leader_count(std::size_t rows, std::size_t fan_out, std::size_t leaf_size, std::size_t most);

// Sorts leaders so that near ones come near each other, by cutting them in half again and again between two
// that are far apart: cells are numbered in this order.
void put_near_together(const VectorArray& vectors, std::span<std::uint32_t> leaders,
                       std::pmr::memory_resource* memory);

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

// Splits cells of a level into leaves of at most `leaf_size` members.
class CellSplitter {
  public:
    CellSplitter(const Level& level, Window& window, std::pmr::memory_resource* memory)
        : level_(level),
          window_(window),
          leaders_(memory),
          chosen_(memory),
          vectors_(memory),
          choices_(memory),
          memory_(memory) {}

    // Calls leaf(members) for each leaf. The order of members changes.
    template <typename Fn>
    void split(std::span<std::uint32_t> members, Random& random, Fn leaf) {
        split_at(members, random, leaf, 0);
    }

  private:
    static constexpr int kDeepest = 8;

    template <typename Fn>
    void split_at(std::span<std::uint32_t> members, Random& random, Fn& leaf, int depth) {
        const std::size_t most = level_.params.leaf_size;
        if (members.size() <= most) return leaf(members);
        if (depth == kDeepest) {  // leaders do not separate it
            for (std::size_t at = 0; at < members.size(); at += most)
                leaf(members.subspan(at, std::min(most, members.size() - at)));
            return;
        }
        std::pmr::vector<std::size_t> ends(memory_);
        part(members, random, ends);
        std::size_t first = 0;
        for (const std::size_t end : ends) {
            if (end > first) split_at(members.subspan(first, end - first), random, leaf, depth + 1);
            first = end;
        }
    }

    // Sorts members by their nearest of some leaders; `ends` says where each leader's end.
    void part(std::span<std::uint32_t> members, Random& random, std::pmr::vector<std::size_t>& ends);
    void assign(std::span<const std::uint32_t> rows);

    const Level& level_;
    Window& window_;
    Leaders leaders_;
    std::pmr::vector<std::uint32_t> chosen_;
    GatheredVectors vectors_;
    std::pmr::vector<std::uint16_t> choices_;
    std::pmr::memory_resource* memory_;
};

}  // namespace vecidx

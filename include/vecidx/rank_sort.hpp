// Sorting of short lists of neighbours without branches: each finds its place by counting what comes before
// it. Quadratic, and still faster than a comparison sort up to a few hundred, because nothing is
// mispredicted.
#pragma once

#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

class RankSort {
  public:
    explicit RankSort(std::pmr::memory_resource* memory) : distances_(memory), copy_(memory) {}

    // Moves the `keep` nearest of the list to its front, nearest first; the rest of it is overwritten.
    // Ties keep their order.
    void sort_front(std::span<Neighbor> list, std::size_t keep) {
        const std::size_t n = list.size();
        copy_.assign(list.begin(), list.end());
        distances_.resize(n);
        for (std::size_t i = 0; i < n; ++i) distances_[i] = copy_[i].distance;
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t rank = rank_of(distances_.data(), i, n);
            if (rank < keep) list[rank] = copy_[i];
        }
    }

  private:
    static std::size_t rank_of(const float* distances, std::size_t i, std::size_t n) {
        const float own = distances[i];
        std::int32_t before = 0;
        for (std::size_t j = 0; j < i; ++j) before += distances[j] <= own ? 1 : 0;
        for (std::size_t j = i + 1; j < n; ++j) before += distances[j] < own ? 1 : 0;
        return static_cast<std::size_t>(before);
    }

    std::pmr::vector<float> distances_;
    std::pmr::vector<Neighbor> copy_;
};

}  // namespace vecidx

// The few nearest of a row of distances: from the dot products that `dot_tile` gives and the columns' norms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

#include "vecidx/kernels.hpp"

namespace vecidx {

inline constexpr std::size_t kNoSelf = std::numeric_limits<std::size_t>::max();

// Selects by the key norm[j] - 2 dot[j], which orders as the squared distance from the row does.
class NearestInRow {
  public:
    explicit NearestInRow(std::pmr::memory_resource* memory)
        : keys_(memory), indexes_(memory), columns_(memory) {}

    // Selects the min(k, n - 1 or n) nearest of n columns, without column `self`; ties go to the lower index.
    void select(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::size_t k,
                std::size_t self) {
        keys_.resize(k + 1);
        indexes_.resize(k + 1);
        columns_.resize(std::max(columns_.size(), n));
        size_ = 0;
        k_ = k;
        const Kernels& kernel = kernels();
        const std::int32_t limit = bound(kernel, dots, norms, n, self == kNoSelf ? k : k + 1);
        const std::size_t count = kernel.keys_up_to(dots, norms, n, limit, columns_.data());
        for (std::size_t c = 0; c < count; ++c) {
            const std::uint32_t i = columns_[c];
            const std::int32_t key = norms[i] - 2 * dots[i];
            if (i != self && (size_ < k_ || key < keys_[k_ - 1])) insert(key, i);
        }
    }

    std::size_t size() const { return size_; }
    std::uint32_t index(std::size_t i) const { return indexes_[i]; }
    std::int32_t key(std::size_t i) const { return keys_[i]; }

  private:
    // A key that at least `wanted` columns do not exceed, and few more: the least keys of 32 interleaved
    // parts are `wanted` such columns or nearly so.
    static std::int32_t bound(const Kernels& kernel, const std::int32_t* dots, const std::int32_t* norms,
                              std::size_t n, std::size_t wanted) {
        std::int32_t limit = std::numeric_limits<std::int32_t>::max();
        if (wanted > kMinimaLanes || n <= 2 * kMinimaLanes) return limit;
        std::int32_t minima[kMinimaLanes];
        kernel.lane_minima(dots, norms, n, minima);
        for (const std::int32_t candidate : minima) {
            std::size_t below = 0;
            for (const std::int32_t m : minima) below += m <= candidate ? 1 : 0;
            if (below >= wanted) limit = std::min(limit, candidate);
        }
        return limit;
    }

    void insert(std::int32_t key, std::uint32_t index) {
        std::size_t at = size_ < k_ ? size_++ : k_ - 1;
        for (; at > 0 && keys_[at - 1] > key; --at) {
            keys_[at] = keys_[at - 1];
            indexes_[at] = indexes_[at - 1];
        }
        keys_[at] = key;
        indexes_[at] = index;
    }

    std::pmr::vector<std::int32_t> keys_;
    std::pmr::vector<std::uint32_t> indexes_;
    std::pmr::vector<std::uint32_t> columns_;
    std::size_t size_ = 0;
    std::size_t k_ = 0;
};

}  // namespace vecidx

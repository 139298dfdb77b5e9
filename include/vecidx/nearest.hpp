// The few nearest of a row of distances: from the dot products that `dot_tile` gives and the columns' norms.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

namespace vecidx {

inline constexpr std::size_t kNoSelf = std::numeric_limits<std::size_t>::max();

// Selects by the key norm[j] - 2 dot[j], which orders as the squared distance from the row does.
class NearestInRow {
  public:
    explicit NearestInRow(std::pmr::memory_resource* memory) : keys_(memory), indexes_(memory) {}

    // Selects the min(k, n - 1 or n) nearest of n columns, without column `self`; ties go to the lower index.
    void select(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::size_t k,
                std::size_t self) {
        keys_.resize(k + 1);
        indexes_.resize(k + 1);
        size_ = 0;
        k_ = k;
        std::size_t at = 0;
        for (; at + kStride <= n; at += kStride) {
            const std::int32_t limit = size_ == k_ ? keys_[k_ - 1] : std::numeric_limits<std::int32_t>::max();
            std::int32_t any = 0;
            for (std::size_t i = 0; i < kStride; ++i)
                any |= (norms[at + i] - 2 * dots[at + i]) < limit ? 1 : 0;
            if (any != 0) scan(dots, norms, at, at + kStride, self);
        }
        scan(dots, norms, at, n, self);
    }

    std::size_t size() const { return size_; }
    std::uint32_t index(std::size_t i) const { return indexes_[i]; }
    std::int32_t key(std::size_t i) const { return keys_[i]; }

  private:
    static constexpr std::size_t kStride = 32;

    void scan(const std::int32_t* dots, const std::int32_t* norms, std::size_t from, std::size_t to,
              std::size_t self) {
        for (std::size_t i = from; i < to; ++i) {
            const std::int32_t key = norms[i] - 2 * dots[i];
            if ((size_ == k_ && key >= keys_[k_ - 1]) || i == self) continue;
            insert(key, static_cast<std::uint32_t>(i));
        }
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
    std::size_t size_ = 0;
    std::size_t k_ = 0;
};

}  // namespace vecidx

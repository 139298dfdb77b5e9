// Vectors of a large array for a piece of work. Where a window has a limit they are copied out, so that they
// are read while it surely has them; else they are used where they are.
#pragma once

#include <cstring>
#include <memory_resource>
#include <numeric>
#include <span>
#include <vector>

#include "vecidx/arena.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

class GatheredVectors {
  public:
    explicit GatheredVectors(std::pmr::memory_resource* memory)
        : bytes_(memory), units_(memory), numbers_(memory) {}

    // Gets these rows ready; `rows` must stay as they are meanwhile.
    void gather(const VectorArray& from, std::span<const std::uint32_t> rows, Window& window) {
        array_ = from;
        members_ = rows;
        if (window.is_limited()) return copy(from, rows, window);
        if (stored_bytes(from.format, from.padded) > kFewLines || rows.size() > kFewRows) return;
        for (const std::uint32_t row : rows) from.prefetch(row);
    }

    // The rows, in their order: members of an array.
    const VectorArray& array() const { return array_; }
    std::span<const std::uint32_t> members() const { return members_; }

  private:
    // What is worth fetching into the cache ahead of its use.
    static constexpr std::size_t kFewLines = 512;
    static constexpr std::size_t kFewRows = 512;

    void copy(const VectorArray& from, std::span<const std::uint32_t> rows, Window& window) {
        const std::size_t width = stored_bytes(from.format, from.padded);
        if (bytes_.size() < rows.size() * width) bytes_.resize(rows.size() * width);
        units_.resize(rows.size());
        numbers_.resize(rows.size());
        std::iota(numbers_.begin(), numbers_.end(), 0u);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            window.use(from[rows[i]].data, width);
            window.use(from.units + rows[i], sizeof(float));
            std::memcpy(bytes_.data() + i * width, from[rows[i]].data, width);
            units_[i] = from.units[rows[i]];
        }
        array_ = {bytes_.data(), units_.data(), rows.size(), from.padded, from.format};
        members_ = numbers_;
    }

    VectorArray array_{};
    std::span<const std::uint32_t> members_;
    std::pmr::vector<std::byte> bytes_;
    std::pmr::vector<float> units_;
    std::pmr::vector<std::uint32_t> numbers_;
};

}  // namespace vecidx

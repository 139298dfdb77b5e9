// Vectors copied out of a large array for a piece of work: close together, and read while the window surely
// has them.
#pragma once

#include <cstring>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/arena.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

class GatheredVectors {
  public:
    explicit GatheredVectors(std::pmr::memory_resource* memory) : bytes_(memory), units_(memory) {}

    // Copies these rows, in this order; they are numbered from 0 in `array`.
    void gather(const VectorArray& from, std::span<const std::uint32_t> rows, Window& window) {
        constexpr std::size_t kAhead = 8;
        const std::size_t width = stored_bytes(from.format, from.padded);
        if (bytes_.size() < rows.size() * width) bytes_.resize(rows.size() * width);
        units_.resize(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            if (i + kAhead < rows.size()) from.prefetch(rows[i + kAhead]);
            window.use(from[rows[i]].data, width);
            window.use(from.units + rows[i], sizeof(float));
            std::memcpy(bytes_.data() + i * width, from[rows[i]].data, width);
            units_[i] = from.units[rows[i]];
        }
        array_ = {bytes_.data(), units_.data(), rows.size(), from.padded, from.format};
    }

    const VectorArray& array() const { return array_; }

  private:
    std::pmr::vector<std::byte> bytes_;
    std::pmr::vector<float> units_;
    VectorArray array_{};
};

}  // namespace vecidx

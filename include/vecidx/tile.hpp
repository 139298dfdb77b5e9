// Vectors packed for the all-pairs kernel: 8-bit values around a common centre with a common scale, so that a
// squared distance is scale^2 (n_i + n_j - 2 <i, j>) in exact integer arithmetic. Each tile has a frame of
// its own: a tight cluster uses all 8 bits for what separates its members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/kernels.hpp"
#include "vecidx/rank_sort.hpp"
#include "vecidx/stored_vector.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

// Stored vectors addressed by row number.
struct VectorArray {
    const std::byte* data;
    const float* units;
    std::size_t count;
    std::size_t padded;
    OwnFormat format;

    StoredVector operator[](std::size_t i) const {
        return {data + i * stored_bytes(format, padded), units[i], format};
    }
    void prefetch(std::size_t i) const {
        const std::size_t bytes = stored_bytes(format, padded);
        __builtin_prefetch(units + i);
        for (std::size_t at = 0; at < bytes; at += 64) __builtin_prefetch(data + i * bytes + at);
    }
};

class PackedTile {
  public:
    explicit PackedTile(std::pmr::memory_resource* memory)
        : center_(memory),
          rows_(memory),
          unsorted_rows_(memory),
          panels_(memory),
          bias_(memory),
          norms_(memory),
          unsorted_sums_(memory),
          sort_(memory) {}

    // Packs the members in a frame around their mean (that of a sample), scaled to their largest coordinate.
    void pack_around_mean(const VectorArray& vectors, std::span<const std::uint32_t> members);

    // The same around a given centre (padded floats).
    void pack_around(const VectorArray& vectors, std::span<const std::uint32_t> members, const float* center);

    // The same with the members nearest to the centre alone, at most `most`, in the order of their distances,
    // which `nearest` tells, with their places among `members`.
    void pack_nearest(const VectorArray& vectors, std::span<const std::uint32_t> members, const float* center,
                      std::size_t most, std::pmr::vector<Neighbor>& nearest);

    // Packs rows only, in another tile's frame, so that they meet its panels. Coordinates out of range are
    // cut.
    void pack_in_frame_of(const PackedTile& other, const VectorArray& vectors,
                          std::span<const std::uint32_t> members);

    std::size_t size() const { return size_; }
    std::size_t panel_count() const { return ceil_div<std::size_t>(size_, kBlockLanes); }
    Tile tile() const { return {rows_.data(), panels_.data(), bias_.data(), stride_}; }
    const std::int32_t* norms() const { return norms_.data(); }  // one per vector, padded to whole panels
    float unit() const { return scale_ * scale_; }               // squared distance per integer unit

  private:
    void set_mean(const VectorArray& vectors, std::span<const std::uint32_t> members);
    void fit_scale(const VectorArray& vectors, std::span<const std::uint32_t> members);
    void pack_rows(const VectorArray& vectors, std::span<const std::uint32_t> members);
    void fill_panels();
    void take_rows(std::span<const Neighbor> order);
    void clear_past_end();

    std::pmr::vector<float> center_;
    std::pmr::vector<std::uint8_t> rows_;
    std::pmr::vector<std::uint8_t> unsorted_rows_;
    std::pmr::vector<std::int8_t> panels_;
    std::pmr::vector<std::int32_t> bias_;
    std::pmr::vector<std::int32_t> norms_;
    std::pmr::vector<std::int32_t> unsorted_sums_;
    RankSort sort_;
    std::size_t size_ = 0;
    std::size_t stride_ = 0;
    float scale_ = 1;
};

}  // namespace vecidx

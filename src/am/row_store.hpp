// The rows of a merged batch, and the sample that a build trains on, in memory: vectors in halves, addressed
// by row number, and what goes with them.
#pragma once

#include <memory_resource>
#include <vector>

#include "storage/layout.hpp"
#include "vecidx/space.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

// Of a stored vector's bytes and unit.
std::uint64_t hash_vector(const std::byte* bytes, std::size_t size, float unit);

class RowStore {
  public:
    RowStore(const NodeLayout& layout, std::pmr::memory_resource* memory)
        : padded_(layout.padded),
          data_(memory),
          units_(memory),
          added_units_(memory),
          errors_(memory),
          norms_(memory),
          fingerprints_(memory),
          tids_(memory),
          own_blocks_(memory),
          spare_blocks_(memory),
          next_same_(memory) {}

    void reserve(std::size_t rows);
    void add(const PendingEntry& entry, const void* halves);

    std::size_t size() const { return units_.size(); }
    VectorArray vectors() const { return {data_.data(), units_.data(), size(), padded_, OwnFormat::kF16}; }

    // Joins equal vectors: keeps one row of each, in order, with the largest error bound; the heap rows of
    // the others follow from `next_same`. Call once, when all rows are there.
    void collapse_equal();

    // Moves every row into a graph's space: lifted along `direction`, relative to `mean` (padded floats
    // each).
    void move_to_graph_space(const Space& space, double max_norm_squared, const float* mean,
                             const float* direction);

    // A row as it was added; not after collapse_equal or move_to_graph_space.
    PendingEntry entry(std::size_t row) const {
        return {tids_[row], 0, units_[row], errors_[row], norms_[row], own_blocks_[row], fingerprints_[row]};
    }
    std::pmr::memory_resource* resource() const { return data_.get_allocator().resource(); }

    float error(std::size_t row) const { return errors_[row]; }
    float norm_squared(std::size_t row) const { return norms_[row]; }
    std::uint64_t fingerprint(std::size_t row) const { return fingerprints_[row]; }
    BlockNumber own_block(std::size_t row) const { return own_blocks_[row]; }
    // The unit of the vector as it was added, which is that of its copy kept apart.
    float added_unit(std::size_t row) const { return added_units_[row]; }
    // Own vectors kept apart that collapse_equal left without a row.
    std::span<const BlockNumber> spare_blocks() const { return spare_blocks_; }

    // The heap rows of a row: its own, then those that collapse_equal joined.
    template <typename Fn>
    void for_each_tid(std::size_t row, Fn fn) const {
        for (std::uint32_t i = first_tid_.empty() ? static_cast<std::uint32_t>(row) : first_tid_[row];
             i != kNoRow; i = next_same_.empty() ? kNoRow : next_same_[i])
            fn(tids_[i]);
    }
    std::size_t heap_rows() const { return tids_.size(); }

  private:
    static constexpr std::uint32_t kNoRow = 0xffffffff;

    std::byte* bytes(std::size_t row) { return data_.data() + row * stored_bytes(OwnFormat::kF16, padded_); }

    std::size_t padded_;
    std::pmr::vector<std::byte> data_;
    std::pmr::vector<float> units_, added_units_, errors_, norms_;
    std::pmr::vector<std::uint64_t> fingerprints_;
    std::pmr::vector<HeapTid> tids_;
    std::pmr::vector<BlockNumber> own_blocks_, spare_blocks_;
    std::pmr::vector<std::uint32_t> next_same_;  // by heap row
    std::pmr::vector<std::uint32_t> first_tid_{next_same_.get_allocator()};
};

}  // namespace vecidx

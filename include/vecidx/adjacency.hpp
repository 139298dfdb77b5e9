// The graph of a build in progress: for each row a bounded list of neighbours with their distances. `Lists`
// is the view that algorithms take; `Adjacency` owns the memory of one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

class Lists {
  public:
    Lists(Neighbor* entries, std::uint16_t* sizes, std::size_t rows, std::size_t capacity)
        : entries_(entries), sizes_(sizes), rows_(rows), capacity_(capacity) {}

    std::size_t rows() const { return rows_; }
    std::size_t capacity() const { return capacity_; }
    std::span<const Neighbor> of(std::size_t row) const { return {entries_ + row * capacity_, sizes_[row]}; }

    // Replaces a row's list; at most `capacity` are taken.
    void assign(std::size_t row, std::span<const Neighbor> list) const {
        sizes_[row] = static_cast<std::uint16_t>(std::min(list.size(), capacity_));
        std::copy_n(list.begin(), sizes_[row], entries_ + row * capacity_);
    }

    // Appends where there is room. False when full.
    bool append(std::size_t row, Neighbor neighbor) const {
        if (sizes_[row] == capacity_) return false;
        entries_[row * capacity_ + sizes_[row]++] = neighbor;
        return true;
    }

    // Room for a row's whole list, whose size the caller sets.
    Neighbor* edit_all(std::size_t row) const { return entries_ + row * capacity_; }

    // A row's list, to be changed in place.
    std::span<Neighbor> edit(std::size_t row) const { return {entries_ + row * capacity_, sizes_[row]}; }

  private:
    Neighbor* entries_;
    std::uint16_t* sizes_;
    std::size_t rows_;
    std::size_t capacity_;
};

class Adjacency {
  public:
    Adjacency(std::size_t rows, std::size_t capacity, std::pmr::memory_resource* memory)
        : entries_(rows * capacity, memory), sizes_(rows, 0, memory), capacity_(capacity) {}

    Lists lists() { return {entries_.data(), sizes_.data(), sizes_.size(), capacity_}; }
    std::size_t rows() const { return sizes_.size(); }
    std::span<const Neighbor> of(std::size_t row) const {
        return {entries_.data() + row * capacity_, sizes_[row]};
    }
    void assign(std::size_t row, std::span<const Neighbor> list) { lists().assign(row, list); }

  private:
    std::pmr::vector<Neighbor> entries_;
    std::pmr::vector<std::uint16_t> sizes_;
    std::size_t capacity_;
};

}  // namespace vecidx

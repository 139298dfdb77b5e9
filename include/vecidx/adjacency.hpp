// The graph of a build in progress: for each row a bounded list of neighbours with their distances, first as
// a reservoir of candidates (reservoir.hpp), then as the node's edges.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

class Adjacency {
  public:
    Adjacency(std::size_t rows, std::size_t capacity, std::pmr::memory_resource* memory)
        : entries_(rows * capacity, memory), sizes_(rows, 0, memory), capacity_(capacity) {}

    std::size_t rows() const { return sizes_.size(); }
    std::size_t capacity() const { return capacity_; }
    std::span<const Neighbor> of(std::size_t row) const {
        return {entries_.data() + row * capacity_, sizes_[row]};
    }

    // Replaces a row's list; at most `capacity` are taken.
    void assign(std::size_t row, std::span<const Neighbor> list) {
        sizes_[row] = static_cast<std::uint16_t>(std::min(list.size(), capacity_));
        std::copy_n(list.begin(), sizes_[row],
                    entries_.begin() + static_cast<std::ptrdiff_t>(row * capacity_));
    }

    // Appends where there is room. False when full.
    bool append(std::size_t row, Neighbor neighbor) {
        if (sizes_[row] == capacity_) return false;
        entries_[row * capacity_ + sizes_[row]++] = neighbor;
        return true;
    }

    // Inserts into a sorted list unless it is there; when full, the farthest goes.
    void insert_sorted(std::size_t row, Neighbor neighbor) {
        Neighbor* first = entries_.data() + row * capacity_;
        std::size_t size = sizes_[row];
        if (size == capacity_ && !(neighbor < first[size - 1])) return;
        for (std::size_t i = 0; i < size; ++i)
            if (first[i].id == neighbor.id) return;
        if (size == capacity_) --size;
        Neighbor* at = std::upper_bound(first, first + size, neighbor);
        std::move_backward(at, first + size, first + size + 1);
        *at = neighbor;
        sizes_[row] = static_cast<std::uint16_t>(size + 1);
    }

    // A row's list, to be changed in place, and its new, shorter length.
    std::span<Neighbor> edit(std::size_t row) { return {entries_.data() + row * capacity_, sizes_[row]}; }
    void truncate(std::size_t row, std::size_t size) { sizes_[row] = static_cast<std::uint16_t>(size); }

    void prefetch_list(std::size_t row) const {
        __builtin_prefetch(&sizes_[row], 1);
        __builtin_prefetch(entries_.data() + row * capacity_, 1);
    }
    void prefetch_end(std::size_t row) const {
        __builtin_prefetch(entries_.data() + row * capacity_ + sizes_[row], 1);
    }

  private:
    std::pmr::vector<Neighbor> entries_;
    std::pmr::vector<std::uint16_t> sizes_;
    std::size_t capacity_;
};

}  // namespace vecidx

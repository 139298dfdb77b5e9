// A set of ids (of nodes, of heap rows) for one search: open addressing, grows, empties in the time of its
// table.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

// The largest value of Id is not a member: it marks empty slots.
template <typename Id>
class IdSet {
  public:
    // `expected` (at least 1) members fit before it grows.
    explicit IdSet(std::pmr::memory_resource* memory, std::size_t expected = 1024)
        : slots_(std::bit_ceil(2 * expected), kEmpty, memory),
          shift_(64 - std::bit_width(slots_.size() - 1)) {}

    // True when id was not there.
    bool insert(Id id) {
        std::size_t at = slot_of(id);
        while (slots_[at] != kEmpty) {
            if (slots_[at] == id) return false;
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = id;
        if (++count_ * 2 > slots_.size()) grow();
        return true;
    }

    bool contains(Id id) const {
        for (std::size_t at = slot_of(id); slots_[at] != kEmpty; at = (at + 1) & (slots_.size() - 1))
            if (slots_[at] == id) return true;
        return false;
    }

    void clear() {
        std::fill(slots_.begin(), slots_.end(), kEmpty);
        count_ = 0;
    }

    std::size_t size() const { return count_; }

  private:
    static constexpr Id kEmpty = std::numeric_limits<Id>::max();

    // Fibonacci hashing (Knuth, TAOCP 6.4).
    std::size_t slot_of(Id id) const { return id * 0x9e3779b97f4a7c15ULL >> shift_; }

    void grow() {
        std::pmr::vector<Id> old(slots_.size() * 2, kEmpty, slots_.get_allocator());
        old.swap(slots_);
        --shift_;
        count_ = 0;
        for (const Id id : old)
            if (id != kEmpty) insert(id);
    }

    std::pmr::vector<Id> slots_;
    int shift_;
    std::size_t count_ = 0;
};

using Visited = IdSet<NodeId>;

}  // namespace vecidx

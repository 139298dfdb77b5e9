// A set of node ids for one search: open addressing, grows, empties in the time of its table.
#pragma once

#include <bit>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

class Visited {
  public:
    explicit Visited(std::pmr::memory_resource* memory, std::size_t expected = 1024)
        : slots_(std::bit_ceil(2 * expected), kNoNode, memory),
          shift_(64 - std::bit_width(slots_.size() - 1)) {}

    // True when id was not there.
    bool insert(NodeId id) {
        std::size_t at = slot_of(id);
        while (slots_[at] != kNoNode) {
            if (slots_[at] == id) return false;
            at = (at + 1) & (slots_.size() - 1);
        }
        slots_[at] = id;
        if (++count_ * 2 > slots_.size()) grow();
        return true;
    }

    bool contains(NodeId id) const {
        for (std::size_t at = slot_of(id); slots_[at] != kNoNode; at = (at + 1) & (slots_.size() - 1))
            if (slots_[at] == id) return true;
        return false;
    }

    void clear() {
        std::fill(slots_.begin(), slots_.end(), kNoNode);
        count_ = 0;
    }

    std::size_t size() const { return count_; }

  private:
    // Fibonacci hashing (Knuth, TAOCP 6.4).
    std::size_t slot_of(NodeId id) const { return id * 0x9e3779b97f4a7c15ULL >> shift_; }

    void grow() {
        std::pmr::vector<NodeId> old(slots_.size() * 2, kNoNode, slots_.get_allocator());
        old.swap(slots_);
        --shift_;
        count_ = 0;
        for (const NodeId id : old)
            if (id != kNoNode) insert(id);
    }

    std::pmr::vector<NodeId> slots_;
    int shift_;
    std::size_t count_ = 0;
};

}  // namespace vecidx

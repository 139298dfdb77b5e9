// The beam of a best-first search: the L nearest nodes met so far, sorted, each marked once it is expanded,
// and the set of nodes that were ever let in. A node enters with an estimated distance and is moved to its
// exact one when it is expanded, so the beam's far end tells truly what is still worth looking at.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/types.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

class Beam {
  public:
    // Ids must be below 2^31.
    static constexpr NodeId kMaxId = (NodeId{1} << 31) - 1;

    explicit Beam(std::pmr::memory_resource* memory, std::size_t capacity = 64)
        : entries_(memory), visited_(memory, 16 * capacity), capacity_(capacity) {
        entries_.resize(capacity + 1);
    }

    // Empties the beam and sets its list size L, at least 1.
    void reset(std::size_t capacity) {
        capacity_ = capacity;
        if (entries_.size() < capacity + 1) entries_.resize(capacity + 1);
        size_ = cursor_ = 0;
        visited_.clear();
    }

    // Distances from here on do not enter.
    float threshold() const {
        return size_ < capacity_ ? std::numeric_limits<float>::infinity() : entries_[size_ - 1].distance;
    }

    // Lets a node in, once, when it is near enough. NaN and infinity never are. Of equal distances the first
    // to come stays in front.
    void offer(NodeId id, float distance) {
        if (!(distance < threshold()) || !visited_.insert(id)) return;
        insert({distance, id});
    }

    // The next node to expand, marked as expanded; kNoNode when the L nearest all are.
    NodeId next() {
        while (cursor_ < size_ && expanded(entries_[cursor_])) ++cursor_;
        if (cursor_ == size_) return kNoNode;
        current_ = cursor_;
        const NodeId id = entries_[cursor_].tagged_id;
        entries_[cursor_].tagged_id |= kExpanded;
        return id;
    }

    // The node that `next` would give if nothing nearer came, for prefetching.
    NodeId peek() const {
        std::size_t at = cursor_;
        while (at < size_ && expanded(entries_[at])) ++at;
        return at < size_ ? entries_[at].tagged_id : kNoNode;
    }

    // Moves the node that `next` gave last to its exact distance. Call before any offer.
    void settle(float distance) {
        const Entry moved{distance, entries_[current_].tagged_id};
        Entry* first = entries_.data();
        Entry* from = first + current_;
        if (distance < from->distance) {
            Entry* to = std::upper_bound(first, from, distance, Entry::nearer);
            std::move_backward(to, from, from + 1);
            *to = moved;
            return;
        }
        Entry* to = std::lower_bound(from + 1, first + size_, distance, Entry::farther) - 1;
        std::move(from + 1, to + 1, from);
        *to = moved;
    }

    std::size_t size() const { return size_; }
    std::size_t visited() const { return visited_.size(); }

  private:
    static constexpr NodeId kExpanded = NodeId{1} << 31;

    struct Entry {
        float distance;
        NodeId tagged_id;
        static bool nearer(float d, const Entry& e) { return d < e.distance; }
        static bool farther(const Entry& e, float d) { return e.distance < d; }
    };

    static bool expanded(const Entry& e) { return (e.tagged_id & kExpanded) != 0; }

    void insert(Entry entry) {
        Entry* first = entries_.data();
        Entry* at = std::upper_bound(first, first + size_, entry.distance, Entry::nearer);
        Entry* last = first + size_;
        if (size_ == capacity_) --last;
        std::move_backward(at, last, last + 1);
        *at = entry;
        if (size_ < capacity_) ++size_;
        cursor_ = std::min(cursor_, static_cast<std::size_t>(at - first));
    }

    std::pmr::vector<Entry> entries_;
    Visited visited_;
    std::size_t capacity_;
    std::size_t size_ = 0;
    std::size_t cursor_ = 0;
    std::size_t current_ = 0;
};

}  // namespace vecidx

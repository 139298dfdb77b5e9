// Exact distances that a scan has measured, by the fingerprint of the row: of rows with equal vectors one is
// fetched from the heap. Open addressing, as in vecidx/visited.hpp.
#pragma once

#include <algorithm>
#include <memory_resource>
#include <vector>

#include "vecidx/fingerprint.hpp"

namespace vecidx {

class KnownDistances {
  public:
    // Once there are so many, no more are kept. None is ever dropped: what is known stays known.
    static constexpr std::size_t kMost = 1 << 16;

    explicit KnownDistances(std::pmr::memory_resource* memory) : slots_(64, memory) {}

    void clear() {
        if (count_ > 0) std::fill(slots_.begin(), slots_.end(), Known{});
        count_ = 0;
    }

    // Of a fingerprint that is not known.
    void add(std::uint64_t fingerprint, double distance) {
        if (fingerprint == kNoFingerprint || count_ == kMost) return;
        slots_[slot_of(fingerprint)] = {fingerprint, distance};
        if (++count_ * 2 > slots_.size()) grow();
    }

    // nullptr: not known.
    const double* find(std::uint64_t fingerprint) const {
        if (fingerprint == kNoFingerprint) return nullptr;
        const Known& k = slots_[slot_of(fingerprint)];
        return k.fingerprint == fingerprint ? &k.distance : nullptr;
    }

  private:
    struct Known {
        std::uint64_t fingerprint = kNoFingerprint;
        double distance = 0;
    };

    // Where it is, or else belongs.
    std::size_t slot_of(std::uint64_t fingerprint) const {
        std::size_t at = fingerprint & (slots_.size() - 1);
        while (slots_[at].fingerprint != kNoFingerprint && slots_[at].fingerprint != fingerprint)
            at = (at + 1) & (slots_.size() - 1);
        return at;
    }

    void grow() {
        std::pmr::vector<Known> old(slots_.size() * 2, slots_.get_allocator());
        old.swap(slots_);
        for (const Known& k : old)
            if (k.fingerprint != kNoFingerprint) slots_[slot_of(k.fingerprint)] = k;
    }

    std::pmr::vector<Known> slots_;
    std::size_t count_ = 0;
};

}  // namespace vecidx

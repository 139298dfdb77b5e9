// One block of memory that arrays are carved from in a fixed order. Workers that carve the same arrays find
// them at the same places, wherever each has the block mapped. Without a block it only adds up sizes.
//
// A Window bounds how much of a block is resident in a worker: where the block is a mapped file that is
// larger than the memory allowed, users say what they touch, and when that adds up to the limit everything is
// let go (the file keeps it) and comes back page by page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/types.hpp"

namespace vecidx {

class Arena {
  public:
    Arena() = default;
    explicit Arena(void* block) : block_(static_cast<std::byte*>(block)) {}

    // Room for `count` objects, 64-byte aligned; nullptr where there is no block.
    template <typename T>
    T* carve(std::size_t count) {
        const std::size_t at = used_;
        used_ += round_up<std::size_t>(count * sizeof(T), 64);
        return block_ == nullptr ? nullptr : reinterpret_cast<T*>(block_ + at);
    }

    std::size_t used() const { return used_; }

  private:
    std::byte* block_ = nullptr;
    std::size_t used_ = 0;
};

class Window {
  public:
    // What a page fault may bring in at once (Linux: fault_around_bytes).
    static constexpr std::size_t kGranule = 1 << 16;

    explicit Window(std::pmr::memory_resource* memory) : touched_(memory) {}

    // Watches a block; `let_go(context)` makes none of it resident. `limit` in bytes; without a call of this,
    // there is no limit.
    void watch(const void* block, std::size_t bytes, std::size_t limit, void (*let_go)(void*),
               void* context) {
        block_ = static_cast<const std::byte*>(block);
        touched_.assign(ceil_div(bytes, kGranule), 0);
        most_ = ceil_div(limit, kGranule);
        let_go_ = let_go;
        context_ = context;
    }

    // Says that these bytes are about to be used. Memory outside of the block does not matter.
    void use(const void* first, std::size_t bytes) {
        if (let_go_ != nullptr)
            note(static_cast<std::size_t>(static_cast<const std::byte*>(first) - block_), bytes);
    }

  private:
    void note(std::size_t offset, std::size_t bytes) {
        if (bytes == 0) return;
        const std::size_t end = std::min(ceil_div(offset + bytes, kGranule), touched_.size());
        for (std::size_t g = offset / kGranule; g < end; ++g) {
            count_ += 1 - touched_[g];
            touched_[g] = 1;
        }
        if (count_ < most_) return;
        let_go_(context_);
        std::fill(touched_.begin(), touched_.end(), std::uint8_t{0});
        count_ = 0;
    }

    const std::byte* block_ = nullptr;
    std::pmr::vector<std::uint8_t> touched_;
    std::size_t count_ = 0;
    std::size_t most_ = 0;
    void (*let_go_)(void*) = nullptr;
    void* context_ = nullptr;
};

}  // namespace vecidx

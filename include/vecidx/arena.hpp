// One block of memory that arrays are carved from in a fixed order. Workers that carve the same arrays find
// them at the same places, wherever each has the block mapped. Without a block it only adds up sizes.
//
// A Window bounds how much of a block is resident in a worker: where the block is a mapped file that is
// larger than the memory allowed, users say what they touch, and when that adds up to the limit, pages that
// were not used lately are let go (the file keeps them).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
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
    // What the machine brings in at once: a page where it is written first, else the pages around it
    // (Linux: fault_around_bytes), by address.
    static constexpr std::size_t kPage = 1 << 12;
    static constexpr std::size_t kAround = 1 << 16;

    explicit Window(std::pmr::memory_resource* memory) : state_(memory) {}

    // Watches a block; `let_go(context, offset, bytes)` makes a part of it, of whole pages, not resident.
    // `limit` in bytes; without a call of this, there is no limit.
    void watch(const void* block, std::size_t bytes, std::size_t limit,
               void (*let_go)(void* context, std::size_t offset, std::size_t bytes), void* context) {
        before_ = reinterpret_cast<std::uintptr_t>(block) % kAround;
        block_ = static_cast<const std::byte*>(block) - before_;
        state_.assign(ceil_div(bytes + before_, kPage), kOut);
        most_ = std::max(limit, 2 * kAround) / kPage;
        let_go_ = let_go;
        context_ = context;
    }

    // Whether there is a limit.
    bool is_limited() const { return let_go_ != nullptr; }

    // Says that these bytes are about to be read, or, as far as they are not resident yet, only written.
    // Memory outside of the block does not matter.
    void use(const void* first, std::size_t bytes) {
        if (let_go_ != nullptr) note(first, bytes, kAround);
    }
    void use_to_write(const void* first, std::size_t bytes) {
        if (let_go_ != nullptr) note(first, bytes, kPage);
    }

    // How to write bytes at an offset of the block without making anything resident.
    void write_by(void (*write)(void* context, std::size_t offset, const void* from, std::size_t bytes)) {
        write_ = write;
    }

    // Copies bytes into the block.
    void copy_in(void* to, const void* from, std::size_t bytes) {
        if (write_ != nullptr) return write_(context_, offset_of(to), from, bytes);
        use_to_write(to, bytes);
        std::memcpy(to, from, bytes);
    }

  private:
    enum State : std::uint8_t { kOut, kOld, kRecent };

    std::size_t offset_of(const void* place) const {
        return static_cast<std::size_t>(static_cast<const std::byte*>(place) - block_) - before_;
    }

    void note(const void* first, std::size_t bytes, std::size_t unit) {
        const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(first) - block_);
        if (bytes == 0 || offset / kPage >= state_.size()) return;
        const std::size_t begin = offset / kPage,
                          end = std::min((offset + bytes - 1) / kPage + 1, state_.size());
        for (std::size_t page = begin; page < end; ++page) {
            if (state_[page] == kOut) bring_in(page, unit);
            state_[page] = kRecent;
        }
    }

    void bring_in(std::size_t page, std::size_t unit) {
        const std::size_t pages = unit / kPage, first = page / pages * pages;
        const std::size_t end = std::min(first + pages, state_.size());
        if (resident_ + pages > most_) make_room();
        for (std::size_t i = first; i < end; ++i) {
            if (state_[i] != kOut) continue;
            state_[i] = kOld;
            ++resident_;
        }
    }

    // Second chance (Corbato 1968): what was not used since the hand's last round is let go.
    void make_room() {
        const std::size_t enough = most_ - most_ / 4;
        std::size_t run = 0;  // pages to let go that end at the hand
        while (resident_ > enough) {
            if (state_[hand_] == kOld) {
                state_[hand_] = kOut;
                --resident_;
                ++run;
            } else if (state_[hand_] == kOut) {
                run += run > 0 ? 1 : 0;  // one call for all between pages that stay
            } else {
                let_run_go(run);
                run = 0;
                state_[hand_] = kOld;
            }
            if (++hand_ < state_.size()) continue;
            let_run_go(run);
            run = 0;
            hand_ = 0;
        }
        let_run_go(run);
    }

    // Lets the `run` pages before the hand go.
    void let_run_go(std::size_t run) {
        if (run == 0) return;
        const std::size_t first = (hand_ - run) * kPage;
        const std::size_t skipped =
            first < before_ ? before_ - first : 0;  // of the block's first, partial page
        if (run * kPage > skipped) let_go_(context_, first + skipped - before_, run * kPage - skipped);
    }

    const std::byte* block_ = nullptr;
    std::size_t before_ = 0;
    std::pmr::vector<std::uint8_t> state_;  // of each page
    std::size_t resident_ = 0;
    std::size_t most_ = 0;
    std::size_t hand_ = 0;
    void (*let_go_)(void*, std::size_t, std::size_t) = nullptr;
    void* context_ = nullptr;
    void (*write_)(void*, std::size_t, const void*, std::size_t) = nullptr;
};

}  // namespace vecidx

// splitmix64: a small deterministic generator for sampling. Not for statistics, not for secrets.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace vecidx {

class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15ULL;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

    // 0 .. bound - 1, for a bound of at least 1 (Lemire's multiply-shift; the bias is below 2^-32).
    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
    }

    // Moves a uniform sample of `count` items, at most all, to the front.
    void sample_front(std::span<std::uint32_t> items, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            std::swap(items[i], items[i + below(static_cast<std::uint32_t>(items.size() - i))]);
    }

  private:
    std::uint64_t state_;
};

}  // namespace vecidx

// What the tests of the kernels share: arrays that end at a page that may not be touched, so that a read or
// write past the end is a crash, plain definitions, and one run of every test for each level of the machine.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support.hpp"
#include "vecidx/kernels.hpp"

namespace vecidx::test {

// `count` elements that end `slack` bytes before a forbidden page. Any element offset occurs as an
// alignment, because the end is fixed and not the start.
template <typename T>
class GuardedArray {
  public:
    explicit GuardedArray(std::size_t count, std::size_t slack = 0) : count_(count) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t usable = round_up(count * sizeof(T) + slack + 1, page);
        bytes_ = usable + page;
        void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(memory, MAP_FAILED);
        base_ = static_cast<char*>(memory);
        EXPECT_EQ(mprotect(base_ + usable, page, PROT_NONE), 0);
        data_ = reinterpret_cast<T*>(base_ + usable - slack - count * sizeof(T));
    }
    ~GuardedArray() { munmap(base_, bytes_); }
    GuardedArray(const GuardedArray&) = delete;
    GuardedArray& operator=(const GuardedArray&) = delete;

    T* data() { return data_; }
    T& operator[](std::size_t i) { return data_[i]; }
    std::size_t size() const { return count_; }
    T* begin() { return data_; }
    T* end() { return data_ + count_; }

  private:
    std::size_t count_;
    std::size_t bytes_;
    char* base_;
    T* data_;
};

using Random = std::mt19937;

inline int uniform(Random& random, int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
}

inline std::vector<std::size_t> lengths() {
    std::vector<std::size_t> result;
    for (std::size_t n = 0; n <= 130; ++n) result.push_back(n);
    for (std::size_t n : {255, 257, 768, 1001, 1536, 2047, 4099}) result.push_back(n);
    return result;
}

// The value of a half, from the definition of the format.
inline float half_value(f16 half) {
    const int exponent = half >> 10 & 31;
    const int fraction = half & 0x3ff;
    float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    if (exponent > 0) magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
    if (exponent == 31) magnitude = std::numeric_limits<float>::infinity();
    if (exponent == 31 && fraction != 0) magnitude = std::numeric_limits<float>::quiet_NaN();
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

inline bool is_nan(f16 half) {
    return (half & 0x7fff) > 0x7c00;
}

class KernelsTest : public ::testing::TestWithParam<SimdLevel> {
  protected:
    const Kernels& k_ = *kernels_of(GetParam());
};

inline std::string level_name(const ::testing::TestParamInfo<SimdLevel>& info) {
    return kernels_of(info.param)->name;
}

}  // namespace vecidx::test

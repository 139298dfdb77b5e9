// The generator: reproducible for ever (builds depend on it), even over small ranges, samples without
// repetition.
#include "vecidx/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace vecidx {
namespace {

// The published first outputs of splitmix64 for the seed 1234567.
TEST(RandomTest, IsSplitmix64) {
    Random random(1234567);
    EXPECT_EQ(random.next(), 6457827717110365317ULL);
    EXPECT_EQ(random.next(), 3203168211198807973ULL);
    EXPECT_EQ(random.next(), 9817491932198370423ULL);
}

TEST(RandomTest, BelowIsEvenAndInRange) {
    Random random(1);
    for (std::uint32_t bound : {1u, 2u, 3u, 10u, 1000u, 0x80000000u, 0xffffffffu})
        for (int i = 0; i < 1000; ++i) EXPECT_LT(random.below(bound), bound);
    int counts[10] = {};
    for (int i = 0; i < 100000; ++i) ++counts[random.below(10)];
    for (int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(RandomTest, SamplesAreUniformAndDistinct) {
    Random random(2);
    int chosen[20] = {};
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::uint32_t> items(20);
        std::iota(items.begin(), items.end(), 0u);
        random.sample_front(items, 5);
        for (std::size_t i = 0; i < 5; ++i) ++chosen[items[i]];
        std::sort(items.begin(), items.end());
        for (std::uint32_t i = 0; i < 20; ++i) ASSERT_EQ(items[i], i);
    }
    for (int count : chosen) EXPECT_NEAR(count, 5000, 350);
}

}  // namespace
}  // namespace vecidx

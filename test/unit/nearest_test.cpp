// The nearest of a row against a sort of all of them.
#include "vecidx/nearest.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.hpp"

namespace vecidx::test {
namespace {

// `range` small gives ties, which go to the lower index.
void expect_as_sorted(NearestInRow& nearest, Generator& random, std::size_t n, std::size_t k,
                      std::size_t self, int range) {
    std::vector<std::int32_t> dots(round_up<std::size_t>(n, 16)), norms(dots.size());
    std::vector<std::pair<std::int32_t, std::uint32_t>> all;
    for (std::size_t i = 0; i < dots.size(); ++i) {
        dots[i] = static_cast<std::int32_t>(random() % static_cast<unsigned>(range)) - range / 2;
        norms[i] = static_cast<std::int32_t>(random() % static_cast<unsigned>(range));
        if (i < n && i != self) all.emplace_back(norms[i] - 2 * dots[i], i);
    }
    std::sort(all.begin(), all.end());
    all.resize(std::min(k, all.size()));
    nearest.select(dots.data(), norms.data(), n, k, self);
    ASSERT_EQ(nearest.size(), all.size()) << n << " " << k;
    for (std::size_t i = 0; i < all.size(); ++i) {
        ASSERT_EQ(nearest.key(i), all[i].first) << n << " " << k << " " << i;
        ASSERT_EQ(nearest.index(i), all[i].second) << n << " " << k << " " << i;
    }
}

TEST(NearestTest, SelectsAsASortDoes) {
    Generator random(1);
    at_each_level([&](const Kernels&) {
        NearestInRow nearest(std::pmr::new_delete_resource());
        for (std::size_t n : {0, 1, 2, 15, 16, 31, 32, 33, 63, 64, 65, 200, 2000})
            for (std::size_t k : {1, 2, 8, 16, 31, 32, 33, 70})
                for (int range : {1, 4, 1000, 1 << 26}) {
                    expect_as_sorted(nearest, random, n, k, kNoSelf, range);
                    expect_as_sorted(nearest, random, n, k, n / 2, range);
                    if (n > 0) expect_as_sorted(nearest, random, n, k, n - 1, range);
                }
    });
}

}  // namespace
}  // namespace vecidx::test

// Packed tiles: squared distances in integers against those of the stored vectors, within the rounding to 8
// bits.
#include "vecidx/tile.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.hpp"

namespace vecidx::test {
namespace {

constexpr std::size_t kDims = 112;

class TileTest : public ::testing::TestWithParam<OwnFormat> {
  protected:
    TileTest() : random_(1), rows_(clustered_rows(random_, 100, kDims)) {}

    std::vector<std::uint32_t> some(std::size_t count) {
        std::vector<std::uint32_t> members(count);
        for (std::uint32_t& m : members) m = static_cast<std::uint32_t>(random_() % rows_.count);
        return members;
    }

    // Distances between the rows of one tile and the panels of another in the same frame. A rounded
    // coordinate is off by half a step, evenly, so a distance by some steps.
    void expect_distances(const StoredRows& stored, const PackedTile& a,
                          const std::vector<std::uint32_t>& a_members, const PackedTile& b,
                          const std::vector<std::uint32_t>& b_members) {
        ASSERT_EQ(a.size(), a_members.size());
        ASSERT_EQ(b.panel_count(), (b_members.size() + 15) / 16);
        ASSERT_EQ(a.unit(), b.unit());
        const std::size_t width = 16 * b.panel_count();
        const double step = std::sqrt(double{a.unit()});
        at_each_level([&](const Kernels& k) {
            std::vector<std::int32_t> dots(a.size() * width);
            k.dot_tile(a.tile(), 0, a.size(), b.tile(), b.panel_count(), dots.data(), width);
            for (std::size_t i = 0; i < a.size(); ++i) {
                const std::vector<float> x = stored.load(a_members[i]);
                for (std::size_t j = 0; j < b.size(); ++j) {
                    const std::vector<float> y = stored.load(b_members[j]);
                    const double truth = std::sqrt(squared_distance(x.data(), y.data(), kDims));
                    const int units = a.norms()[i] + b.norms()[j] - 2 * dots[i * width + j];
                    ASSERT_GE(units, 0);
                    ASSERT_NEAR(step * std::sqrt(units), truth, step * std::sqrt(kDims / 6.0) * 1.5)
                        << k.name;
                    ASSERT_TRUE(units == 0 || a_members[i] != b_members[j]);
                }
            }
        });
    }

    Generator random_;
    Rows rows_;
};

INSTANTIATE_TEST_SUITE_P(Formats, TileTest, ::testing::Values(OwnFormat::kF16, OwnFormat::kI8));

TEST_P(TileTest, DistancesAroundTheMean) {
    const StoredRows stored(rows_, GetParam());
    PackedTile tile(std::pmr::new_delete_resource());
    for (std::size_t count : {1, 15, 16, 17, 50, 3}) {  // one tile used again, larger and smaller
        const std::vector<std::uint32_t> members = some(count);
        tile.pack_around_mean(stored.array(), members);
        expect_distances(stored, tile, members, tile, members);
    }
}

TEST_P(TileTest, DistancesAcrossTilesOfOneFrame) {
    const StoredRows stored(rows_, GetParam());
    std::vector<std::uint32_t> all(rows_.count);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint32_t>(i);
    PackedTile columns(std::pmr::new_delete_resource()), rows(std::pmr::new_delete_resource());
    columns.pack_around(stored.array(), all, rows_[7]);
    for (std::size_t count : {1, 20, 33, 2}) {
        const std::vector<std::uint32_t> members = some(count);
        rows.pack_in_frame_of(columns, stored.array(), members);
        expect_distances(stored, rows, members, columns, all);
    }
}

// Far from zero and close together: the frame follows, so nothing is lost to the offset.
TEST_P(TileTest, ATightClusterUsesAllBits) {
    for (std::size_t i = 0; i < rows_.count; ++i)
        for (std::size_t d = 0; d < kDims; ++d)
            rows_[i][d] = std::ldexp(std::nearbyint(8 * normal(random_)), -7) + 1;
    const StoredRows stored(rows_, OwnFormat::kF16);
    const std::vector<std::uint32_t> members = some(40);
    PackedTile tile(std::pmr::new_delete_resource());
    tile.pack_around_mean(stored.array(), members);
    EXPECT_LT(std::sqrt(tile.unit()), 0.5 / 127);
    expect_distances(stored, tile, members, tile, members);
}

TEST_P(TileTest, EqualVectorsAndZeros) {
    std::fill(rows_.values.begin(), rows_.values.end(), 0.0f);
    const StoredRows stored(rows_, GetParam());
    const std::vector<std::uint32_t> members = some(20);
    PackedTile tile(std::pmr::new_delete_resource());
    tile.pack_around_mean(stored.array(), members);
    EXPECT_TRUE(std::isfinite(tile.unit()));
    expect_distances(stored, tile, members, tile, members);
}

}  // namespace
}  // namespace vecidx::test

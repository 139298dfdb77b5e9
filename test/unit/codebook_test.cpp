// Training: the mean, the centroids and the unit of the factors come out where the data puts them.
#include "vecidx/codebook.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.hpp"

namespace vecidx::test {
namespace {

constexpr std::size_t kDims = 32;

std::pmr::memory_resource* memory() {
    return std::pmr::new_delete_resource();
}

TEST(CodebookTest, CentroidCountsGrowWithTheRows) {
    EXPECT_EQ(default_centroid_count(0), 1u);
    std::size_t before = 1;
    for (std::size_t rows = 1; rows < 100'000'000; rows *= 3) {
        const std::size_t count = default_centroid_count(rows);
        EXPECT_GE(count, before);
        EXPECT_LE(count, kMaxCentroids);
        before = count;
    }
    EXPECT_GT(before, 1u);
}

TEST(CodebookTest, TheMeanIsTheMean) {
    Generator generator(1);
    for (std::size_t count : {1, 7, 500, 30000}) {
        Rows rows{count, kDims, normal_vector(generator, count * kDims)};
        std::vector<double> exact(kDims);
        for (std::size_t i = 0; i < count; ++i)
            for (std::size_t d = 0; d < kDims; ++d) {
                rows[i][d] += static_cast<float>(d);
                exact[d] += double{rows[i][d]} / static_cast<double>(count);
            }
        const StoredRows stored(rows, OwnFormat::kF16);
        Random random(1);
        std::vector<float> mean(kDims, 77.0f);
        sample_mean(stored.array(), random, memory(), mean.data());
        const double tolerance = count > 1000 ? 0.05 : 0.02;
        for (std::size_t d = 0; d < kDims; ++d) EXPECT_NEAR(mean[d], exact[d], tolerance) << count;
    }
    const Rows none{0, kDims, {}};
    const StoredRows stored(none, OwnFormat::kF16);
    Random random(1);
    std::vector<float> mean(kDims, 77.0f);
    sample_mean(stored.array(), random, memory(), mean.data());
    for (float v : mean) EXPECT_EQ(v, 0);
}

TEST(CodebookTest, CentroidsGoToTheClusters) {
    Generator generator(2);
    constexpr std::size_t kRows = 2000, kClusters = 4;
    const std::vector<float> centers = normal_vector(generator, kClusters * kDims, 5);
    Rows rows{kRows, kDims, normal_vector(generator, kRows * kDims, 0.1f)};
    for (std::size_t i = 0; i < kRows; ++i)
        for (std::size_t d = 0; d < kDims; ++d) rows[i][d] += centers[i % kClusters * kDims + d];
    const StoredRows stored(rows, OwnFormat::kF16);
    Random random(3);
    std::vector<float> centroids(16 * kDims);
    ASSERT_EQ(train_centroids(stored.array(), 16, random, memory(), centroids.data()), 16u);
    for (std::size_t i = 0; i < kRows; ++i) {
        double nearest = 1e30;
        for (std::size_t c = 0; c < 16; ++c)
            nearest = std::min(nearest, squared_distance(rows[i], centroids.data() + c * kDims, kDims));
        EXPECT_LT(nearest, 1.5) << i;
    }
}

TEST(CodebookTest, FewerRowsGiveFewerCentroids) {
    Generator generator(4);
    const Rows rows{3, kDims, normal_vector(generator, 3 * kDims)};
    const StoredRows stored(rows, OwnFormat::kF16);
    Random random(1);
    std::vector<float> centroids(16 * kDims);
    EXPECT_EQ(train_centroids(stored.array(), 16, random, memory(), centroids.data()), 3u);
    for (std::size_t c = 0; c < 3; ++c)
        EXPECT_LT(squared_distance(rows[c], centroids.data() + c * kDims, kDims), 1e-4);
}

// Stored factors near 1 keep all bits of a half, at any scale of the data.
TEST(CodebookTest, TheUnitPutsFactorsNearOne) {
    Generator generator(5);
    for (float scale : {1e-8f, 1.0f, 1e8f}) {
        for (unsigned bits : {1u, 2u, 4u}) {
            const Rows rows{300, kDims, normal_vector(generator, 300 * kDims, scale)};
            const StoredRows stored(rows, OwnFormat::kF16);
            const std::vector<float> origin(kDims);
            Codebook book;
            book.padded = book.code_dims = kDims;
            book.bits = bits;
            book.centroid_count = 1;
            book.centroids = origin.data();
            Random random(1);
            book.rescale_unit = choose_rescale_unit(book, stored.array(), random, memory());
            std::vector<std::uint8_t> code(book.code_bytes());
            for (std::size_t i = 0; i < rows.count; ++i) {
                const CodeFactors factors = encode(book, rows[i], 0, code.data());
                float factor;
                kernels().from_f16(&factors.rescale, &factor, 1);
                EXPECT_GT(std::fabs(factor), 0.1) << scale;
                EXPECT_LT(std::fabs(factor), 10) << scale;
            }
        }
    }
    const Rows same{50, kDims, std::vector<float>(50 * kDims)};
    const StoredRows stored(same, OwnFormat::kI8);
    const std::vector<float> origin(kDims);
    Codebook book;
    book.padded = book.code_dims = kDims;
    book.centroid_count = 1;
    book.centroids = origin.data();
    Random random(1);
    EXPECT_EQ(choose_rescale_unit(book, stored.array(), random, memory()), 1);
}

}  // namespace
}  // namespace vecidx::test

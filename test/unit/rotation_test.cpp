// The rotation: orthogonal in every size, the same for ever (an index on disk depends on it), and it spreads
// whatever it is given.
#include "vecidx/rotation.hpp"

#include <gtest/gtest.h>

#include <bit>

#include "support.hpp"

namespace vecidx::test {
namespace {

TEST(RotationTest, PadsToWholeBlocks) {
    EXPECT_EQ(padded_dims(1), 16u);
    EXPECT_EQ(padded_dims(16), 16u);
    EXPECT_EQ(padded_dims(17), 32u);
    EXPECT_EQ(padded_dims(16000), 16000u);
}

TEST(RotationTest, KeepsNormsAndDotProductsInEverySize) {
    Generator random(1);
    const std::vector<float> numbers = normal_vector(random, 32000);
    for (std::size_t n = 16; n <= 16000; n += n < 2048 ? 16 : 208) {
        std::vector<float> a(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(n));
        std::vector<float> b(numbers.end() - static_cast<std::ptrdiff_t>(n), numbers.end());
        for (std::size_t i = 0; i < n; ++i) b[i] += 0.5f * a[i];
        const double norm_a = dot(a.data(), a.data(), n), norm_b = dot(b.data(), b.data(), n);
        const double product = dot(a.data(), b.data(), n);
        rotate(a.data(), n);
        rotate(b.data(), n);
        EXPECT_NEAR(dot(a.data(), a.data(), n), norm_a, 1e-6 * norm_a) << n;
        EXPECT_NEAR(dot(b.data(), b.data(), n), norm_b, 1e-6 * norm_b) << n;
        EXPECT_NEAR(dot(a.data(), b.data(), n), product, 1e-6 * std::sqrt(norm_a * norm_b)) << n;
    }
}

// FNV-1a over the bits of a rotated ramp.
std::uint64_t fingerprint(std::size_t n) {
    std::vector<float> x(n);
    for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i % 37) - 11.25f;
    rotate(x.data(), n);
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (float v : x) hash = (hash ^ std::bit_cast<std::uint32_t>(v)) * 0x100000001b3ULL;
    return hash;
}

// A change here means that no index built before can be read: raise kRotationVersion, and keep the old one.
TEST(RotationTest, IsTheOneOfItsVersion) {
    EXPECT_EQ(kRotationVersion, 1u);
    EXPECT_EQ(fingerprint(16), 0xf765b62162236465ULL);
    EXPECT_EQ(fingerprint(48), 0xfb1bb347dba48d31ULL);
    EXPECT_EQ(fingerprint(128), 0xf0f175a995e9c647ULL);
    EXPECT_EQ(fingerprint(768), 0x34e7b0661025b14fULL);
    EXPECT_EQ(fingerprint(1008), 0x9d03e73b624c699ULL);
    EXPECT_EQ(fingerprint(16000), 0xcea584c2212dc38dULL);
    constexpr float kEighths[16] = {0, 0, 3, 1, 0, 4, 1, -1, 0, -2, 3, -1, 2, 4, -1, -1};
    float x[16] = {1};
    rotate(x, 16);
    for (std::size_t i = 0; i < 16; ++i) EXPECT_EQ(x[i], kEighths[i] / 8) << i;
}

// One-hot vectors, the hardest to spread: afterwards every quarter of the vector holds its share of the
// energy, and the fourth moment is near a Gaussian's 3. Where the size is no power of two each round reaches
// a part only, and some coordinates stand out.
TEST(RotationTest, SpreadsOneHotVectors) {
    for (std::size_t n : {256, 272, 496, 512, 768, 1008, 1024, 1040, 1536, 2032, 3072}) {
        const auto size = static_cast<double>(n);
        double fourth = 0, quarters[4] = {};
        for (std::size_t hot = 0; hot < n; ++hot) {
            std::vector<float> x(n);
            x[hot] = std::sqrt(static_cast<float>(n));
            rotate(x.data(), n);
            for (float v : x) fourth += double{v} * v * v * v / size / size;
            for (std::size_t part = 0; part < 4; ++part)
                quarters[part] +=
                    dot(x.data() + part * (n / 4), x.data() + part * (n / 4), n / 4) / size / size;
        }
        for (double share : quarters) EXPECT_NEAR(share, 0.25, 0.05) << n;
        EXPECT_GT(fourth, 2.8) << n;
        EXPECT_LT(fourth, std::has_single_bit(n) ? 3.2 : 11) << n;
    }
}

TEST(RotationTest, DifferentVectorsStayDifferentInSign) {
    constexpr std::size_t kDims = 256;
    std::vector<float> a(kDims), b(kDims);
    a[0] = b[1] = 1;
    rotate(a.data(), kDims);
    rotate(b.data(), kDims);
    int same = 0;
    for (std::size_t i = 0; i < kDims; ++i) same += std::signbit(a[i]) == std::signbit(b[i]) ? 1 : 0;
    EXPECT_NEAR(same, 128, 40);
}

}  // namespace
}  // namespace vecidx::test

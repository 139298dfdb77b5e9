// The float kernels, the conversions and the choice of a level, at every SIMD level against plain
// definitions. Most inputs are small integers, so that every order of summation gives the same float and
// results are compared for equality.
#include "vecidx/kernels.hpp"

#include "kernels_support.hpp"

namespace vecidx::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Levels, KernelsTest, ::testing::ValuesIn(simd_levels()), level_name);

TEST_P(KernelsTest, FloatKernelsAreExactOnSmallIntegers) {
    Random random(1);
    for (std::size_t n : lengths()) {
        GuardedArray<float> a(n), b(n);
        float l2 = 0, product = 0, l1 = 0, norm_a = 0, norm_b = 0;
        for (std::size_t i = 0; i < n; ++i) {
            a[i] = static_cast<float>(uniform(random, -16, 16));
            b[i] = static_cast<float>(uniform(random, -16, 16));
            l2 += (a[i] - b[i]) * (a[i] - b[i]);
            product += a[i] * b[i];
            l1 += std::fabs(a[i] - b[i]);
            norm_a += a[i] * a[i];
            norm_b += b[i] * b[i];
        }
        EXPECT_EQ(k_.l2_squared(a.data(), b.data(), n), l2) << n;
        EXPECT_EQ(k_.inner_product(a.data(), b.data(), n), product) << n;
        EXPECT_EQ(k_.l1(a.data(), b.data(), n), l1) << n;
        const DotNorms sums = k_.dot_norms(a.data(), b.data(), n);
        EXPECT_EQ(sums.dot, product) << n;
        EXPECT_EQ(sums.norm_a, norm_a) << n;
        EXPECT_EQ(sums.norm_b, norm_b) << n;
    }
}

TEST_P(KernelsTest, FloatKernelsAreCloseOnRandomNumbers) {
    Random random(2);
    std::normal_distribution<float> normal;
    for (std::size_t n : lengths()) {
        GuardedArray<float> a(n), b(n);
        double l2 = 0, product = 0, l1 = 0, size = 1e-30;
        for (std::size_t i = 0; i < n; ++i) {
            a[i] = normal(random);
            b[i] = normal(random);
            const double x = a[i], y = b[i];
            l2 += (x - y) * (x - y);
            product += x * y;
            l1 += std::fabs(x - y);
            size += std::fabs(x * y);
        }
        const double tolerance = 1e-7 * (4 + std::sqrt(static_cast<double>(n)));
        EXPECT_NEAR(k_.l2_squared(a.data(), b.data(), n), l2, tolerance * l2) << n;
        EXPECT_NEAR(k_.inner_product(a.data(), b.data(), n), product, tolerance * size) << n;
        EXPECT_NEAR(k_.l1(a.data(), b.data(), n), l1, tolerance * l1) << n;
        EXPECT_NEAR(k_.dot_norms(a.data(), b.data(), n).dot, product, tolerance * size) << n;
    }
}

TEST_P(KernelsTest, HalfKernelsAreExactOnSmallIntegers) {
    Random random(3);
    for (std::size_t n : lengths()) {
        GuardedArray<float> q(n), values(n);
        GuardedArray<f16> x(n);
        float l2 = 0, l1 = 0;
        for (std::size_t i = 0; i < n; ++i) {
            q[i] = static_cast<float>(uniform(random, -16, 16));
            values[i] = static_cast<float>(uniform(random, -16, 16));
            const float difference = q[i] - 0.5f * values[i];
            l2 += difference * difference;
            l1 += std::fabs(difference);
        }
        k_.to_f16(values.data(), x.data(), n);
        EXPECT_EQ(k_.l2_squared_f16(q.data(), x.data(), 0.5f, n), l2) << n;
        EXPECT_EQ(k_.l1_f16(q.data(), x.data(), 0.5f, n), l1) << n;
    }
}

TEST_P(KernelsTest, ByteKernelsAreExact) {
    Random random(4);
    for (std::size_t n : lengths()) {
        GuardedArray<float> q(n);
        GuardedArray<std::int8_t> x(n);
        const float unit = 0.25f;
        double l2 = 0, l1 = 0;
        for (std::size_t i = 0; i < n; ++i) {
            // Any byte value, and a query near enough for the sum of squares to stay exact.
            const int value = i % 5 == 0 ? -128 : i % 5 == 1 ? 127 : uniform(random, -128, 127);
            const int distance = uniform(random, -16, 16);
            x[i] = static_cast<std::int8_t>(value);
            q[i] = static_cast<float>(value + distance) * unit;
            l2 += distance * distance * 0.0625;
            l1 += std::abs(distance) * 0.25;
        }
        EXPECT_EQ(k_.l2_squared_i8(q.data(), x.data(), unit, n), l2) << n;
        EXPECT_EQ(k_.l1_i8(q.data(), x.data(), unit, n), l1) << n;
    }
}

TEST_P(KernelsTest, EveryHalfThereAndBack) {
    constexpr std::size_t kHalves = 65536;
    GuardedArray<f16> halves(kHalves), back(kHalves);
    GuardedArray<float> floats(kHalves);
    for (std::size_t i = 0; i < kHalves; ++i) halves[i] = static_cast<f16>(i);
    k_.from_f16(halves.data(), floats.data(), kHalves);
    k_.to_f16(floats.data(), back.data(), kHalves);
    for (std::size_t i = 0; i < kHalves; ++i) {
        const float expected = half_value(halves[i]);
        EXPECT_EQ(std::signbit(floats[i]), (i & 0x8000) != 0) << i;
        if (is_nan(halves[i])) {
            EXPECT_TRUE(std::isnan(floats[i])) << i;
            EXPECT_EQ(back[i], halves[i] | 0x200) << i;  // a quiet one
            continue;
        }
        EXPECT_EQ(floats[i], expected) << i;
        EXPECT_EQ(back[i], halves[i]) << i;
    }
}

// Between each half and the next lies a tie, which goes to the even one; just below and above it do not.
TEST_P(KernelsTest, RoundingToHalfIsToNearestEven) {
    std::vector<float> in;
    std::vector<f16> expected;
    for (f16 half = 0; half < 0x7c00; ++half) {
        const f16 next = static_cast<f16>(half + 1);
        const float upper = next == 0x7c00 ? 65536.0f : half_value(next);
        const float tie = (half_value(half) + upper) / 2;
        for (float sign : {1.0f, -1.0f}) {
            const f16 sign_bit = sign < 0 ? 0x8000 : 0;
            in.push_back(sign * std::nextafter(tie, 0.0f));
            expected.push_back(half | sign_bit);
            in.push_back(sign * tie);
            expected.push_back((half % 2 == 0 ? half : next) | sign_bit);
            in.push_back(sign * std::nextafter(tie, 1e30f));
            expected.push_back(next | sign_bit);
        }
    }
    GuardedArray<float> floats(in.size());
    GuardedArray<f16> halves(in.size());
    std::memcpy(floats.data(), in.data(), in.size() * sizeof(float));
    k_.to_f16(floats.data(), halves.data(), in.size());
    for (std::size_t i = 0; i < in.size(); ++i) ASSERT_EQ(halves[i], expected[i]) << in[i];
}

TEST_P(KernelsTest, HalvesOfExtremeFloats) {
    using Limits = std::numeric_limits<float>;
    const float in[] = {Limits::denorm_min(), Limits::min(), Limits::max(), Limits::infinity(), 1e5f, 0.0f};
    const f16 expected[] = {0, 0, 0x7c00, 0x7c00, 0x7c00, 0};
    for (std::size_t i = 0; i < std::size(in); ++i) {
        const float both[] = {in[i], -in[i]};
        f16 out[2];
        k_.to_f16(both, out, 2);
        EXPECT_EQ(out[0], expected[i]) << in[i];
        EXPECT_EQ(out[1], expected[i] | 0x8000) << in[i];
    }
}

TEST_P(KernelsTest, ConversionsOfAnyLength) {
    for (std::size_t n = 0; n <= 70; ++n) {
        GuardedArray<float> floats(n), back(n);
        GuardedArray<f16> halves(n);
        for (std::size_t i = 0; i < n; ++i) floats[i] = static_cast<float>(i) - 11.5f;
        k_.to_f16(floats.data(), halves.data(), n);
        k_.from_f16(halves.data(), back.data(), n);
        for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(back[i], floats[i]) << n << " " << i;
    }
}

// Also where the bits that make it a NaN are the ones a half has no room for.
TEST_P(KernelsTest, NaNStaysNaN) {
    for (std::uint32_t bits : {0x7f800001u, 0x7f801fffu, 0x7fc00000u, 0x7fffffffu, 0xff800001u}) {
        float in;
        std::memcpy(&in, &bits, sizeof(in));
        f16 out = 0;
        k_.to_f16(&in, &out, 1);
        EXPECT_TRUE(is_nan(out)) << bits;
        EXPECT_EQ(out >> 15, bits >> 31) << bits;
    }
}

TEST_P(KernelsTest, TableNamesItsLevel) {
    EXPECT_EQ(k_.level, GetParam());
    const char* names[] = {"scalar", "sse2", "avx2", "avx512", "neon"};
    EXPECT_STREQ(k_.name, names[static_cast<std::size_t>(GetParam())]);
}

TEST(SimdLevelTest, TheBestLevelIsInForceAtTheStart) {
    EXPECT_EQ(kernels().level, best_simd_level());
    EXPECT_EQ(simd_levels().back(), best_simd_level());
#if defined(__x86_64__) || defined(__aarch64__)
    EXPECT_NE(best_simd_level(), SimdLevel::kScalar);
#endif
}

TEST(SimdLevelTest, ALevelCanBeSetWhereTheMachineHasIt) {
    const SimdLevel before = kernels().level;
    for (SimdLevel level : {SimdLevel::kScalar, SimdLevel::kSse2, SimdLevel::kAvx2, SimdLevel::kAvx512,
                            SimdLevel::kNeon, static_cast<SimdLevel>(77)}) {
        const SimdLevel in_force = kernels().level;
        const bool available = kernels_of(level) != nullptr;
        EXPECT_EQ(set_simd_level(level), available);
        EXPECT_EQ(kernels().level, available ? level : in_force);
    }
    EXPECT_TRUE(set_simd_level(before));
}

}  // namespace
}  // namespace vecidx::test

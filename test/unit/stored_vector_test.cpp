// Stored vectors: the unit, the rounding of each format at any magnitude, and distances from them.
#include "vecidx/stored_vector.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "support.hpp"

namespace vecidx::test {
namespace {

constexpr OwnFormat kFormats[] = {OwnFormat::kF16, OwnFormat::kI8};

struct Stored {
    Stored(OwnFormat format, const std::vector<float>& z)
        : bytes(stored_bytes(format, z.size())), back(z.size()) {
        vector = {bytes.data(), store_vector(format, z.data(), z.size(), bytes.data()), format};
        load_vector(vector, z.size(), back.data());
    }

    std::vector<std::byte> bytes;
    std::vector<float> back;
    StoredVector vector;
};

float largest(const std::vector<float>& z) {
    float m = 0;
    for (float v : z) m = std::max(m, std::fabs(v));
    return m;
}

TEST(StoredVectorTest, TakesTheDocumentedRoom) {
    EXPECT_EQ(stored_bytes(OwnFormat::kF16, 48), 96u);
    EXPECT_EQ(stored_bytes(OwnFormat::kI8, 48), 48u);
    std::vector<std::byte> bytes(2 * 80 + 1, std::byte{0x5a});
    const std::vector<float> z(80, 1.5f);
    for (OwnFormat format : kFormats) {
        const std::size_t size = stored_bytes(format, 80);
        bytes[size] = std::byte{0x5a};
        store_vector(format, z.data(), 80, bytes.data());
        EXPECT_EQ(bytes[size], std::byte{0x5a});
    }
}

TEST(StoredVectorTest, UnitsFollowTheLargestCoordinate) {
    for (float m : {1e-30f, 0.75f, 1.0f, 5.0f, 3e30f}) {
        std::vector<float> z(32, 0.3f * m);
        z[7] = -m;
        int exponent;
        std::frexp(m, &exponent);
        EXPECT_EQ(Stored(OwnFormat::kF16, z).vector.unit, std::ldexp(1.0f, exponent - 1)) << m;
        EXPECT_EQ(Stored(OwnFormat::kI8, z).vector.unit, m / 127) << m;
    }
}

// Halves keep 11 bits of each coordinate, down to 2^-14 of the largest, and 2^-25 of the unit below; bytes
// keep half a step. Up to the largest float, and down to where floats themselves lose bits.
TEST(StoredVectorTest, RoundTripErrorsAtEveryMagnitude) {
    Generator random(1);
    for (std::size_t n : {16, 48, 64, 80, 768, 1008}) {
        for (int exponent = -38; exponent <= 37; ++exponent) {
            std::vector<float> z = normal_vector(random, n, std::pow(10.0f, static_cast<float>(exponent)));
            for (std::size_t i = 0; i < n; i += 3) z[i] *= 1e-5f;
            const float m = largest(z);
            const Stored halves(OwnFormat::kF16, z), bytes(OwnFormat::kI8, z);
            const double subnormal = std::numeric_limits<float>::denorm_min();
            const double step = std::max(m / 127, std::numeric_limits<float>::min());
            for (std::size_t i = 0; i < n; ++i) {
                const double half_error = std::max(std::ldexp(std::fabs(double{z[i]}), -11),
                                                   std::ldexp(double{halves.vector.unit}, -25));
                ASSERT_NEAR(halves.back[i], z[i], half_error + subnormal) << exponent;
                ASSERT_NEAR(bytes.back[i], z[i], 0.50001 * step + subnormal) << exponent;
            }
        }
    }
}

TEST(StoredVectorTest, ExtremesStayFinite) {
    using Limits = std::numeric_limits<float>;
    for (OwnFormat format : kFormats) {
        for (float m : {Limits::denorm_min(), Limits::min(), 1e38f, 3.4e38f}) {
            std::vector<float> z(16, m);
            z[3] = -m;
            const Stored stored(format, z);
            EXPECT_TRUE(std::isnormal(stored.vector.unit)) << m;
            for (std::size_t i = 0; i < 16; ++i) {
                ASSERT_TRUE(std::isfinite(stored.back[i])) << m;
                // Bytes have no unit below the normal floats.
                const double off = format == OwnFormat::kI8 ? Limits::min() / 2 : Limits::denorm_min();
                EXPECT_NEAR(stored.back[i], z[i], std::ldexp(double{m}, -11) + off) << m;
            }
        }
    }
}

TEST(StoredVectorTest, BytesReachTheLargestFloat) {
    const std::vector<float> z(16, std::numeric_limits<float>::max());
    for (float v : Stored(OwnFormat::kI8, z).back) EXPECT_NEAR(v, z[0], 1e-6 * double{z[0]});
}

TEST(StoredVectorTest, ZerosAreExact) {
    for (OwnFormat format : kFormats) {
        const Stored stored(format, std::vector<float>(32));
        EXPECT_EQ(stored.vector.unit, 1);
        for (float v : stored.back) EXPECT_EQ(v, 0);
    }
}

TEST(StoredVectorTest, StoringWhatWasLoadedChangesNothing) {
    Generator random(2);
    for (OwnFormat format : kFormats) {
        const Stored once(format, normal_vector(random, 96, 0.01f));
        const Stored twice(format, once.back);
        EXPECT_EQ(once.bytes, twice.bytes);
        EXPECT_FLOAT_EQ(once.vector.unit, twice.vector.unit);
    }
}

TEST(StoredVectorTest, DistancesAreThoseOfTheLoadedVector) {
    Generator random(3);
    for (OwnFormat format : kFormats) {
        const std::vector<float> q = normal_vector(random, 112);
        const Stored stored(format, normal_vector(random, 112, 2));
        const double l2 = squared_distance(q.data(), stored.back.data(), 112);
        double sum = 0;
        for (std::size_t i = 0; i < 112; ++i) sum += std::fabs(double{q[i]} - stored.back[i]);
        at_each_level([&](const Kernels& k) {
            EXPECT_NEAR(l2_squared(k, q.data(), stored.vector, 112), l2, 1e-5 * l2) << k.name;
            EXPECT_NEAR(l1(k, q.data(), stored.vector, 112), sum, 1e-5 * sum) << k.name;
        });
    }
}

}  // namespace
}  // namespace vecidx::test

// The integer kernels of the all-pairs step at every SIMD level against plain definitions: dot products of
// tiles, packing, and the keys of a row.
#include "vecidx/kernels.hpp"

#include <algorithm>
#include <cmath>

#include "kernels_support.hpp"

namespace vecidx::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Levels, KernelsTest, ::testing::ValuesIn(simd_levels()), level_name);

// A matrix of bytes, packed both ways as Tile describes it. `vectors` is a multiple of 16.
struct PackedBytes {
    PackedBytes(std::size_t vector_count, std::size_t dims, std::size_t slack)
        : vectors(vector_count),
          stride(dims),
          values(vector_count * dims),
          rows(vector_count * dims, slack),
          panels(vector_count * dims, slack),
          bias(vector_count) {}

    void pack() {
        for (std::size_t v = 0; v < vectors; ++v) {
            std::int32_t sum = 0;
            for (std::size_t d = 0; d < stride; ++d) {
                const std::int8_t value = values[v * stride + d];
                rows[v * stride + d] = static_cast<std::uint8_t>(value + 128);
                panels[v / 16 * 16 * stride + d / 4 * 64 + v % 16 * 4 + d % 4] = value;
                sum += value;
            }
            bias[v] = -128 * sum;
        }
    }

    Tile tile() { return {rows.data(), panels.data(), bias.data(), stride}; }

    std::size_t vectors;
    std::size_t stride;
    std::vector<std::int8_t> values;
    GuardedArray<std::uint8_t> rows;
    GuardedArray<std::int8_t> panels;
    GuardedArray<std::int32_t> bias;
};

void expect_exact_tile(const Kernels& k, PackedBytes& a, PackedBytes& b, std::size_t first_row,
                       std::size_t gap) {
    constexpr std::int32_t kUntouched = 0x5a5a5a5a;
    const std::size_t row_count = a.vectors - first_row;
    const std::size_t out_stride = b.vectors + gap;
    GuardedArray<std::int32_t> out(row_count * out_stride);
    for (std::int32_t& value : out) value = kUntouched;
    k.dot_tile(a.tile(), first_row, row_count, b.tile(), b.vectors / 16, out.data(), out_stride);
    for (std::size_t i = 0; i < row_count; ++i) {
        for (std::size_t j = 0; j < out_stride; ++j) {
            std::int32_t expected = j < b.vectors ? 0 : kUntouched;
            for (std::size_t d = 0; d < a.stride && j < b.vectors; ++d) {
                expected += a.values[(first_row + i) * a.stride + d] * b.values[j * a.stride + d];
            }
            ASSERT_EQ(out[i * out_stride + j], expected) << i << " " << j << " stride " << a.stride;
        }
    }
}

TEST_P(KernelsTest, TilesOfAllShapes) {
    Random random(8);
    for (std::size_t stride : {4, 8, 100, 128}) {
        for (std::size_t panels = 0; panels <= 7; ++panels) {
            PackedBytes a(48, stride, panels % 2), b(16 * panels, stride, panels % 2);
            for (std::int8_t& value : a.values) value = static_cast<std::int8_t>(uniform(random, -128, 127));
            for (std::int8_t& value : b.values) value = static_cast<std::int8_t>(uniform(random, -128, 127));
            a.pack();
            b.pack();
            for (std::size_t row_count = 0; row_count <= 19; ++row_count) {
                expect_exact_tile(k_, a, b, a.vectors - row_count, panels % 3);
            }
        }
    }
}

TEST_P(KernelsTest, TilesOfExtremes) {
    for (int x : {-128, 127}) {
        for (int y : {-128, 127}) {
            PackedBytes a(16, 2048, 0), b(48, 2048, 0);
            for (std::int8_t& value : a.values) value = static_cast<std::int8_t>(x);
            for (std::int8_t& value : b.values) value = static_cast<std::int8_t>(y);
            a.pack();
            b.pack();
            expect_exact_tile(k_, a, b, 3, 0);
        }
    }
}

// A half that holds a small integer.
f16 half_of(int value) {
    const float f = static_cast<float>(value);
    f16 half;
    kernels_of(SimdLevel::kScalar)->to_f16(&f, &half, 1);
    return half;
}

// Packs `n` vectors of each length: stored integers times 2, less an integer, times 0.5, so that halves
// are rounded and some values are cut.
template <typename X, typename Make, typename Largest, typename Pack>
void expect_exact_packing(Make make, Largest largest, Pack pack) {
    Random random(9);
    for (std::size_t n : lengths()) {
        GuardedArray<float> c(n);
        GuardedArray<X> x(n, n % 2 * sizeof(X));
        GuardedArray<std::uint8_t> row(n);
        std::vector<std::uint8_t> expected(n);
        float most = 0;
        std::int32_t sum = 0, norm = 0;
        for (std::size_t i = 0; i < n; ++i) {
            const int stored = uniform(random, -127, 127);
            x[i] = make(stored);
            c[i] = static_cast<float>(uniform(random, -60, 60));
            const float difference = 2 * static_cast<float>(stored) - c[i];
            most = std::max(most, std::fabs(difference));
            const auto v =
                static_cast<int>(std::clamp(std::floor(difference * 0.5f + 0.5f), -127.0f, 127.0f));
            expected[i] = static_cast<std::uint8_t>(v + 128);
            sum += v;
            norm += v * v;
        }
        EXPECT_EQ(largest(c.data(), x.data(), 2.0f, n), most) << n;
        const PackedSums sums = pack(c.data(), x.data(), 2.0f, 0.5f, row.data(), n);
        EXPECT_EQ(std::vector<std::uint8_t>(row.begin(), row.end()), expected) << n;
        EXPECT_EQ(sums.sum, sum) << n;
        EXPECT_EQ(sums.norm, norm) << n;
    }
}

TEST_P(KernelsTest, PackingIsExactOnSmallIntegers) {
    expect_exact_packing<f16>(half_of, k_.largest_f16, k_.pack_f16);
    expect_exact_packing<std::int8_t>([](int v) { return static_cast<std::int8_t>(v); }, k_.largest_i8,
                                      k_.pack_i8);
}

TEST_P(KernelsTest, KeysOfARowOfDots) {
    Random random(10);
    for (std::size_t n : lengths()) {
        GuardedArray<std::int32_t> dots(n), norms(n), minima(kMinimaLanes);
        GuardedArray<std::uint32_t> columns(n);
        std::vector<std::int32_t> least(kMinimaLanes, std::numeric_limits<std::int32_t>::max());
        std::vector<std::uint32_t> expected;
        const std::int32_t limit = uniform(random, -300, 300);
        for (std::size_t j = 0; j < n; ++j) {
            dots[j] = uniform(random, -500, 500);
            norms[j] = uniform(random, 0, 1000);
            const std::int32_t key = norms[j] - 2 * dots[j];
            least[j % kMinimaLanes] = std::min(least[j % kMinimaLanes], key);
            if (key <= limit) expected.push_back(static_cast<std::uint32_t>(j));
        }
        k_.lane_minima(dots.data(), norms.data(), n, minima.data());
        EXPECT_EQ(std::vector<std::int32_t>(minima.begin(), minima.end()), least) << n;
        const std::size_t count = k_.keys_up_to(dots.data(), norms.data(), n, limit, columns.data());
        EXPECT_EQ(std::vector<std::uint32_t>(columns.begin(), columns.begin() + count), expected) << n;
    }
}

}  // namespace
}  // namespace vecidx::test

// Every SIMD level of this machine against plain definitions written here. Most inputs are small integers,
// so that every order of summation gives the same float and results are compared for equality. All arrays
// end at a page that may not be touched: a read or write past the end is a crash.
#include "vecidx/kernels.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace vecidx {
namespace {

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

int uniform(Random& random, int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
}

std::vector<std::size_t> lengths() {
    std::vector<std::size_t> result;
    for (std::size_t n = 0; n <= 130; ++n) result.push_back(n);
    for (std::size_t n : {255, 257, 768, 1001, 1536, 2047, 4099}) result.push_back(n);
    return result;
}

// The value of a half, from the definition of the format.
float half_value(f16 half) {
    const int exponent = half >> 10 & 31;
    const int fraction = half & 0x3ff;
    float magnitude = std::ldexp(static_cast<float>(fraction), -24);
    if (exponent > 0) magnitude = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
    if (exponent == 31) magnitude = std::numeric_limits<float>::infinity();
    if (exponent == 31 && fraction != 0) magnitude = std::numeric_limits<float>::quiet_NaN();
    return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

bool is_nan(f16 half) {
    return (half & 0x7fff) > 0x7c00;
}

std::vector<SimdLevel> levels() {
    std::vector<SimdLevel> result;
    for (SimdLevel level :
         {SimdLevel::kScalar, SimdLevel::kSse2, SimdLevel::kAvx2, SimdLevel::kAvx512, SimdLevel::kNeon}) {
        if (kernels_of(level) != nullptr) result.push_back(level);
    }
    return result;
}

class KernelsTest : public ::testing::TestWithParam<SimdLevel> {
  protected:
    const Kernels& k_ = *kernels_of(GetParam());
};

std::string level_name(const ::testing::TestParamInfo<SimdLevel>& info) {
    return kernels_of(info.param)->name;
}

INSTANTIATE_TEST_SUITE_P(Levels, KernelsTest, ::testing::ValuesIn(levels()), level_name);

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

// A FastScan input: blocks of codes, a weight for each dimension, and factors that are exact in float.
struct ScanCase {
    ScanCase(Random& random, std::size_t dims, unsigned plane_count, std::size_t block_count,
             std::size_t slack)
        : code_dims(dims),
          bits(plane_count),
          blocks(block_count),
          weights(dims),
          codes(block_count * plane_count * dims * 2, slack),
          low(dims * 2, slack),
          high(dims * 2, slack),
          add(block_count * kBlockLanes),
          rescale(block_count * kBlockLanes),
          centroid(block_count * kBlockLanes, slack),
          term(256) {
        for (std::uint8_t& byte : codes) byte = static_cast<std::uint8_t>(uniform(random, 0, 255));
        for (int& weight : weights) weight = uniform(random, 0, 31);
        for (float& value : add) value = static_cast<float>(uniform(random, -1000, 1000));
        for (f16& half : rescale) half = static_cast<f16>(uniform(random, 14, 16) << 10);  // 0.5, 1 or 2
        for (std::uint8_t& c : centroid) c = static_cast<std::uint8_t>(uniform(random, 0, 255));
        for (float& value : term) value = static_cast<float>(uniform(random, -1000, 1000));
        fill_tables();
    }

    // Each entry is the sum of the weights of its set bits, at most 4 * 31 = 124.
    void fill_tables() {
        for (std::size_t i = 0; i < 16 * (code_dims / 8); ++i) {
            int sums[2] = {0, 0};
            for (std::size_t bit = 0; bit < 4; ++bit) {
                if ((i % 16 >> bit & 1) == 0) continue;
                sums[0] += weights[i / 16 * 8 + bit];
                sums[1] += weights[i / 16 * 8 + 4 + bit];
            }
            low[i] = static_cast<std::uint8_t>(sums[0]);
            high[i] = static_cast<std::uint8_t>(sums[1]);
        }
    }

    // Bit by bit, as CodeBlocks describes it.
    int sum(std::size_t block, std::size_t lane) {
        int result = 0;
        for (unsigned plane = 0; plane < bits; ++plane) {
            for (std::size_t dim = 0; dim < code_dims; ++dim) {
                const std::size_t byte = ((block * bits + plane) * code_dims / 8 + dim / 8) * 16 + lane;
                if ((codes[byte] >> dim % 8 & 1) != 0) result += weights[dim] << plane;
            }
        }
        return result;
    }

    CodeBlocks edges() { return {codes.data(), add.data(), rescale.data(), centroid.data(), blocks}; }

    QueryTable query() {
        return {low.data(), high.data(), term.data(), code_dims, bits, scale, offset, rescale_unit};
    }

    std::size_t code_dims;
    unsigned bits;
    std::size_t blocks;
    float scale = 2.0f;
    float offset = -3.0f;
    float rescale_unit = 0.5f;
    std::vector<int> weights;
    GuardedArray<std::uint8_t> codes, low, high;
    GuardedArray<float> add;
    GuardedArray<f16> rescale;
    GuardedArray<std::uint8_t> centroid;
    GuardedArray<float> term;
};

void expect_exact_scan(const Kernels& k, ScanCase& input) {
    GuardedArray<float> estimates(input.blocks * kBlockLanes);
    k.scan(input.edges(), input.query(), estimates.data());
    for (std::size_t i = 0; i < estimates.size(); ++i) {
        const int sum = input.sum(i / kBlockLanes, i % kBlockLanes);
        const double product = 2.0 * sum - 3.0;
        const double expected =
            input.add[i] + input.term[input.centroid[i]] + half_value(input.rescale[i]) * 0.5 * product;
        ASSERT_EQ(estimates[i], expected)
            << "dims " << input.code_dims << " bits " << input.bits << " lane " << i;
    }
}

TEST_P(KernelsTest, ScanFollowsTheDefinition) {
    Random random(5);
    for (std::size_t code_dims : {16, 32, 48, 64, 96, 112, 128, 240, 768, 1008, 1536, 2048}) {
        for (unsigned bits : {1u, 2u, 4u}) {
            for (std::size_t blocks : {0, 1, 2, 3, 4, 5, 6, 9}) {
                ScanCase input(random, code_dims, bits, blocks, blocks % 2);
                expect_exact_scan(k_, input);
            }
        }
    }
}

// The largest sums there are: a table of 127s, twice 256 entries in each of the four planes.
TEST_P(KernelsTest, ScanDoesNotOverflow) {
    Random random(6);
    ScanCase input(random, kMaxCodeDims, 4, 2, 0);
    for (std::uint8_t& entry : input.low) entry = 127;
    for (std::uint8_t& entry : input.high) entry = 127;
    for (float& value : input.add) value = 0;
    for (float& value : input.term) value = 0;
    for (f16& half : input.rescale) half = 0x3c00;
    input.scale = 1;
    input.offset = 0;
    input.rescale_unit = 1;
    GuardedArray<float> estimates(32);
    k_.scan(input.edges(), input.query(), estimates.data());
    for (float estimate : estimates) EXPECT_EQ(estimate, 256 * 254 * 15);
}

TEST_P(KernelsTest, ScanIsCloseWithRandomFactors) {
    Random random(7);
    std::normal_distribution<float> normal;
    ScanCase input(random, 768, 2, 5, 0);
    input.scale = 0.0123f;
    input.offset = -7.89f;
    input.rescale_unit = 0.00321f;
    for (float& value : input.add) value = normal(random);
    for (float& value : input.term) value = normal(random);
    for (f16& half : input.rescale) half = static_cast<f16>(uniform(random, 0, 0x7bff));
    GuardedArray<float> estimates(80);
    k_.scan(input.edges(), input.query(), estimates.data());
    for (std::size_t i = 0; i < estimates.size(); ++i) {
        const double product = double{input.scale} * input.sum(i / 16, i % 16) + double{input.offset};
        const double scaled = double{half_value(input.rescale[i])} * double{input.rescale_unit} * product;
        const double term = input.term[input.centroid[i]];
        EXPECT_NEAR(estimates[i], input.add[i] + term + scaled, 1e-6 * (std::fabs(scaled) + 8)) << i;
    }
}

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
        GuardedArray<X> x(n, n % 2);
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

TEST_P(KernelsTest, TableNamesItsLevel) {
    EXPECT_EQ(k_.level, GetParam());
    const char* names[] = {"scalar", "sse2", "avx2", "avx512", "neon"};
    EXPECT_STREQ(k_.name, names[static_cast<std::size_t>(GetParam())]);
}

TEST(SimdLevelTest, TheBestLevelIsInForceAtTheStart) {
    EXPECT_EQ(kernels().level, best_simd_level());
    EXPECT_EQ(levels().back(), best_simd_level());
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
}  // namespace vecidx

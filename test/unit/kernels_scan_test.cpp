// The FastScan kernel at every SIMD level against its definition, evaluated bit by bit. Inputs are such that
// the results are exact in float.
#include "vecidx/kernels.hpp"

#include "kernels_support.hpp"

namespace vecidx::test {
namespace {

INSTANTIATE_TEST_SUITE_P(Levels, KernelsTest, ::testing::ValuesIn(simd_levels()), level_name);

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

}  // namespace
}  // namespace vecidx::test

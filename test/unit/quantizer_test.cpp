// Codes and their estimates: the formula of quantizer.hpp evaluated in double from the code's bits, against
// true distances (unbiased, within RaBitQ's bound) and against what tables and kernels give.
#include "vecidx/quantizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "support.hpp"
#include "vecidx/rotation.hpp"

namespace vecidx::test {
namespace {

struct Shape {
    std::size_t padded, code_dims;
    unsigned bits;
    std::size_t centroids;
};

constexpr Shape kShapes[] = {{128, 128, 1, 1},  {128, 128, 2, 1}, {128, 128, 4, 1}, {256, 256, 1, 16},
                             {256, 256, 2, 16}, {64, 64, 4, 5},   {768, 768, 1, 4}, {768, 384, 1, 4},
                             {512, 256, 2, 3},  {512, 128, 4, 3}, {80, 80, 2, 2},   {16, 16, 4, 1},
                             {2048, 2048, 1, 2}};

std::ostream& operator<<(std::ostream& out, const Shape& s) {
    return out << s.padded << " dims, " << s.code_dims << " coded, " << s.bits << " bits, " << s.centroids
               << " centroids";
}

// A codebook whose centroids are rotated random vectors, and vectors around them.
struct Scene {
    explicit Scene(const Shape& s, float scale = 1, std::uint64_t seed = 1) : shape(s), random(seed) {
        for (std::size_t c = 0; c < s.centroids; ++c) {
            const std::vector<float> x = rotated(scale * 0.7f);
            centroids.insert(centroids.end(), x.begin(), x.end());
        }
        book.padded = s.padded;
        book.code_dims = s.code_dims;
        book.bits = s.bits;
        book.centroid_count = s.centroids;
        book.centroids = centroids.data();
        book.rescale_unit = 0.37f * scale;
    }

    std::vector<float> rotated(float scale) {
        std::vector<float> x = normal_vector(random, shape.padded, scale);
        for (std::size_t i = 0; i < shape.padded; i += 2) x[i] *= 0.05f;  // far from isotropic before it
        rotate(x.data(), shape.padded);
        return x;
    }

    Shape shape;
    Generator random;
    std::vector<float> centroids;
    Codebook book;
};

// The code's levels, centred at zero, from its bits.
std::vector<double> levels_of(const Codebook& book, const std::uint8_t* code) {
    std::vector<double> x(book.code_dims, -0.5 * ((1 << book.bits) - 1));
    for (std::size_t i = 0; i < book.code_dims; ++i)
        for (unsigned p = 0; p < book.bits; ++p)
            x[i] += (code[p * book.plane_bytes() + i / 8] >> i % 8 & 1) << p;
    return x;
}

double rescale_of(const Codebook& book, const CodeFactors& factors) {
    float half;
    kernels().from_f16(&factors.rescale, &half, 1);
    return double{half} * book.rescale_unit;
}

double estimate(const Codebook& book, const CodeFactors& factors, const std::uint8_t* code, const float* q) {
    const std::vector<double> x = levels_of(book, code);
    double product = 0;
    for (std::size_t i = 0; i < x.size(); ++i) product += q[i] * x[i];
    return squared_distance(q, book.centroid(factors.centroid), book.padded) + factors.add +
           rescale_of(book, factors) * product;
}

// What the paper bounds the error by, for one standard deviation: 2 |r| |q - c| sqrt((1 - w^2) / w^2 / (D -
// 1)) where w is the cosine between r and its code.
double deviation(const Codebook& book, const float* z, const float* q, const CodeFactors& factors,
                 const std::uint8_t* code) {
    const float* c = book.centroid(factors.centroid);
    const std::vector<double> x = levels_of(book, code);
    double product = 0, size = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        product += x[i] * (double{z[i]} - c[i]);
        size += x[i] * x[i];
    }
    const double residual = squared_distance(z, c, book.padded);
    const double cosine_squared = product * product / size / residual;
    return 2 * std::sqrt(residual * squared_distance(q, c, book.padded) * (1 - cosine_squared) /
                         cosine_squared / static_cast<double>(book.padded - 1));
}

TEST(QuantizerTest, EstimatesAreUnbiasedAndWithinThePapersBound) {
    for (const Shape& shape : kShapes) {
        double sum = 0, squares = 0;
        int beyond = 0;
        constexpr int kPairs = 1500;
        std::unique_ptr<Scene> current;
        for (int i = 0; i < kPairs; ++i) {
            // Pairs that share a centroid are not independent.
            if (i % 5 == 0) current = std::make_unique<Scene>(shape, 1, i);
            Scene& scene = *current;
            std::vector<std::uint8_t> code(scene.book.code_bytes());
            const std::vector<float> z = scene.rotated(1), q = scene.rotated(1.3f);
            const std::uint8_t c = nearest_centroid(scene.book, z.data());
            const CodeFactors factors = encode(scene.book, z.data(), c, code.data());
            EXPECT_EQ(factors.centroid, c);
            const double truth = squared_distance(q.data(), z.data(), shape.padded);
            const double error = (estimate(scene.book, factors, code.data(), q.data()) - truth) /
                                 deviation(scene.book, z.data(), q.data(), factors, code.data());
            sum += error;
            squares += error * error;
            beyond += std::fabs(error) > 1.9 ? 1 : 0;
        }
        EXPECT_NEAR(sum / kPairs, 0, 4.5 / std::sqrt(kPairs)) << shape;
        EXPECT_NEAR(std::sqrt(squares / kPairs), 1, 0.15) << shape;
        EXPECT_LT(beyond, kPairs * 0.09) << shape;
    }
}

// `add` goes with the factor as stored, here in so coarse a unit that rounding it is felt.
TEST(QuantizerTest, AddGoesWithTheStoredFactor) {
    for (const Shape& shape : kShapes) {
        Scene scene(shape);
        scene.book.rescale_unit = 1e6f;
        std::vector<std::uint8_t> code(scene.book.code_bytes());
        const std::vector<float> z = scene.rotated(1);
        const CodeFactors factors = encode(scene.book, z.data(), 0, code.data());
        const std::vector<double> x = levels_of(scene.book, code.data());
        double product = 0;
        for (std::size_t i = 0; i < x.size(); ++i) product += x[i] * scene.centroids[i];
        const double residual = squared_distance(z.data(), scene.centroids.data(), shape.padded);
        EXPECT_NEAR(factors.add, residual - rescale_of(scene.book, factors) * product, 1e-5 * residual)
            << shape;
    }
}

// How well a code of B bits fits: the cosine between a Gaussian residual and its code (0.798 for signs; the
// others from the optimal uniform quantizers).
TEST(QuantizerTest, CodesFitAsWellAsTheirBitsAllow) {
    const double least[] = {0, 0.79, 0.935, 0, 0.993};
    for (unsigned bits : {1u, 2u, 4u}) {
        Scene scene({256, 256, bits, 1});
        std::vector<std::uint8_t> code(scene.book.code_bytes());
        double mean = 0;
        for (int i = 0; i < 50; ++i) {
            std::vector<float> z = normal_vector(scene.random, 256);
            for (std::size_t d = 0; d < 256; ++d) z[d] += scene.centroids[d];
            encode(scene.book, z.data(), 0, code.data());
            const std::vector<double> x = levels_of(scene.book, code.data());
            double product = 0, size = 0;
            for (std::size_t d = 0; d < 256; ++d) {
                product += x[d] * (double{z[d]} - scene.centroids[d]);
                size += x[d] * x[d];
            }
            mean += product / std::sqrt(size * squared_distance(z.data(), scene.centroids.data(), 256)) / 50;
        }
        EXPECT_GT(mean, least[bits]) << bits;
        EXPECT_LT(mean, 1) << bits;
    }
}

// A code is checked against its vector on another machine: factors and bits must not depend on the level.
TEST(QuantizerTest, CodesAreTheSameAtEveryLevel) {
    for (const Shape& shape : kShapes) {
        Scene scene(shape);
        const std::vector<float> z = scene.rotated(1);
        std::vector<std::uint8_t> expected(scene.book.code_bytes()), code(scene.book.code_bytes());
        const auto centroid = static_cast<std::uint8_t>(shape.centroids - 1);
        const CodeFactors first = encode(scene.book, z.data(), centroid, expected.data());
        at_each_level([&](const Kernels& k) {
            std::fill(code.begin(), code.end(), std::uint8_t{0xff});
            const CodeFactors factors = encode(scene.book, z.data(), centroid, code.data());
            EXPECT_EQ(code, expected) << k.name;
            EXPECT_EQ(factors.add, first.add) << k.name;
            EXPECT_EQ(factors.rescale, first.rescale) << k.name;
        });
    }
}

// Codes of 32 vectors in blocks, as a node holds them.
struct Block {
    explicit Block(Scene& scene)
        : codes(kLanes * scene.book.code_bytes()), add(kLanes), rescale(kLanes), centroid(kLanes) {
        const std::size_t size = scene.book.code_bytes();
        std::vector<std::uint8_t> code(size);
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const std::vector<float> z = scene.rotated(1);
            factors.push_back(
                encode(scene.book, z.data(), nearest_centroid(scene.book, z.data()), code.data()));
            for (std::size_t j = 0; j < size; ++j)
                codes[lane / kBlockLanes * size * kBlockLanes + j * kBlockLanes + lane % kBlockLanes] =
                    code[j];
            plain.push_back(code);
            add[lane] = factors[lane].add;
            rescale[lane] = factors[lane].rescale;
            centroid[lane] = factors[lane].centroid;
        }
    }

    CodeBlocks view() const { return {codes.data(), add.data(), rescale.data(), centroid.data(), 2}; }

    static constexpr std::size_t kLanes = 2 * kBlockLanes;
    std::vector<CodeFactors> factors;
    std::vector<std::vector<std::uint8_t>> plain;
    std::vector<std::uint8_t> codes;
    std::vector<float> add;
    std::vector<f16> rescale;
    std::vector<std::uint8_t> centroid;
};

// A table's entry is off by up to half a step, evenly: over all entries and planes the errors add up as
// random ones do.
TEST(QuantizerTest, ScannedEstimatesFollowTheFormulaWithinTheTable) {
    for (const Shape& shape : kShapes) {
        Scene scene(shape);
        const Block block(scene);
        QueryCode query(std::pmr::new_delete_resource());
        for (int round = 0; round < 3; ++round) {
            const std::vector<float> q = scene.rotated(1.3f);
            query.prepare(scene.book, q.data());
            for (std::size_t c = 0; c < shape.centroids; ++c) {
                const double truth = squared_distance(q.data(), scene.book.centroid(c), shape.padded);
                EXPECT_NEAR(query.centroid_distances()[c], truth, 1e-5 * truth) << shape;
            }
            const QueryTable& table = query.table();
            EXPECT_GE(std::max(*std::max_element(table.low, table.low + 2 * shape.code_dims),
                               *std::max_element(table.high, table.high + 2 * shape.code_dims)),
                      126)
                << "the table's range is not used";
            const double planes = (std::pow(4, shape.bits) - 1) / 3;  // squares of the planes' weights
            const double entries = static_cast<double>(shape.code_dims) / 4;
            const double step_error = table.scale * std::sqrt(planes * entries / 12);
            at_each_level([&](const Kernels& k) {
                float estimates[Block::kLanes];
                k.scan(block.view(), table, estimates);
                double sum = 0;
                for (std::size_t lane = 0; lane < Block::kLanes; ++lane) {
                    const CodeFactors& factors = block.factors[lane];
                    const double expected = estimate(scene.book, factors, block.plain[lane].data(), q.data());
                    const double unit = std::fabs(rescale_of(scene.book, factors)) * step_error;
                    const double off = estimates[lane] - expected;
                    EXPECT_LT(std::fabs(off), 5 * unit + 1e-5 * expected) << k.name << " " << shape;
                    sum += off / unit / Block::kLanes;
                }
                EXPECT_LT(std::fabs(sum), 3) << k.name << " " << shape;
            });
        }
    }
}

TEST(QuantizerTest, NearestCentroidTakesTheLowerOfEquals) {
    Scene scene({32, 32, 1, 4});
    std::copy_n(scene.centroids.begin() + 32, 32, scene.centroids.begin() + 96);
    for (std::size_t c = 0; c < 4; ++c)
        EXPECT_EQ(nearest_centroid(scene.book, scene.book.centroid(c)), c == 3 ? 1 : c);
}

// Vectors and queries without a direction, and magnitudes far from one: all stays finite.
TEST(QuantizerTest, DegenerateInputs) {
    for (const Shape& shape : kShapes) {
        for (float scale : {1e-12f, 1.0f, 1e12f}) {
            Scene scene(shape, scale);
            std::vector<std::uint8_t> code(scene.book.code_bytes());
            const float* c = scene.book.centroid(0);
            const CodeFactors factors = encode(scene.book, c, 0, code.data());
            EXPECT_EQ(factors.add, 0);
            EXPECT_EQ(rescale_of(scene.book, factors), 0);
            const std::vector<float> zero(shape.padded), q = scene.rotated(scale), z = scene.rotated(scale);
            const CodeFactors other = encode(scene.book, z.data(), 0, code.data());
            const double truth = squared_distance(z.data(), q.data(), shape.padded);
            EXPECT_NEAR(estimate(scene.book, other, code.data(), q.data()), truth,
                        6 * deviation(scene.book, z.data(), q.data(), other, code.data()));
            QueryCode query(std::pmr::new_delete_resource());
            query.prepare(scene.book, zero.data());
            EXPECT_TRUE(std::isfinite(query.table().scale) && query.table().scale > 0);
            EXPECT_EQ(query.table().offset, 0);
        }
    }
}

}  // namespace
}  // namespace vecidx::test

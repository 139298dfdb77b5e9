// Spaces: each metric's order survives the embedding, and a lower bound never exceeds the operator's
// distance, computed in double or as the SQL operators do, at every SIMD level, on inputs chosen to break it.
#include "vecidx/space.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>

#include "support.hpp"
namespace vecidx::test {
namespace {

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kInnerProduct, Metric::kCosine, Metric::kL1};

std::string name(Metric metric) {
    constexpr const char* kNames[] = {"L2", "inner product", "cosine", "L1"};
    return kNames[static_cast<int>(metric)];
}

double cosine_distance(double dot, double norm_a, double norm_b) {
    return 1 - std::clamp(dot / std::sqrt(norm_a * norm_b), -1.0, 1.0);
}

double exact_distance(Metric metric, const float* a, const float* b, std::size_t n) {
    double l1 = 0;
    for (std::size_t i = 0; i < n; ++i) l1 += std::fabs(double{a[i]} - b[i]);
    switch (metric) {
        case Metric::kL2:
            return std::sqrt(squared_distance(a, b, n));
        case Metric::kInnerProduct:
            return -dot(a, b, n);
        case Metric::kCosine:
            return cosine_distance(dot(a, b, n), dot(a, a, n), dot(b, b, n));
        default:
            return l1;
    }
}

// As src/types/vector_distance.cpp computes it.
double operator_distance(const Kernels& k, Metric metric, const float* a, const float* b, std::size_t n) {
    const DotNorms sums = k.dot_norms(a, b, n);
    const auto exact = [](float norm) { return norm >= 1e-25f && std::isfinite(norm); };
    switch (metric) {
        case Metric::kL2:
            return std::sqrt(double{k.l2_squared(a, b, n)});
        case Metric::kInnerProduct:
            return -double{k.inner_product(a, b, n)};
        case Metric::kCosine:
            if (exact(sums.norm_a) && exact(sums.norm_b))
                return cosine_distance(sums.dot, sums.norm_a, sums.norm_b);
            return exact_distance(metric, a, b, n);
        default:
            return k.l1(a, b, n);
    }
}

enum class Origin { kZero, kNear };

struct Setting {
    Metric metric;
    OwnFormat format;
    Origin origin;
};

std::vector<Setting> settings() {
    std::vector<Setting> result;
    for (Metric metric : kMetrics)
        for (OwnFormat format : {OwnFormat::kF16, OwnFormat::kI8})
            for (Origin origin : {Origin::kZero, Origin::kNear}) result.push_back({metric, format, origin});
    return result;
}

std::string describe(const Setting& s) {
    return name(s.metric) + (s.format == OwnFormat::kF16 ? ", halves" : ", bytes") +
           (s.origin == Origin::kNear ? ", shifted" : "");
}

// What an index knows of a pair, made as the index makes it.
struct Bound {
    Bound(const Setting& setting, const std::vector<float>& x, const std::vector<float>& q)
        : space(setting.metric, x.size()), y(space.padded), mean(space.padded), z(space.padded) {
        const double x_norm = space.embed(x.data(), y.data());
        const double max_norm = 1.7 * x_norm;
        std::vector<float> direction(space.padded);
        space.lift_direction(direction.data());
        space.lift(y.data(), x_norm, max_norm, direction.data());
        if (setting.origin == Origin::kNear)
            for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = i % 3 == 0 ? 0.9f * y[i] : 1.05f * y[i];
        for (std::size_t i = 0; i < z.size(); ++i) z[i] = y[i] - mean[i];
        bytes.resize(stored_bytes(setting.format, space.padded));
        stored = {bytes.data(), store_vector(setting.format, z.data(), space.padded, bytes.data()),
                  setting.format};
        error = space.storage_error(z.data(), stored);

        std::vector<float> embedded(space.padded);
        query = embed_query(space, q.data(), max_norm, embedded.data());
        for (std::size_t i = 0; i < mean.size(); ++i) embedded[i] -= mean[i];
        load_vector(stored, space.padded, z.data());
        for (std::size_t i = 0; i < mean.size(); ++i) z[i] += mean[i];
        norm_squared = static_cast<float>(dot(z.data(), z.data(), space.padded));
        l2 = l2_squared(kernels(), embedded.data(), stored, space.padded);
        const float l1_distance = l1(kernels(), embedded.data(), stored, space.padded);
        value = query.bounds(l2, l1_distance, error, norm_squared).lower;
    }

    Space space;
    std::vector<float> y, mean, z;
    std::vector<std::byte> bytes;
    StoredVector stored;
    SpaceQuery query;
    float error, norm_squared, l2;
    double value;
};

struct Case {
    std::string name;
    std::vector<float> x, q;
};

std::vector<Case> cases(std::size_t n, std::uint64_t seed) {
    Generator random(seed);
    std::vector<Case> result;
    const auto add = [&](std::string label, float x_scale, float q_scale) {
        result.push_back({label, normal_vector(random, n, x_scale), normal_vector(random, n, q_scale)});
    };
    add("ordinary", 1, 1);
    add("tiny", 1e-15f, 1e-15f);
    add("squares underflow", 1e-22f, 1e-22f);
    add("subnormal", 1e-38f, 1e-39f);
    add("huge", 1e15f, 1e15f);
    add("squares overflow", 1e20f, 1e20f);
    add("rotation overflows", 1e38f, 1e38f);
    add("short query", 1, 1e-12f);
    add("long query", 1, 1e12f);
    for (float noise : {1e-7f, 1e-6f, 1e-5f, 1e-4f, 1e-3f}) {
        Case near{"near-duplicate", normal_vector(random, n), {}};
        near.q = near.x;
        for (float& v : near.q) v *= 1 + noise * normal(random);
        result.push_back(near);
        for (float& v : near.x)
            v = std::nearbyint(8 * v);  // exact as halves: no storage error to hide behind
        near.q = near.x;
        for (float& v : near.q) v += noise * normal(random);
        result.push_back(near);
    }
    Case offset{"far from zero", normal_vector(random, n), normal_vector(random, n)};
    for (float& v : offset.x) v += 3000;
    for (float& v : offset.q) v += 3000;
    result.push_back(offset);
    Case mixed{"mixed magnitudes", normal_vector(random, n), normal_vector(random, n)};
    for (std::size_t i = 0; i < n; ++i) {
        const float scale = std::pow(10.0f, static_cast<float>(random() % 17) - 8);
        mixed.x[i] *= scale;
        mixed.q[i] *= scale;
    }
    result.push_back(mixed);
    for (float value : {0.1f, 0.7f, 1.3f, 0.3337f})  // rounding of equal terms goes one way
        result.push_back({"constant", std::vector<float>(n, value), std::vector<float>(n, value - 0.9f)});
    Case one{"one hot", std::vector<float>(n), std::vector<float>(n)};
    one.x[0] = one.q[n - 1] = 1;
    result.push_back(one);
    result.push_back({"same", mixed.x, mixed.x});
    result.push_back({"opposite", mixed.x, mixed.x});
    for (float& v : result.back().q) v = -v;
    result.push_back({"zero stored", std::vector<float>(n), normal_vector(random, n)});
    return result;
}

void expect_bound(const Setting& setting, const Case& c) {
    const std::size_t n = c.x.size();
    const Bound bound(setting, c.x, c.q);
    const std::string what = c.name + ", " + describe(setting) + ", dims " + std::to_string(n);
    EXPECT_FALSE(std::isnan(bound.value)) << what;
    const double exact = exact_distance(setting.metric, c.x.data(), c.q.data(), n);
    EXPECT_FALSE(bound.value > exact) << what << ": " << bound.value << " > " << exact;
    for (SimdLevel level : simd_levels()) {
        const Kernels& k = *kernels_of(level);
        const double shown = operator_distance(k, setting.metric, c.x.data(), c.q.data(), n);
        EXPECT_FALSE(bound.value > shown) << what << ", " << k.name << ": " << bound.value << " > " << shown;
    }
}

TEST(SpaceTest, BoundsAreNeverAboveTheOperators) {
    for (std::size_t dims : {1, 3, 16, 100, 768, 1000})
        for (const Case& c : cases(dims, dims))
            for (const Setting& setting : settings())
                if (setting.metric != Metric::kCosine || c.name != "zero stored") expect_bound(setting, c);
}

TEST(SpaceTest, BoundsHoldAtEveryLevelAndInTheMostDimensions) {
    const std::vector<Case> all = cases(16000, 7);
    at_each_level([&](const Kernels&) {
        for (const Case& c : all)
            for (const Setting& setting : settings())
                if (setting.metric != Metric::kCosine || c.name != "zero stored") expect_bound(setting, c);
    });
}

// The bound gives away twice the storage error (stored on the far side, then taken off) and some rounding.
TEST(SpaceTest, BoundsAreTight) {
    Generator random(3);
    for (std::size_t dims : {16, 100, 768}) {
        const Rows rows = clustered_rows(random, 40, dims);
        for (const Setting& setting : settings()) {
            for (std::size_t i = 1; i < rows.count; ++i) {
                const std::vector<float> x(rows[0], rows[0] + dims), q(rows[i], rows[i] + dims);
                const Bound b(setting, x, q);
                const double exact = exact_distance(setting.metric, x.data(), q.data(), dims);
                const double sizes = b.query.norm + std::sqrt(double{b.norm_squared});
                const double off = 2 * b.error + 4 * b.query.rounding * sizes;
                const double distance = std::sqrt(double{b.l2});
                double room = off;
                if (setting.metric == Metric::kCosine) room = distance * off + off * off;
                if (setting.metric == Metric::kInnerProduct) room = b.query.scale * b.query.norm * off * 2;
                if (setting.metric == Metric::kL1) room += 4 * b.query.rounding * exact;
                if (setting.metric == Metric::kCosine) room += 2 * b.query.rounding;
                EXPECT_GE(b.value, exact - room) << describe(setting) << " " << dims;
                EXPECT_LT(b.query.rounding, 5e-5);
            }
        }
    }
}

TEST(SpaceTest, StorageErrorCoversWhatIsStored) {
    Generator random(4);
    for (const Setting& setting : settings()) {
        for (float scale : {1e-30f, 1.0f, 1e15f}) {
            const Bound b(setting, normal_vector(random, 100, scale), normal_vector(random, 100));
            double l1 = 0;
            for (std::size_t i = 0; i < b.y.size(); ++i) l1 += std::fabs(double{b.y[i]} - b.z[i]);
            const double off = setting.metric == Metric::kL1
                                   ? l1
                                   : std::sqrt(squared_distance(b.y.data(), b.z.data(), b.y.size()));
            const double size = setting.metric == Metric::kL1 ? 100 * norm(b.y.data(), b.y.size())
                                                              : norm(b.y.data(), b.y.size());
            EXPECT_LE(off, b.error + 1e-6 * size) << describe(setting);
            EXPECT_LE(b.error, 1.01 * off + 1e-5 * size) << describe(setting);
        }
    }
}

// Squared L2 between embeddings orders as the metric does.
TEST(SpaceTest, OrderIsPreserved) {
    Generator random(5);
    const std::size_t dims = 50;
    const Rows rows = clustered_rows(random, 200, dims);
    for (Metric metric : {Metric::kL2, Metric::kInnerProduct, Metric::kCosine}) {
        const Space space(metric, dims);
        double max_norm = 0;
        for (std::size_t i = 1; i < rows.count; ++i)
            max_norm = std::max(max_norm, dot(rows[i], rows[i], dims));
        std::vector<float> q(space.padded), y(space.padded), direction(space.padded);
        space.lift_direction(direction.data());
        embed_query(space, rows[0], max_norm, q.data());
        std::vector<std::pair<double, double>> pairs;
        for (std::size_t i = 1; i < rows.count; ++i) {
            space.lift(y.data(), space.embed(rows[i], y.data()), max_norm, direction.data());
            pairs.emplace_back(squared_distance(q.data(), y.data(), space.padded),
                               exact_distance(metric, rows[0], rows[i], dims));
        }
        std::sort(pairs.begin(), pairs.end());
        const double spread = std::fabs(pairs.back().second - pairs.front().second);
        EXPECT_GT(spread, 0.1);
        for (std::size_t i = 1; i < pairs.size(); ++i)
            EXPECT_GE(pairs[i].second, pairs[i - 1].second - 1e-5 * spread) << name(metric) << " " << i;
    }
}

TEST(SpaceTest, EmbeddingsHaveTheDocumentedLengths) {
    Generator random(6);
    const std::vector<float> x = normal_vector(random, 31, 3);
    const double x_norm = norm(x.data(), x.size());
    for (Metric metric : kMetrics) {
        const Space space(metric, x.size());
        EXPECT_EQ(space.padded, 32u);
        EXPECT_EQ(Space(metric, 32).padded, metric == Metric::kInnerProduct ? 48u : 32u);
        std::vector<float> y(space.padded, 77.0f);
        EXPECT_NEAR(space.embed(x.data(), y.data()), x_norm * x_norm, 1e-12 * x_norm * x_norm);
        EXPECT_NEAR(norm(y.data(), y.size()), metric == Metric::kCosine ? 1 : x_norm, 1e-5) << name(metric);
        std::vector<float> direction(space.padded, 77.0f);
        space.lift_direction(direction.data());
        space.lift(y.data(), x_norm * x_norm, 4 * x_norm * x_norm, direction.data());
        const double lifted = metric == Metric::kInnerProduct ? 2 * x_norm
                              : metric == Metric::kCosine     ? 1
                                                              : x_norm;
        EXPECT_NEAR(norm(y.data(), y.size()), lifted, 1e-4) << name(metric);
    }
}

TEST(SpaceTest, AZeroQueryIsUndefinedForCosineOnly) {
    const std::vector<float> zero(20), x(20, 1.0f);
    for (const Setting& setting : settings()) {
        const Bound bound(setting, x, zero);
        EXPECT_EQ(bound.query.undefined, setting.metric == Metric::kCosine);
        EXPECT_EQ(std::isnan(bound.value), setting.metric == Metric::kCosine);
    }
    std::vector<float> y(32);
    EXPECT_EQ(Space(Metric::kCosine, 20).embed(zero.data(), y.data()), 0);
    for (float v : y) EXPECT_EQ(v, 0);
}

}  // namespace
}  // namespace vecidx::test

// Embeddings of the metrics and the bounds back. See space.hpp.
#include "vecidx/space.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "vecidx/rotation.hpp"
#include "vecidx/sum.hpp"

namespace vecidx {
namespace {

// Relative rounding of an embedding (rotation, lift, shift of origin), with room to spare.
constexpr double kRounding = 2e-6;

// What each term adds to the relative error of a float sum: half a unit in the last place of the sum.
constexpr double kSumRounding = 0x1p-24;

// What each term can lose when it falls below the normal floats.
constexpr double kUnderflow = 0x1p-149;

// A float sum that overflowed was at least this.
double finite(double sum) {
    return std::min<double>(sum, std::numeric_limits<float>::max());
}

double l1_norm(const float* x, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += std::fabs(x[i]);
    return sum;
}

}  // namespace

Space::Space(Metric m, std::size_t d)
    : metric(m), dims(d), padded(padded_dims(d + (m == Metric::kInnerProduct ? 1 : 0))) {}

double Space::embed(const float* x, float* y) const {
    const double norm_squared = squared_norm(x, dims);
    std::memset(y + dims, 0, (padded - dims) * sizeof(float));
    if (metric == Metric::kCosine) {
        const double inverse = norm_squared > 0 ? 1 / std::sqrt(norm_squared) : 0;
        for (std::size_t i = 0; i < dims; ++i) y[i] = static_cast<float>(x[i] * inverse);
    } else {
        std::memcpy(y, x, dims * sizeof(float));
    }
    if (metric != Metric::kL1) rotate(y, padded);
    return norm_squared;
}

void Space::lift_direction(float* direction) const {
    std::memset(direction, 0, padded * sizeof(float));
    if (metric != Metric::kInnerProduct) return;
    direction[dims] = 1;
    rotate(direction, padded);
}

void Space::lift(float* y, double norm_squared, double max_norm_squared, const float* direction) const {
    if (metric != Metric::kInnerProduct || norm_squared >= max_norm_squared) return;
    const auto height = static_cast<float>(std::sqrt(max_norm_squared - norm_squared));
    for (std::size_t i = 0; i < padded; ++i) y[i] += height * direction[i];
}

float Space::storage_error(const float* exact, const StoredVector& stored) const {
    constexpr std::size_t kChunk = 64;
    const std::size_t width = stored.format == OwnFormat::kF16 ? sizeof(f16) : 1;
    double off_sum = 0, size = 0;
    for (std::size_t base = 0; base < padded; base += kChunk) {
        const std::size_t n = std::min(kChunk, padded - base);
        float decoded[kChunk];
        load_vector({static_cast<const char*>(stored.data) + base * width, stored.unit, stored.format}, n,
                    decoded);
        const float* x = exact + base;
        const auto off = [&](std::size_t i) { return static_cast<double>(x[i]) - decoded[i]; };
        if (metric == Metric::kL1) {
            off_sum += sum_of(n, [&](std::size_t i) { return std::fabs(off(i)); });
            size += sum_of(n, [&](std::size_t i) { return std::fabs(static_cast<double>(x[i])); });
        } else {
            off_sum += sum_of(n, [&](std::size_t i) { return off(i) * off(i); });
            size += squared_norm(x, n);
        }
    }
    const double error =
        metric == Metric::kL1 ? off_sum + kRounding * size : std::sqrt(off_sum) + kRounding * std::sqrt(size);
    return std::nextafter(static_cast<float>(error), std::numeric_limits<float>::infinity());
}

SpaceQuery embed_query(const Space& space, const float* q, double max_norm_squared, float* y) {
    const double norm_squared = space.embed(q, y);
    const auto terms = static_cast<double>(space.padded);
    SpaceQuery query{space.metric,      false, std::sqrt(norm_squared), 1, kRounding + kSumRounding * terms,
                     kUnderflow * terms};
    if (space.metric == Metric::kCosine) {
        query.undefined = norm_squared == 0;
        query.norm = 1;
    }
    if (space.metric == Metric::kL1) query.norm = l1_norm(y, space.padded);
    if (space.metric == Metric::kInnerProduct && max_norm_squared > 0 && norm_squared > 0) {
        query.scale = std::sqrt(norm_squared / max_norm_squared);
        const double inverse = 1 / query.scale;
        for (std::size_t i = 0; i < space.padded; ++i) y[i] = static_cast<float>(y[i] * inverse);
        query.norm = std::sqrt(max_norm_squared);
    }
    return query;
}

Bounds SpaceQuery::bounds(double l2_squared, double l1, double error, double norm_squared) const {
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    if (undefined) return {kNaN, kNaN};
    if (metric == Metric::kInnerProduct) {
        l2_squared = finite(l2_squared);
        const double sizes = norm * norm + norm_squared;
        const double slack = error * norm + rounding * (sizes + l2_squared) + underflow;
        const double dot = (sizes - l2_squared) / 2;
        const double lower = -scale * (dot + slack) - underflow, upper = -scale * (dot - slack) + underflow;
        return {std::isnan(lower) ? -kInfinity : lower, std::isnan(upper) ? kInfinity : upper};
    }
    const double slack = error + kRounding * norm;
    // A NaN, of an embedding that overflowed, becomes 0 below: it is the second argument of max. Above it
    // becomes infinity.
    if (metric == Metric::kL1) {
        const double upper = l1 * (1 + 2 * rounding) + slack + underflow;
        return {std::max(0.0, finite(l1) * (1 - 2 * rounding) - slack - underflow),
                std::isnan(upper) ? kInfinity : upper};
    }
    const double near = std::sqrt(std::max(0.0, finite(l2_squared) - 2 * underflow));
    const double lower = std::max(0.0, near * (1 - rounding) - slack);
    const double far = std::sqrt(l2_squared + 2 * underflow) * (1 + rounding) + slack;
    const double upper = std::isnan(far) ? kInfinity : far;
    // Near 0 the operator's cosine is off by the rounding of sums of size 1.
    if (metric == Metric::kCosine)
        return {std::max(0.0, lower * lower / 2 - rounding), upper * upper / 2 + rounding};
    return {lower, upper};
}

}  // namespace vecidx

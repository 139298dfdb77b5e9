// The distances between two values of the type vector, as SQL functions. The sums come from the SIMD kernels
// in single precision, so they overflow to infinity as pgvector's do; only the cosine, which has an answer
// for any two vectors, is kept exact where single precision is not enough.
#include "pg/function.hpp"
#include "types/checks.hpp"
#include "vecidx/kernels.hpp"

namespace vecidx {
namespace {

// Squares below the smallest normal float lose digits. With a sum of squares of at least this, what 16,000 of
// them can lose is less than the rounding of the sum.
constexpr float kSmallestExactNorm = 1e-25f;

bool is_exact(float squared_norm) {
    return squared_norm >= kSmallestExactNorm && std::isfinite(squared_norm);
}

double squared_l2_distance(VectorView a, VectorView b) {
    check_same_dims(a, b);
    return kernels().l2_squared(a.data(), b.data(), a.size());
}

double l2_distance(VectorView a, VectorView b) {
    return std::sqrt(squared_l2_distance(a, b));
}

double inner_product(VectorView a, VectorView b) {
    check_same_dims(a, b);
    return kernels().inner_product(a.data(), b.data(), a.size());
}

double negative_inner_product(VectorView a, VectorView b) {
    return -inner_product(a, b);
}

double l1_distance(VectorView a, VectorView b) {
    check_same_dims(a, b);
    return kernels().l1(a.data(), b.data(), a.size());
}

// No square of a float leaves the range of double, nor does the product of two sums of them.
double cosine_in_double(VectorView a, VectorView b) {
    double dot = 0, norm_a = 0, norm_b = 0;
    for (std::size_t i = 0; i < a.size(); i++) {
        const double x = a[i], y = b[i];
        dot += x * y;
        norm_a += x * x;
        norm_b += y * y;
    }
    return dot / std::sqrt(norm_a * norm_b);
}

// NaN when one of the vectors is zero.
double cosine(VectorView a, VectorView b) {
    const DotNorms sums = kernels().dot_norms(a.data(), b.data(), a.size());
    if (!is_exact(sums.norm_a) || !is_exact(sums.norm_b)) return cosine_in_double(a, b);
    return sums.dot / std::sqrt(double{sums.norm_a} * sums.norm_b);
}

double cosine_distance(VectorView a, VectorView b) {
    check_same_dims(a, b);
    return 1.0 - std::clamp(cosine(a, b), -1.0, 1.0);
}

// The angle between two unit vectors, as a share of a half turn: a metric on the unit sphere.
double spherical_distance(VectorView a, VectorView b) {
    return std::acos(std::clamp(inner_product(a, b), -1.0, 1.0)) / M_PI;
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

PG_FUNCTION_INFO_V1(vecidx_l2_distance);
PGDLLEXPORT Datum vecidx_l2_distance(PG_FUNCTION_ARGS) {
    return call(fcinfo, l2_distance);
}

PG_FUNCTION_INFO_V1(vecidx_vector_l2_squared_distance);
PGDLLEXPORT Datum vecidx_vector_l2_squared_distance(PG_FUNCTION_ARGS) {
    return call(fcinfo, squared_l2_distance);
}

PG_FUNCTION_INFO_V1(vecidx_inner_product);
PGDLLEXPORT Datum vecidx_inner_product(PG_FUNCTION_ARGS) {
    return call(fcinfo, inner_product);
}

PG_FUNCTION_INFO_V1(vecidx_vector_negative_inner_product);
PGDLLEXPORT Datum vecidx_vector_negative_inner_product(PG_FUNCTION_ARGS) {
    return call(fcinfo, negative_inner_product);
}

PG_FUNCTION_INFO_V1(vecidx_cosine_distance);
PGDLLEXPORT Datum vecidx_cosine_distance(PG_FUNCTION_ARGS) {
    return call(fcinfo, cosine_distance);
}

PG_FUNCTION_INFO_V1(vecidx_l1_distance);
PGDLLEXPORT Datum vecidx_l1_distance(PG_FUNCTION_ARGS) {
    return call(fcinfo, l1_distance);
}

PG_FUNCTION_INFO_V1(vecidx_vector_spherical_distance);
PGDLLEXPORT Datum vecidx_vector_spherical_distance(PG_FUNCTION_ARGS) {
    return call(fcinfo, spherical_distance);
}
}

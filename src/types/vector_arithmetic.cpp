// Functions of one or two vectors that are no distances: sums, products, parts, norms.
#include <functional>

#include "pg/function.hpp"
#include "types/checks.hpp"

namespace vecidx {
namespace {

// Results are checked in a second pass, so that both passes vectorize.
template <typename Operation>
Vector* elementwise(VectorView a, VectorView b, Operation operation) {
    check_same_dims(a, b);
    Vector* result = new_vector<float>(a.size());
    float* out = result->values();
    for (std::size_t i = 0; i < a.size(); i++) out[i] = operation(a[i], b[i]);
    bool overflow = false;
    for (std::size_t i = 0; i < a.size(); i++) overflow |= std::isinf(out[i]);
    if (overflow) float_overflow_error();
    return result;
}

Vector* add(VectorView a, VectorView b) {
    return elementwise(a, b, std::plus<float>{});
}

Vector* subtract(VectorView a, VectorView b) {
    return elementwise(a, b, std::minus<float>{});
}

Vector* multiply(VectorView a, VectorView b) {
    Vector* result = elementwise(a, b, std::multiplies<float>{});
    const VectorView products = result->view();
    for (std::size_t i = 0; i < a.size(); i++)
        if (products[i] == 0 && a[i] != 0 && b[i] != 0) float_underflow_error();
    return result;
}

Vector* concatenate(VectorView a, VectorView b) {
    check_dims(kVectorType, a.size() + b.size());
    Vector* result = new_vector<float>(a.size() + b.size());
    float* middle = std::copy(a.begin(), a.end(), result->values());
    std::copy(b.begin(), b.end(), middle);
    return result;
}

std::int32_t dimensions(VectorView vector) {
    return static_cast<std::int32_t>(vector.size());
}

// In double, where the squares of floats neither overflow nor underflow.
double norm(VectorView vector) {
    double sum = 0;
    for (const double value : vector) sum += value * value;
    return std::sqrt(sum);
}

// The zero vector has no direction and stays what it is.
Vector* normalize(VectorView vector) {
    const double length = norm(vector);
    const double divisor = length > 0 ? length : 1;
    Vector* result = new_vector<float>(vector.size());
    std::transform(vector.begin(), vector.end(), result->values(),
                   [=](float value) { return static_cast<float>(value / divisor); });
    return result;
}

// One bit a value, set where it is above zero.
VarBit* binary_quantize(VectorView vector) {
    const int bits = static_cast<int>(vector.size());
    auto* result = static_cast<VarBit*>(palloc0(VARBITTOTALLEN(bits)));
    SET_VARSIZE(result, VARBITTOTALLEN(bits));
    VARBITLEN(result) = bits;
    for (int i = 0; i < bits; i++)
        if (vector[i] > 0) VARBITS(result)[i / 8] |= HIGHBIT >> (i % 8);
    return result;
}

// `count` values from position `start`, counted from 1. As with substring, what lies outside of the vector is
// left out; nothing left is an error.
Vector* subvector(VectorView vector, std::int32_t start, std::int32_t count) {
    const auto size = static_cast<std::int64_t>(vector.size());
    const std::int64_t begin = std::max(std::int64_t{start} - 1, std::int64_t{0});
    const std::int64_t end = std::min(std::int64_t{start} - 1 + count, size);
    const std::size_t dims = end > begin ? end - begin : 0;
    check_dims(kVectorType, dims);
    Vector* result = new_vector<float>(dims);
    std::copy_n(vector.begin() + begin, dims, result->values());
    return result;
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

PG_FUNCTION_INFO_V1(vecidx_vector_add);
PGDLLEXPORT Datum vecidx_vector_add(PG_FUNCTION_ARGS) {
    return call(fcinfo, add);
}

PG_FUNCTION_INFO_V1(vecidx_vector_sub);
PGDLLEXPORT Datum vecidx_vector_sub(PG_FUNCTION_ARGS) {
    return call(fcinfo, subtract);
}

PG_FUNCTION_INFO_V1(vecidx_vector_mul);
PGDLLEXPORT Datum vecidx_vector_mul(PG_FUNCTION_ARGS) {
    return call(fcinfo, multiply);
}

PG_FUNCTION_INFO_V1(vecidx_vector_concat);
PGDLLEXPORT Datum vecidx_vector_concat(PG_FUNCTION_ARGS) {
    return call(fcinfo, concatenate);
}

PG_FUNCTION_INFO_V1(vecidx_vector_dims);
PGDLLEXPORT Datum vecidx_vector_dims(PG_FUNCTION_ARGS) {
    return call(fcinfo, dimensions);
}

PG_FUNCTION_INFO_V1(vecidx_vector_norm);
PGDLLEXPORT Datum vecidx_vector_norm(PG_FUNCTION_ARGS) {
    return call(fcinfo, norm);
}

PG_FUNCTION_INFO_V1(vecidx_l2_normalize);
PGDLLEXPORT Datum vecidx_l2_normalize(PG_FUNCTION_ARGS) {
    return call(fcinfo, normalize);
}

PG_FUNCTION_INFO_V1(vecidx_binary_quantize);
PGDLLEXPORT Datum vecidx_binary_quantize(PG_FUNCTION_ARGS) {
    return call(fcinfo, binary_quantize);
}

PG_FUNCTION_INFO_V1(vecidx_subvector);
PGDLLEXPORT Datum vecidx_subvector(PG_FUNCTION_ARGS) {
    return call(fcinfo, subvector);
}
}

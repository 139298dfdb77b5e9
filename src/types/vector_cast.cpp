// Casts of the type vector: to itself, which checks the type modifier, and from and to arrays of numbers.
#include "pg/function.hpp"
#include "types/array_cast.hpp"

namespace vecidx {
namespace {

template <typename Element>
Vector* from_array(const ArrayType* array, std::int32_t typmod) {
    const std::size_t dims = check_array(kVectorType, array);
    check_typmod(typmod, dims);
    Vector* result = new_vector<float>(dims);
    read_array<Element>(array, {result->values(), dims});
    check_finite(kVectorType, result->view());
    return result;
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

// Returns its argument, which call() does not allow.
PG_FUNCTION_INFO_V1(vecidx_vector_to_vector);
PGDLLEXPORT Datum vecidx_vector_to_vector(PG_FUNCTION_ARGS) {
    const Vector* vector = vector_of<float>(PG_GETARG_DATUM(0));
    check_typmod(PG_GETARG_INT32(1), vector->view().size());
    PG_RETURN_POINTER(vector);
}

PG_FUNCTION_INFO_V1(vecidx_int4_array_to_vector);
PGDLLEXPORT Datum vecidx_int4_array_to_vector(PG_FUNCTION_ARGS) {
    return call(fcinfo, from_array<std::int32_t>);
}

PG_FUNCTION_INFO_V1(vecidx_float4_array_to_vector);
PGDLLEXPORT Datum vecidx_float4_array_to_vector(PG_FUNCTION_ARGS) {
    return call(fcinfo, from_array<float>);
}

PG_FUNCTION_INFO_V1(vecidx_float8_array_to_vector);
PGDLLEXPORT Datum vecidx_float8_array_to_vector(PG_FUNCTION_ARGS) {
    return call(fcinfo, from_array<double>);
}

PG_FUNCTION_INFO_V1(vecidx_numeric_array_to_vector);
PGDLLEXPORT Datum vecidx_numeric_array_to_vector(PG_FUNCTION_ARGS) {
    return call(fcinfo, from_array<NumericElement>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_to_int4_array);
PGDLLEXPORT Datum vecidx_vector_to_int4_array(PG_FUNCTION_ARGS) {
    return call(fcinfo, write_array<std::int32_t>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_to_float4_array);
PGDLLEXPORT Datum vecidx_vector_to_float4_array(PG_FUNCTION_ARGS) {
    return call(fcinfo, write_array<float>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_to_float8_array);
PGDLLEXPORT Datum vecidx_vector_to_float8_array(PG_FUNCTION_ARGS) {
    return call(fcinfo, write_array<double>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_to_numeric_array);
PGDLLEXPORT Datum vecidx_vector_to_numeric_array(PG_FUNCTION_ARGS) {
    return call(fcinfo, write_array<NumericElement>);
}
}

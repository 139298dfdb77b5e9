// Conversions between a list of floats and Postgres's arrays of numbers, one template for all element types.
#pragma once

#include <span>

#include "types/checks.hpp"

namespace vecidx {

// The element type numeric, which has no C++ type of its own.
struct NumericElement {};

// What an array needs to know of its element type.
template <typename Element>
inline constexpr Oid kElementOid = InvalidOid;
template <>
inline constexpr Oid kElementOid<std::int32_t> = INT4OID;
template <>
inline constexpr Oid kElementOid<float> = FLOAT4OID;
template <>
inline constexpr Oid kElementOid<double> = FLOAT8OID;
template <>
inline constexpr Oid kElementOid<NumericElement> = NUMERICOID;

// One element from a float, by Postgres's own cast: integers are rounded (half to even) and checked for
// range, numerics keep the six digits that Postgres grants a real.
template <typename Element>
Element element_from(float value) {
    return static_cast<Element>(value);
}
template <>
inline std::int32_t element_from<std::int32_t>(float value) {
    return DatumGetInt32(DirectFunctionCall1(ftoi4, Float4GetDatum(value)));
}

// The number of elements of an array that may become a value of `type`: one-dimensional, without nulls, and
// within the limits; data_exception, null_value_not_allowed, program_limit_exceeded.
std::size_t check_array(const TypeInfo& type, const ArrayType* array);

// Converts all elements, of which there are out.size(). Doubles out of range become infinite; numerics out of
// range are an error.
template <typename Element>
void read_array(const ArrayType* array, std::span<float> out) {
    const auto* elements = reinterpret_cast<const Element*>(ARR_DATA_PTR(array));
    std::transform(elements, elements + out.size(), out.begin(),
                   [](Element element) { return static_cast<float>(element); });
}
template <>
void read_array<NumericElement>(const ArrayType* array, std::span<float> out);

// A new one-dimensional array in the current memory context.
template <typename Element>
ArrayType* write_array(std::span<const float> values) {
    const std::size_t size = ARR_OVERHEAD_NONULLS(1) + values.size() * sizeof(Element);
    auto* array = static_cast<ArrayType*>(palloc0(size));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->dataoffset = 0;
    array->elemtype = kElementOid<Element>;
    ARR_DIMS(array)[0] = static_cast<int>(values.size());
    ARR_LBOUND(array)[0] = 1;
    std::transform(values.begin(), values.end(), reinterpret_cast<Element*>(ARR_DATA_PTR(array)),
                   element_from<Element>);
    return array;
}
template <>
ArrayType* write_array<NumericElement>(std::span<const float> values);

}  // namespace vecidx

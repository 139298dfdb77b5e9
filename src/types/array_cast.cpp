// What of array_cast.hpp does not depend on the element type, and the conversions of numeric.
#include "types/array_cast.hpp"

namespace vecidx {

std::size_t check_array(const TypeInfo& type, const ArrayType* array) {
    if (ARR_NDIM(array) > 1) ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"));
    if (array_contains_nulls(const_cast<ArrayType*>(array)))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls"));
    const std::size_t n = ARR_NDIM(array) == 0 ? 0 : ARR_DIMS(array)[0];
    check_dims(type, n);
    return n;
}

template <>
void read_array<NumericElement>(const ArrayType* array, std::span<float> out) {
    Datum* elements;
    int n;
    deconstruct_array(const_cast<ArrayType*>(array), NUMERICOID, -1, false, TYPALIGN_INT, &elements, nullptr,
                      &n);
    std::transform(elements, elements + n, out.begin(), [](Datum element) {
        return DatumGetFloat4(DirectFunctionCall1(numeric_float4, element));
    });
    pfree(elements);
}

template <>
ArrayType* write_array<NumericElement>(std::span<const float> values) {
    auto* elements = static_cast<Datum*>(palloc(values.size() * sizeof(Datum)));
    std::transform(values.begin(), values.end(), elements,
                   [](float value) { return DirectFunctionCall1(float4_numeric, Float4GetDatum(value)); });
    return construct_array(elements, static_cast<int>(values.size()), NUMERICOID, -1, false, TYPALIGN_INT);
}

}  // namespace vecidx

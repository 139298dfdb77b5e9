// The stored form of the dense vector types, and the way from a Datum to a view of the values and back.
#pragma once

#include <span>

#include "pg/postgres.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

// A dense vector as it lies in a tuple; the same bytes as pgvector's types, so that tables and binary
// clients need no conversion.
//
//   offset 0   varlena length word, 4 bytes, counts itself
//   offset 4   int16 dims, at least 1
//   offset 6   int16 reserved, 0
//   offset 8   T values[dims], all finite, in the byte order of the machine
//
// The type vector is DenseVector<float>. The form has no version of its own: it never changes.
template <typename T>
struct DenseVector {
    std::int32_t length_word;
    std::int16_t dims;
    std::int16_t reserved;

    T* values() { return reinterpret_cast<T*>(this + 1); }
    const T* values() const { return reinterpret_cast<const T*>(this + 1); }
    std::span<const T> view() const { return {values(), static_cast<std::size_t>(dims)}; }
};

using Vector = DenseVector<float>;
using VectorView = std::span<const float>;

static_assert(sizeof(Vector) == 8 && alignof(Vector) == 4);
static_assert(offsetof(Vector, dims) == 4 && offsetof(Vector, reserved) == 6);
static_assert(std::is_trivial_v<Vector>);

template <typename T>
constexpr std::size_t stored_size(std::size_t dims) {
    return sizeof(DenseVector<T>) + dims * sizeof(T);
}

// A new vector in the current memory context with its header filled in and its values not yet written.
// The caller has checked dims against the limit of the type.
template <typename T>
DenseVector<T>* new_vector(std::size_t dims) {
    auto* vector = static_cast<DenseVector<T>*>(palloc(stored_size<T>(dims)));
    SET_VARSIZE(vector, stored_size<T>(dims));
    vector->dims = static_cast<std::int16_t>(dims);
    vector->reserved = 0;
    return vector;
}

// The vector behind a Datum, detoasted: where that needs a copy, the copy is in the current memory context.
// ERROR (data_corrupted) when the length does not agree with the number of dimensions.
template <typename T>
const DenseVector<T>* vector_of(Datum datum) {
    auto* vector = reinterpret_cast<const DenseVector<T>*>(PG_DETOAST_DATUM(datum));
    const std::size_t size = VARSIZE(vector);
    if (size < sizeof(DenseVector<T>) || vector->dims < 0 || size != stored_size<T>(vector->dims))
        ereport(ERROR, errcode(ERRCODE_DATA_CORRUPTED),
                errmsg("stored vector of %zu bytes does not match its number of dimensions", size));
    return vector;
}

}  // namespace vecidx

// What the access method must know of an operator class: its metric, and how to see a column's value as
// floats. Support function 1 of every vamana operator class returns a pointer to one of these.
#pragma once

#include "pg/datum.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

struct TypeSupport {
    Metric metric;
    int max_dims;
    // The values of a datum; `view` may point into it or into a copy in the current memory context.
    VectorView (*view)(Datum value);
};

inline constexpr std::uint16_t kSupportFunction = 1;
inline constexpr std::uint16_t kDistanceStrategy = 1;

// The support of an index's first key column.
const TypeSupport& type_support(Relation index);

}  // namespace vecidx

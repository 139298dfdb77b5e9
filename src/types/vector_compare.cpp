// The order of vectors: by values from the first on, as arrays are ordered, and a vector before its
// continuations. It serves btree, DISTINCT and the like; it has no meaning as a similarity.
#include <functional>

#include "pg/function.hpp"

namespace vecidx {
namespace {

// Negative, zero or positive. -0 and 0 are equal.
std::int32_t compare(VectorView a, VectorView b) {
    const std::size_t shared = std::min(a.size(), b.size());
    for (std::size_t i = 0; i < shared; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return static_cast<int>(a.size() > b.size()) - static_cast<int>(a.size() < b.size());
}

template <typename Relation>
bool holds(VectorView a, VectorView b) {
    return Relation{}(compare(a, b), 0);
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

PG_FUNCTION_INFO_V1(vecidx_vector_cmp);
PGDLLEXPORT Datum vecidx_vector_cmp(PG_FUNCTION_ARGS) {
    return call(fcinfo, compare);
}

PG_FUNCTION_INFO_V1(vecidx_vector_lt);
PGDLLEXPORT Datum vecidx_vector_lt(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::less<>>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_le);
PGDLLEXPORT Datum vecidx_vector_le(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::less_equal<>>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_eq);
PGDLLEXPORT Datum vecidx_vector_eq(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::equal_to<>>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_ne);
PGDLLEXPORT Datum vecidx_vector_ne(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::not_equal_to<>>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_ge);
PGDLLEXPORT Datum vecidx_vector_ge(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::greater_equal<>>);
}

PG_FUNCTION_INFO_V1(vecidx_vector_gt);
PGDLLEXPORT Datum vecidx_vector_gt(PG_FUNCTION_ARGS) {
    return call(fcinfo, holds<std::greater<>>);
}
}

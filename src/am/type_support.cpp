// The operator classes' support functions. See type_support.hpp.
#include "am/type_support.hpp"

#include "pg/compat.hpp"

namespace vecidx {
namespace {

constexpr int kMostDims = 16000;

VectorView float_view(Datum value) {
    return vector_of<float>(value)->view();
}

constexpr TypeSupport kL2Support = {Metric::kL2, kMostDims, float_view};
constexpr TypeSupport kInnerProductSupport = {Metric::kInnerProduct, kMostDims, float_view};
constexpr TypeSupport kCosineSupport = {Metric::kCosine, kMostDims, float_view};
constexpr TypeSupport kL1Support = {Metric::kL1, kMostDims, float_view};

Datum returned_support(const TypeSupport& support) {
    return PointerGetDatum(&support);
}

}  // namespace

const TypeSupport& type_support(Relation index) {
    FmgrInfo* procedure = index_getprocinfo(index, 1, kSupportFunction);
    const Datum support = FunctionCall1Coll(procedure, InvalidOid, PointerGetDatum(nullptr));
    return *reinterpret_cast<const TypeSupport*>(DatumGetPointer(support));
}

}  // namespace vecidx

extern "C" {
PG_FUNCTION_INFO_V1(vecidx_vector_l2_support);
PGDLLEXPORT Datum vecidx_vector_l2_support(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    return vecidx::returned_support(vecidx::kL2Support);
}
PG_FUNCTION_INFO_V1(vecidx_vector_ip_support);
PGDLLEXPORT Datum vecidx_vector_ip_support(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    return vecidx::returned_support(vecidx::kInnerProductSupport);
}
PG_FUNCTION_INFO_V1(vecidx_vector_cosine_support);
PGDLLEXPORT Datum vecidx_vector_cosine_support(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    return vecidx::returned_support(vecidx::kCosineSupport);
}
PG_FUNCTION_INFO_V1(vecidx_vector_l1_support);
PGDLLEXPORT Datum vecidx_vector_l1_support(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    return vecidx::returned_support(vecidx::kL1Support);
}
}

// The transition, combine and final functions of avg(vector). sum(vector) needs none of its own: it adds.
//
// The state is a double precision[]: the number of vectors, then the sum of each dimension; only the number
// as long as there has been no vector. In double, sums of floats neither overflow nor lose what counts.
#include "pg/function.hpp"
#include "types/checks.hpp"

namespace vecidx {
namespace {

// A checked view of a state.
struct AvgState {
    ArrayType* array;

    std::size_t dims() const { return static_cast<std::size_t>(ARR_DIMS(array)[0]) - 1; }
    double& count() const { return values()[0]; }
    std::span<double> sums() const { return {values() + 1, dims()}; }

  private:
    double* values() const { return reinterpret_cast<double*>(ARR_DATA_PTR(array)); }
};

AvgState state_argument(FunctionCallInfo fcinfo, int i) {
    ArrayType* array = PG_GETARG_ARRAYTYPE_P(i);
    if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] < 1 || array_contains_nulls(array) ||
        ARR_ELEMTYPE(array) != FLOAT8OID)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("%s: expected state array", get_func_name(fcinfo->flinfo->fn_oid)),
                errdetail("The state is an array of at least one number, without nulls."));
    return {array};
}

AvgState new_state(std::size_t dims) {
    const std::size_t size = ARR_OVERHEAD_NONULLS(1) + (dims + 1) * sizeof(double);
    auto* array = static_cast<ArrayType*>(palloc0(size));
    SET_VARSIZE(array, size);
    array->ndim = 1;
    array->elemtype = FLOAT8OID;
    ARR_DIMS(array)[0] = static_cast<int>(dims + 1);
    ARR_LBOUND(array)[0] = 1;
    return {array};
}

// The state to write to: the argument itself where the aggregate owns it and it has the size, else a copy of
// its count and sums.
AvgState writable(FunctionCallInfo fcinfo, AvgState state, std::size_t dims) {
    if (state.dims() == dims && AggCheckCallContext(fcinfo, nullptr) != 0) return state;
    const AvgState copy = new_state(dims);
    copy.count() = state.count();
    std::ranges::copy(state.sums(), copy.sums().begin());
    return copy;
}

template <typename T>
void add_to(std::span<double> sums, std::span<T> values) {
    for (std::size_t i = 0; i < sums.size(); i++) sums[i] += values[i];
    bool overflow = false;
    for (const double sum : sums) overflow |= std::isinf(sum);
    if (overflow) float_overflow_error();
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

PG_FUNCTION_INFO_V1(vecidx_vector_accum);
PGDLLEXPORT Datum vecidx_vector_accum(PG_FUNCTION_ARGS) {
    const AvgState before = state_argument(fcinfo, 0);
    const Argument<VectorView> vector(fcinfo, 1);
    const std::size_t dims = vector.get().size();
    if (before.dims() != 0) check_typmod(static_cast<std::int32_t>(before.dims()), dims);

    const AvgState state = writable(fcinfo, before, dims);
    state.count() += 1;
    add_to(state.sums(), vector.get());
    vector.release();
    PG_RETURN_POINTER(state.array);
}

PG_FUNCTION_INFO_V1(vecidx_vector_combine);
PGDLLEXPORT Datum vecidx_vector_combine(PG_FUNCTION_ARGS) {
    const AvgState a = state_argument(fcinfo, 0);
    const AvgState b = state_argument(fcinfo, 1);
    const std::size_t dims = std::max(a.dims(), b.dims());
    if (dims != 0) check_dims(kVectorType, dims);
    if (a.dims() != 0 && b.dims() != 0) check_typmod(static_cast<std::int32_t>(a.dims()), b.dims());

    const AvgState state = writable(fcinfo, a, dims);
    state.count() += b.count();
    if (b.dims() != 0) add_to(state.sums(), b.sums());
    PG_RETURN_POINTER(state.array);
}

PG_FUNCTION_INFO_V1(vecidx_vector_avg);
PGDLLEXPORT Datum vecidx_vector_avg(PG_FUNCTION_ARGS) {
    const AvgState state = state_argument(fcinfo, 0);
    const double count = state.count();
    if (count == 0) PG_RETURN_NULL();

    check_dims(kVectorType, state.dims());
    Vector* result = new_vector<float>(state.dims());
    std::ranges::transform(state.sums(), result->values(),
                           [=](double sum) { return static_cast<float>(sum / count); });
    check_finite(kVectorType, result->view());
    PG_RETURN_POINTER(result);
}
}

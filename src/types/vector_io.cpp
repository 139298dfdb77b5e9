// Input, output and type modifier of the type vector.
#include "pg/function.hpp"
#include "types/list_text.hpp"

namespace vecidx {
namespace {

Vector* vector_in(const char* literal, std::int32_t typmod, Node* soft) {
    const std::size_t room = std::min(count_list_values(literal), kVectorType.max_dims);
    Vector* result = new_vector<float>(room);
    TextReader reader(literal, kVectorType, soft);
    const std::size_t dims = read_list(reader, {result->values(), room});
    if (dims == 0 || !check_typmod(typmod, dims, soft)) return nullptr;
    return result;
}

char* vector_out(VectorView vector) {
    return write_list(vector);
}

std::int32_t vector_typmod_in(const ArrayType* modifiers) {
    int n;
    const int32* values = ArrayGetIntegerTypmods(const_cast<ArrayType*>(modifiers), &n);
    if (n != 1) ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid type modifier"));

    const std::int32_t dims = values[0];
    if (dims < 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("dimensions for type vector must be at least 1"));
    if (static_cast<std::size_t>(dims) > kVectorType.max_dims)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("dimensions for type vector cannot exceed %zu", kVectorType.max_dims));
    return dims;
}

// The binary form: int16 dims, int16 zero, then the values as float4, all in network byte order.
Vector* vector_recv(StringInfo message, std::int32_t /* type's oid */, std::int32_t typmod) {
    const std::size_t dims = pq_getmsgint(message, sizeof(std::int16_t));
    const int reserved = static_cast<std::int16_t>(pq_getmsgint(message, sizeof(std::int16_t)));
    check_dims(kVectorType, dims);
    check_typmod(typmod, dims);
    if (reserved != 0)
        ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected unused to be 0, not %d", reserved));

    Vector* result = new_vector<float>(dims);
    for (std::size_t i = 0; i < dims; i++) result->values()[i] = pq_getmsgfloat4(message);
    check_finite(kVectorType, result->view());
    return result;
}

bytea* vector_send(VectorView vector) {
    StringInfoData message;
    pq_begintypsend(&message);
    enlargeStringInfo(&message, static_cast<int>(stored_size<float>(vector.size())));
    pq_sendint16(&message, static_cast<std::uint16_t>(vector.size()));
    pq_sendint16(&message, 0);
    for (const float value : vector) pq_sendfloat4(&message, value);
    return pq_endtypsend(&message);
}

}  // namespace
}  // namespace vecidx

using namespace vecidx;

extern "C" {

PG_FUNCTION_INFO_V1(vecidx_vector_in);
PGDLLEXPORT Datum vecidx_vector_in(PG_FUNCTION_ARGS) {
    return returned(fcinfo, vector_in(PG_GETARG_CSTRING(0), PG_GETARG_INT32(2), fcinfo->context));
}

PG_FUNCTION_INFO_V1(vecidx_vector_out);
PGDLLEXPORT Datum vecidx_vector_out(PG_FUNCTION_ARGS) {
    return call(fcinfo, vector_out);
}

PG_FUNCTION_INFO_V1(vecidx_vector_typmod_in);
PGDLLEXPORT Datum vecidx_vector_typmod_in(PG_FUNCTION_ARGS) {
    return call(fcinfo, vector_typmod_in);
}

PG_FUNCTION_INFO_V1(vecidx_vector_recv);
PGDLLEXPORT Datum vecidx_vector_recv(PG_FUNCTION_ARGS) {
    return call(fcinfo, vector_recv);
}

PG_FUNCTION_INFO_V1(vecidx_vector_send);
PGDLLEXPORT Datum vecidx_vector_send(PG_FUNCTION_ARGS) {
    return call(fcinfo, vector_send);
}
}

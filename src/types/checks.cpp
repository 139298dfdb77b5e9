// The checks of checks.hpp.
#include "types/checks.hpp"

#include "pg/compat.hpp"

namespace vecidx {

bool check_dims(const TypeInfo& type, std::size_t dims, Node* soft) {
    if (dims == 0) {
        errsave(soft, errcode(ERRCODE_DATA_EXCEPTION),
                errmsg("%s must have at least 1 dimension", type.name));
        return false;
    }
    if (dims > type.max_dims) {
        errsave(soft, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("%s cannot have more than %zu dimensions", type.name, type.max_dims));
        return false;
    }
    return true;
}

void check_dims(const TypeInfo& type, std::size_t dims) {
    check_dims(type, dims, nullptr);
}

bool check_typmod(std::int32_t typmod, std::size_t dims, Node* soft) {
    if (typmod == kAnyDims || static_cast<std::size_t>(typmod) == dims) return true;
    errsave(soft, errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %d dimensions, not %zu", typmod, dims));
    return false;
}

void check_typmod(std::int32_t typmod, std::size_t dims) {
    check_typmod(typmod, dims, nullptr);
}

bool check_finite(const TypeInfo& type, std::span<const float> values, Node* soft) {
    for (const float value : values) {
        if (std::isfinite(value)) continue;
        if (std::isnan(value))
            errsave(soft, errcode(ERRCODE_DATA_EXCEPTION), errmsg("NaN not allowed in %s", type.name));
        else
            errsave(soft, errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("infinite value not allowed in %s", type.name));
        return false;
    }
    return true;
}

void check_finite(const TypeInfo& type, std::span<const float> values) {
    check_finite(type, values, nullptr);
}

void report_different_dims(std::size_t a, std::size_t b) {
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION), errmsg("different vector dimensions %zu and %zu", a, b));
}

}  // namespace vecidx

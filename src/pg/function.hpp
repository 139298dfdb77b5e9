// The bridge between C++ functions and the calling convention of SQL functions. A function that SQL sees is
// an ordinary typed function, and its C entry point is one line:
//
//     extern "C" {
//     PG_FUNCTION_INFO_V1(vecidx_l1_distance);
//     PGDLLEXPORT Datum vecidx_l1_distance(PG_FUNCTION_ARGS) { return call(fcinfo, l1_distance); }
//     }
//
// Entry points carry the prefix vecidx_ because Postgres loads libraries with RTLD_GLOBAL: without it, the
// symbols of an extension with the same SQL names (pgvector) would resolve to ours, or ours to theirs.
//
// What a parameter's type means: int32, `const char*` (cstring), StringInfo (internal), `std::span<const T>`
// (a dense vector), `const ArrayType*`. What a result's type means: the same, and bool, double, and pointers
// to a varlena; a null pointer is SQL's NULL. Arguments that had to be detoasted are freed after the
// call, as index support functions require, so a result must not point into an argument.
#pragma once

#include <tuple>
#include <utility>

#include "pg/compat.hpp"
#include "pg/datum.hpp"

namespace vecidx {

// One argument of an SQL function: fetched when constructed, given back by release().
template <typename T>
class Argument;

template <>
class Argument<std::int32_t> {
  public:
    Argument(FunctionCallInfo fcinfo, int i) : value_(PG_GETARG_INT32(i)) {}
    std::int32_t get() const { return value_; }
    void release() const {}

  private:
    std::int32_t value_;
};

template <typename Pointer>
class PlainPointer {
  public:
    PlainPointer(FunctionCallInfo fcinfo, int i) : value_(reinterpret_cast<Pointer>(PG_GETARG_POINTER(i))) {}
    Pointer get() const { return value_; }
    void release() const {}

  private:
    Pointer value_;
};

template <>
class Argument<const char*> : public PlainPointer<const char*> {
    using PlainPointer::PlainPointer;
};

template <>
class Argument<StringInfo> : public PlainPointer<StringInfo> {
    using PlainPointer::PlainPointer;
};

// A varlena that may have been detoasted into a copy.
template <typename Varlena>
class DetoastedPointer {
  public:
    DetoastedPointer(Datum given, const Varlena* value) : given_(given), value_(value) {}
    const Varlena* pointer() const { return value_; }
    void release() const {
        if (PointerGetDatum(value_) != given_) pfree(const_cast<Varlena*>(value_));
    }

  private:
    Datum given_;
    const Varlena* value_;
};

template <typename T>
class Argument<std::span<const T>> : public DetoastedPointer<DenseVector<T>> {
  public:
    Argument(FunctionCallInfo fcinfo, int i)
        : DetoastedPointer<DenseVector<T>>(PG_GETARG_DATUM(i), vector_of<T>(PG_GETARG_DATUM(i))) {}
    std::span<const T> get() const { return this->pointer()->view(); }
};

template <>
class Argument<const ArrayType*> : public DetoastedPointer<ArrayType> {
  public:
    Argument(FunctionCallInfo fcinfo, int i)
        : DetoastedPointer<ArrayType>(PG_GETARG_DATUM(i), PG_GETARG_ARRAYTYPE_P(i)) {}
    const ArrayType* get() const { return pointer(); }
};

inline Datum returned(FunctionCallInfo, bool value) {
    return BoolGetDatum(value);
}
inline Datum returned(FunctionCallInfo, std::int32_t value) {
    return Int32GetDatum(value);
}
inline Datum returned(FunctionCallInfo, double value) {
    return Float8GetDatum(value);
}

template <typename T>
Datum returned(FunctionCallInfo fcinfo, T* value) {
    if (value == nullptr) PG_RETURN_NULL();
    return PointerGetDatum(value);
}

template <typename Result, typename... Parameters, std::size_t... I>
Datum call_with(FunctionCallInfo fcinfo, Result (*function)(Parameters...), std::index_sequence<I...>) {
    const std::tuple<Argument<Parameters>...> arguments{Argument<Parameters>(fcinfo, I)...};
    const Result result = function(std::get<I>(arguments).get()...);
    (std::get<I>(arguments).release(), ...);
    return returned(fcinfo, result);
}

// Calls a typed function with the arguments of an SQL call. The SQL declaration is STRICT and names the same
// parameters; further SQL arguments are ignored.
template <typename Result, typename... Parameters>
Datum call(FunctionCallInfo fcinfo, Result (*function)(Parameters...)) {
    return call_with(fcinfo, function, std::index_sequence_for<Parameters...>{});
}

}  // namespace vecidx

// What every vector type demands of a value, and how it says that the demand is not met. Messages and
// SQLSTATEs are those that clients of pgvector know.
//
// Functions that take `soft` are for input: with an ErrorSaveContext there they note the error and return
// false; with nullptr they throw. The others throw.
#pragma once

#include <span>

#include "pg/datum.hpp"

namespace vecidx {

// What differs between the types in checks and messages.
struct TypeInfo {
    const char* name;
    std::size_t max_dims;
};

inline constexpr TypeInfo kVectorType{"vector", 16000};

// A type modifier, as in vector(3), is the number of dimensions; this one stands for none given.
inline constexpr std::int32_t kAnyDims = -1;

// 1 <= dims <= type.max_dims; data_exception, program_limit_exceeded.
bool check_dims(const TypeInfo& type, std::size_t dims, Node* soft);
void check_dims(const TypeInfo& type, std::size_t dims);

// dims is what the type modifier asks for; data_exception.
bool check_typmod(std::int32_t typmod, std::size_t dims, Node* soft);
void check_typmod(std::int32_t typmod, std::size_t dims);

// Neither NaN nor infinite; data_exception.
bool check_finite(const TypeInfo& type, std::span<const float> values, Node* soft);
void check_finite(const TypeInfo& type, std::span<const float> values);

[[noreturn]] void report_different_dims(std::size_t a, std::size_t b);

// Operands have the same number of dimensions; data_exception.
template <typename T>
void check_same_dims(std::span<const T> a, std::span<const T> b) {
    if (a.size() != b.size()) report_different_dims(a.size(), b.size());
}

}  // namespace vecidx

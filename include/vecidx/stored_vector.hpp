// How a vector is kept in a node, in the pending area and in a build's memory: rotated, as halves or as 8-bit
// values, times one unit of its own, so that no magnitude overflows and none loses precision.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vecidx/kernels.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

enum class OwnFormat : std::uint8_t { kF16 = 0, kI8 = 1 };

constexpr std::size_t stored_bytes(OwnFormat format, std::size_t padded) {
    return format == OwnFormat::kF16 ? padded * sizeof(f16) : padded;
}

// A stored vector: value[i] = unit * data[i].
struct StoredVector {
    const void* data;
    float unit;
    OwnFormat format;
};

// Writes z (padded finite floats) to `data` (stored_bytes) and returns its unit: for halves the largest power
// of two not above max |z| (2^-125 to 2^126), for 8 bits max |z| / 127, never subnormal; 1 for a zero vector.
// A half is off by at most 2^-11 of the value or 2^-25 of the unit, whichever is more; a byte by half a unit.
float store_vector(OwnFormat format, const float* z, std::size_t padded, void* data);

// The inverse, up to rounding. Halves of coordinates beyond 3.4e38 come back as infinity.
void load_vector(const StoredVector& x, std::size_t padded, float* z);

// Squared norm of the stored vector moved back by `origin` (padded floats).
double norm_squared_from(const StoredVector& x, const float* origin, std::size_t padded);

// Squared Euclidean and L1 distance of a float vector from a stored one.
inline float l2_squared(const Kernels& k, const float* q, const StoredVector& x, std::size_t n) {
    return x.format == OwnFormat::kF16
               ? k.l2_squared_f16(q, static_cast<const f16*>(x.data), x.unit, n)
               : k.l2_squared_i8(q, static_cast<const std::int8_t*>(x.data), x.unit, n);
}
inline float l1(const Kernels& k, const float* q, const StoredVector& x, std::size_t n) {
    return x.format == OwnFormat::kF16 ? k.l1_f16(q, static_cast<const f16*>(x.data), x.unit, n)
                                       : k.l1_i8(q, static_cast<const std::int8_t*>(x.data), x.unit, n);
}

}  // namespace vecidx

// A fixed random rotation: x in R^dims is padded with zeros to `padded` dimensions and mapped by an
// orthogonal matrix that is never stored. After it, the coordinates of any vector look alike and nearly
// Gaussian, which is what the quantizer's error bound needs (RaBitQ, arXiv 2405.12497, section 3.1.2).
//
// Each round flips signs, applies a fast Hadamard transform to the largest power of two that fits
// (alternating between the front and the back) and, where that is not the whole vector, a Kac step that mixes
// the halves. Sums of two and multiplications by a constant, in a fixed order: the result is the same bit for
// bit on every processor. Powers of two take three rounds, and a one-hot vector comes out with the fourth
// moment of a Gaussian, 3; other sizes take four, and it is 3 to 11, most just below a power of two.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vecidx/types.hpp"

namespace vecidx {

// The rotation's definition; an index keeps the one that it was built with.
inline constexpr std::uint32_t kRotationVersion = 1;

// Dimensions after rotation: what codes and stored vectors have.
constexpr std::size_t padded_dims(std::size_t dims) {
    return round_up<std::size_t>(dims, 16);
}

// Rotates in place: x has `padded` floats, a multiple of 16, those past the original dimensions zero.
void rotate(float* x, std::size_t padded);

}  // namespace vecidx

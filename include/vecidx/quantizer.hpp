// RaBitQ: a vector's code of 1, 2 or 4 bits a dimension, and the estimate of its squared distance from a
// query that takes only the code (Gao and Long, arXiv 2405.12497; several bits: arXiv 2409.09913).
//
// With z the vector, c its centroid, r = z - c, and x the code's levels centred at zero (x_i = u_i - (2^B -
// 1) / 2 for u_i in 0 .. 2^B - 1), the inner product of r with any v is estimated by <v, r> ~ s <v, x>, s =
// |r|^2 / <x, r>. So
//
//   |q - z|^2 = |q - c|^2 + |r|^2 - 2 <q - c, r>  ~  |q - c|^2 + add + rescale <q, x>,
//   add = |r|^2 + 2 s <c, x>,   rescale = -2 s.
//
// The code depends on z and its centroid alone, and one table of the query serves all centroids: the query
// meets c only in |q - c|^2. Where codes cover only the first `code_dims` of the rotated dimensions, the same
// formulas hold with the inner products taken over those; the norms stay those of all dimensions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/kernels.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

// The trained part of an index's geometry, all in rotated space. Stored vectors are relative to `mean`.
struct Codebook {
    std::size_t padded = 0;
    std::size_t code_dims = 0;  // a multiple of 16, at most min(padded, kMaxCodeDims)
    unsigned bits = 1;
    std::size_t centroid_count = 0;    // 1 to 256
    const float* centroids = nullptr;  // centroid_count x padded, relative to the mean
    float rescale_unit = 1;            // stored f16 factors times this are the real ones

    std::size_t plane_bytes() const { return code_dims / 8; }
    std::size_t code_bytes() const { return bits * plane_bytes(); }
    const float* centroid(std::size_t i) const { return centroids + i * padded; }
};

// The scalars that go with a code. The code's bytes are bits x code_dims/8, plane after plane (plane p weighs
// 2^p).
struct CodeFactors {
    float add;
    f16 rescale;
    std::uint8_t centroid;
};

// Encodes z (padded floats, relative to the mean) against the given centroid. Plain arithmetic in a fixed
// order: the same code on every processor, so that a code can be checked against its vector.
CodeFactors encode(const Codebook& book, const float* z, std::uint8_t centroid, std::uint8_t* code);

// The centroid nearest to z; ties go to the lower number.
std::uint8_t nearest_centroid(const Codebook& book, const float* z);

// A query's look-up table; owns its memory, which can be used for many queries of one codebook.
class QueryCode {
  public:
    explicit QueryCode(std::pmr::memory_resource* memory) : bytes_(memory), terms_(memory) {}

    // Prepares for query q (padded floats, relative to the mean).
    void prepare(const Codebook& book, const float* q);

    const QueryTable& table() const { return table_; }
    // |q - c|^2 of each centroid.
    const float* centroid_distances() const { return terms_.data(); }

  private:
    std::pmr::vector<std::uint8_t> bytes_;
    std::pmr::vector<float> terms_;
    QueryTable table_{};
};

}  // namespace vecidx

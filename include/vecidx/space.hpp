// From a metric to squared Euclidean space and back. The graph knows one geometry, squared L2; each metric is
// an embedding into it and a bound back out of it:
//
//   L2      y = R x
//   cosine  y = R (x / |x|); 1 - cos = |q - x|^2 / 2 for unit vectors
//   IP      y = R (x, 0), one more dimension; in the graph that dimension holds sqrt(M^2 - |x|^2) with M
//           the largest norm of the build, so that -<q, x> orders as |q - x|^2 does (Bachrach et al.,
//           RecSys 2014). Rotation is linear, so the dimension is added later, when M is known: see `lift`.
//   L1      y = x; the graph and its codes are those of L2, results are ordered by the exact L1 distance
//
// R is the rotation of rotation.hpp. A stored vector differs from its exact one by at most `error`; the
// bounds here are never above the distance that the SQL operator computes, whatever the rounding: its float
// sums may be off by a unit in the last place for each term, at any SIMD level. (A bound above it makes the
// executor end the query with an error.)
//
// Magnitudes: squared distances are floats, so beyond about 1e19 they are infinite and all alike, and
// vectors whose rotation overflows (about 1e37) have no distance. Bounds stay bounds; nothing else holds.
#pragma once

#include <cstddef>

#include "vecidx/kernels.hpp"
#include "vecidx/stored_vector.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

struct Space {
    Metric metric;
    std::size_t dims;    // the column's
    std::size_t padded;  // of embedded vectors

    Space(Metric m, std::size_t d);

    // Writes the embedding of x (dims floats) to y (padded floats). Returns the squared norm of x before
    // any normalisation; for cosine, 0 means a zero vector, which has no direction and is not indexed.
    double embed(const float* x, float* y) const;

    // Adds the inner product's extra dimension: y += sqrt(max(0, max_norm^2 - |x|^2)) * direction, where
    // |x|^2 is what `embed` returned and `direction` (padded floats) is R e, from `lift_direction`. Does
    // nothing for other metrics. Queries are not lifted.
    void lift(float* y, double norm_squared, double max_norm_squared, const float* direction) const;
    void lift_direction(float* direction) const;

    // How far a stored vector can be from the exact embedding, in the norm that the metric's bound needs (L1
    // norm for L1, else L2), float rounding of the embedding included. `exact` is what store_vector was
    // given: lifted, and relative to the same origin.
    float storage_error(const float* exact, const StoredVector& stored) const;
};

// Between these the operator's distance is.
struct Bounds {
    double lower, upper;
};

// A query of a space: its embedding and what the bounds need of it. An inner-product query is scaled to the
// norm of the longest vector, which changes no order and keeps the arithmetic well conditioned; `scale` takes
// it back.
struct SpaceQuery {
    Metric metric;
    bool undefined;  // cosine with a zero query: every distance is NaN
    double norm;     // of the embedded query (L1 norm for L1)
    double scale;
    double rounding;   // relative, of a float sum over the space's dimensions and of the embedding
    double underflow;  // absolute, of a float sum of terms too small for normal floats

    // Bounds of the operator's distance for a stored vector at squared L2 distance `l2_squared` and (L1 only)
    // at L1 distance `l1`, as the kernels give them. `error` is its storage_error; `norm_squared` (inner
    // product only) the squared norm of what is stored, the shift of origin taken back: |stored + mean|^2.
    // NaN only where the query is undefined.
    Bounds bounds(double l2_squared, double l1, double error, double norm_squared) const;
};

// Embeds a query into y (padded floats). max_norm_squared as given to `lift`, 0 when unknown.
SpaceQuery embed_query(const Space& space, const float* q, double max_norm_squared, float* y);

}  // namespace vecidx

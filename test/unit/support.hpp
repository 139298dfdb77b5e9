// What the unit tests share: structured data, stored copies of it, and plain definitions in double.
#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "vecidx/kernels.hpp"
#include "vecidx/stored_vector.hpp"
#include "vecidx/tile.hpp"

namespace vecidx::test {

using Generator = std::mt19937_64;

inline float normal(Generator& random) {
    return std::normal_distribution<float>()(random);
}

inline std::vector<float> normal_vector(Generator& random, std::size_t n, float scale = 1) {
    std::vector<float> x(n);
    for (float& v : x) v = scale * normal(random);
    return x;
}

// Rows of `dims` floats.
struct Rows {
    std::size_t count, dims;
    std::vector<float> values;

    float* operator[](std::size_t i) { return values.data() + i * dims; }
    const float* operator[](std::size_t i) const { return values.data() + i * dims; }
};

// Clusters on a low-dimensional manifold: each a random 8-dimensional subspace around a centre of its own,
// bent by a sine, with a little noise in all dimensions.
inline Rows clustered_rows(Generator& random, std::size_t count, std::size_t dims,
                           std::size_t clusters = 10) {
    constexpr std::size_t kInner = 8;
    Rows rows{count, dims, std::vector<float>(count * dims)};
    std::vector<std::vector<float>> centers, bases;
    for (std::size_t c = 0; c < clusters; ++c) {
        centers.push_back(normal_vector(random, dims));
        bases.push_back(normal_vector(random, dims * kInner, 0.3f));
    }
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t c = random() % clusters;
        const std::vector<float> inner = normal_vector(random, kInner);
        for (std::size_t d = 0; d < dims; ++d) {
            float t = 0;
            for (std::size_t j = 0; j < kInner; ++j) t += inner[j] * bases[c][d * kInner + j];
            rows[i][d] = centers[c][d] + std::sin(t) + 0.02f * normal(random);
        }
    }
    return rows;
}

inline double squared_distance(const float* a, const float* b, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    return sum;
}

inline double dot(const float* a, const float* b, std::size_t n) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += double{a[i]} * b[i];
    return sum;
}

inline double norm(const float* a, std::size_t n) {
    return std::sqrt(dot(a, a, n));
}

// Rows as an index or a build keeps them. The dimensions of `rows` must be a multiple of 16.
class StoredRows {
  public:
    StoredRows(const Rows& rows, OwnFormat format)
        : rows_(rows), format_(format), bytes_(rows.count * stored_bytes(format, rows.dims)) {
        for (std::size_t i = 0; i < rows.count; ++i)
            units_.push_back(store_vector(format, rows[i], rows.dims,
                                          bytes_.data() + i * stored_bytes(format, rows.dims)));
    }

    VectorArray array() const { return {bytes_.data(), units_.data(), rows_.count, rows_.dims, format_}; }

    std::vector<float> load(std::size_t i) const {
        std::vector<float> z(rows_.dims);
        load_vector(array()[i], rows_.dims, z.data());
        return z;
    }

  private:
    Rows rows_;
    OwnFormat format_;
    std::vector<std::byte> bytes_;
    std::vector<float> units_;
};

inline std::vector<SimdLevel> simd_levels() {
    std::vector<SimdLevel> result;
    for (SimdLevel level :
         {SimdLevel::kScalar, SimdLevel::kSse2, SimdLevel::kAvx2, SimdLevel::kAvx512, SimdLevel::kNeon})
        if (kernels_of(level) != nullptr) result.push_back(level);
    return result;
}

// Calls fn(kernels) with each level in force, then puts the old one back.
template <typename Fn>
void at_each_level(Fn fn) {
    const SimdLevel before = kernels().level;
    for (const SimdLevel level : simd_levels()) {
        set_simd_level(level);
        fn(kernels());
    }
    set_simd_level(before);
}

}  // namespace vecidx::test

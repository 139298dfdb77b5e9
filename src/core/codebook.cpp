// Training of mean and centroids. See codebook.hpp.
#include "vecidx/codebook.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace vecidx {
namespace {

constexpr std::size_t kSamplePerCentroid = 64;
constexpr std::size_t kMeanSample = 10000;
constexpr int kIterations = 8;

// Rows in steps that reach over the whole array, from a random start.
class Sample {
  public:
    Sample(std::size_t rows, std::size_t wanted, Random& random)
        : count_(std::min(rows, wanted)),
          step_(count_ > 0 ? rows / count_ : 0),
          start_(step_ > 1 ? random.below(static_cast<std::uint32_t>(step_)) : 0) {}

    std::size_t count() const { return count_; }
    std::size_t row(std::size_t i) const { return start_ + i * step_; }

  private:
    std::size_t count_, step_, start_;
};

}  // namespace

std::size_t default_centroid_count(std::size_t rows) {
    return std::clamp<std::size_t>(std::bit_ceil(rows / 256 + 1), 1, kDefaultCentroids);
}

std::size_t training_bytes(std::size_t padded) {
    return (kSamplePerCentroid + 2) * kDefaultCentroids * padded * sizeof(float);
}

void sample_mean(const VectorArray& vectors, Random& random, std::pmr::memory_resource* memory, float* mean) {
    const Sample sample(vectors.count, kMeanSample, random);
    std::fill_n(mean, vectors.padded, 0.0f);
    std::pmr::vector<float> row(vectors.padded, memory);
    for (std::size_t i = 0; i < sample.count(); ++i) {
        load_vector(vectors[sample.row(i)], vectors.padded, row.data());
        const float weight = 1.0f / static_cast<float>(i + 1);
        for (std::size_t d = 0; d < vectors.padded; ++d) mean[d] += weight * (row[d] - mean[d]);
    }
}

std::size_t train_centroids(const VectorArray& vectors, std::size_t count, Random& random,
                            std::pmr::memory_resource* memory, float* centroids) {
    const std::size_t dims = vectors.padded;
    const Sample sample(vectors.count, count * kSamplePerCentroid, random);
    count = std::min(count, sample.count());
    std::pmr::vector<float> rows(sample.count() * dims, memory);
    for (std::size_t i = 0; i < sample.count(); ++i)
        load_vector(vectors[sample.row(i)], dims, rows.data() + i * dims);
    // Start from an even choice of the sample's rows.
    for (std::size_t c = 0; c < count; ++c)
        std::copy_n(rows.data() + c * sample.count() / count * dims, dims, centroids + c * dims);

    Codebook book;
    book.padded = dims;
    book.centroid_count = count;
    book.centroids = centroids;
    std::pmr::vector<float> sums(memory);
    std::pmr::vector<std::size_t> sizes(memory);
    for (int iteration = 0; iteration < kIterations; ++iteration) {
        sums.assign(count * dims, 0);
        sizes.assign(count, 0);
        for (std::size_t i = 0; i < sample.count(); ++i) {
            const float* row = rows.data() + i * dims;
            const std::size_t c = nearest_centroid(book, row);
            ++sizes[c];
            for (std::size_t d = 0; d < dims; ++d) sums[c * dims + d] += row[d];
        }
        for (std::size_t c = 0; c < count; ++c) {
            if (sizes[c] == 0) continue;  // an empty cell keeps its centre
            const float inverse = 1.0f / static_cast<float>(sizes[c]);
            for (std::size_t d = 0; d < dims; ++d) centroids[c * dims + d] = sums[c * dims + d] * inverse;
        }
    }
    return count;
}

float choose_rescale_unit(const Codebook& book, const VectorArray& vectors, Random& random,
                          std::pmr::memory_resource* memory) {
    constexpr std::size_t kRows = 256;
    const Sample sample(vectors.count, kRows, random);
    std::pmr::vector<float> row(vectors.padded, memory), norms(memory);
    for (std::size_t i = 0; i < sample.count(); ++i) {
        load_vector(vectors[sample.row(i)], vectors.padded, row.data());
        const float* c = book.centroid(nearest_centroid(book, row.data()));
        norms.push_back(std::sqrt(kernels().l2_squared(row.data(), c, vectors.padded)));
    }
    if (norms.empty()) return 1;
    const auto middle = norms.begin() + static_cast<std::ptrdiff_t>(norms.size() / 2);
    std::nth_element(norms.begin(), middle, norms.end());
    return *middle > 0 ? *middle / std::sqrt(static_cast<float>(book.padded)) : 1;
}

}  // namespace vecidx

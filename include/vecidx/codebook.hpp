// Training of what an index's codes are relative to: the mean and the centroids of its vectors.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/quantizer.hpp"
#include "vecidx/random.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

inline constexpr std::size_t kMaxCentroids = 256;
inline constexpr std::size_t kDefaultCentroids = 64;

// Centroids for a number of rows, at most kDefaultCentroids: enough that each is worth its place in a query's
// table.
std::size_t default_centroid_count(std::size_t rows);

// The mean of a sample of the vectors (padded floats).
void sample_mean(const VectorArray& vectors, Random& random, std::pmr::memory_resource* memory, float* mean);

// k-means (Lloyd) on a sample. Writes `count` x padded floats, fewer when the sample has fewer vectors;
// returns how many.
std::size_t train_centroids(const VectorArray& vectors, std::size_t count, Random& random,
                            std::pmr::memory_resource* memory, float* centroids);

// Memory that training that many centroids takes at most, the vectors aside.
std::size_t training_bytes(std::size_t padded);

// The unit of the stored rescale factors that puts those of typical vectors near 1.
float choose_rescale_unit(const Codebook& book, const VectorArray& vectors, Random& random,
                          std::pmr::memory_resource* memory);

}  // namespace vecidx

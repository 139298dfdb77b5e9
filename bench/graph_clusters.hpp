// Made-up data for bench/graph: Gaussian balls of one deviation, around centres from the standard normal
// distribution. Where the deviation is small, they are what a graph most easily falls apart on.
#pragma once

#include <random>

#include "bench/graph_data.hpp"

namespace bench {

// Options clusters, sigma, dims, rows. Queries come from the same balls.
inline Dataset make_clusters(const Options& options) {
    const std::size_t clusters = options.count("clusters", 100), dims = options.count("dims", 128);
    const auto sigma = static_cast<float>(options.number("sigma", 0.1));
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    std::vector<float> centers(clusters * dims);
    for (float& c : centers) c = normal(random);
    const auto draw = [&](std::size_t rows) {
        Matrix<float> m{rows, dims, std::vector<float>(rows * dims)};
        for (std::size_t i = 0; i < rows; ++i) {
            const float* center = centers.data() + random() % clusters * dims;
            for (std::size_t d = 0; d < dims; ++d)
                m.values[i * dims + d] = center[d] + sigma * normal(random);
        }
        return m;
    };
    Dataset set{"clusters=" + options.text("clusters", "") + " sigma=" + options.text("sigma", "0.1"),
                "l2",
                draw(options.count("rows", 50000)),
                {},
                {}};
    set.queries = draw(options.count("queries", 1000));
    return set;
}

}  // namespace bench

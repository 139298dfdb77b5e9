// What bench/graph works on: its options, and a data folder's vectors and queries as a build and a search see
// them, with the truth.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory_resource>
#include <string>
#include <vector>

#include "bench/dataset.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/space.hpp"

namespace bench {

using namespace vecidx;

struct Options {
    std::map<std::string, std::string> values;

    double number(const std::string& key, double fallback) const {
        const auto at = values.find(key);
        return at == values.end() ? fallback : std::atof(at->second.c_str());
    }
    std::size_t count(const std::string& key, std::size_t fallback) const {
        return static_cast<std::size_t>(number(key, static_cast<double>(fallback)));
    }
    std::string text(const std::string& key, const std::string& fallback) const {
        const auto at = values.find(key);
        return at == values.end() ? fallback : at->second;
    }
    void take(const std::string& word) {
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) fail("not key=value: " + word);
        values[word.substr(0, equals)] = word.substr(equals + 1);
    }
};

inline Metric metric_of(const std::string& name) {
    if (name == "l2") return Metric::kL2;
    if (name == "cosine") return Metric::kCosine;
    if (name == "ip") return Metric::kInnerProduct;
    fail("unknown metric " + name);
}

// The base vectors as a build holds them: embedded, relative to their mean, in halves.
struct Embedded {
    std::vector<std::byte> data;
    std::vector<float> units, mean, direction;
    std::vector<double> norms;
    double max_norm = 0;
    VectorArray array{};

    Embedded(const Space& space, const Matrix<float>& base, std::size_t rows) {
        const std::size_t width = stored_bytes(OwnFormat::kF16, space.padded);
        data.resize(rows * width);
        units.resize(rows);
        norms.resize(rows);
        mean.resize(space.padded);
        direction.resize(space.padded);
        std::vector<float> y(space.padded);
        space.lift_direction(direction.data());
        for (std::size_t i = 0; i < rows; ++i) {
            norms[i] = space.embed(base.row(i), y.data());
            max_norm = std::max(max_norm, norms[i]);
            units[i] = store_vector(OwnFormat::kF16, y.data(), space.padded, data.data() + i * width);
        }
        array = {data.data(), units.data(), rows, space.padded, OwnFormat::kF16};
        Random random(1);
        if (space.metric == Metric::kInnerProduct) shift(space);
        sample_mean(array, random, std::pmr::get_default_resource(), mean.data());
        std::fill(direction.begin(), direction.end(), 0.0f);
        shift(space);
    }

    // Lifts and moves every vector to the mean.
    void shift(const Space& space) {
        const std::size_t width = stored_bytes(OwnFormat::kF16, space.padded);
        std::vector<float> y(space.padded);
        for (std::size_t i = 0; i < array.count; ++i) {
            load_vector(array[i], space.padded, y.data());
            space.lift(y.data(), norms[i], max_norm, direction.data());
            for (std::size_t d = 0; d < space.padded; ++d) y[d] -= mean[d];
            units[i] = store_vector(OwnFormat::kF16, y.data(), space.padded, data.data() + i * width);
        }
    }
};

// The base, the queries in its space, and of each query the squared distance of its 10th neighbour: a result
// at most as far is right. "Exact" here is the base in halves.
struct TestSet {
    Space space;
    Embedded base;
    std::size_t query_count;
    std::vector<float> queries, tenth;

    TestSet(const Dataset& set, const Options& options)
        : space(metric_of(set.metric), set.base.dims),
          base(space, set.base, std::min(set.base.rows, options.count("rows", set.base.rows))),
          query_count(std::min<std::size_t>(set.queries.rows, options.count("queries", 1000))),
          queries(query_count * space.padded) {
        for (std::size_t i = 0; i < query_count; ++i) {
            float* q = queries.data() + i * space.padded;
            embed_query(space, set.queries.row(i), base.max_norm, q);
            for (std::size_t d = 0; d < space.padded; ++d) q[d] -= base.mean[d];
            tenth.push_back(true_tenth(q));
        }
    }

    const float* query(std::size_t i) const { return queries.data() + i * space.padded; }

  private:
    float true_tenth(const float* q) const {
        std::vector<float> d(base.array.count);
        for (std::size_t j = 0; j < d.size(); ++j)
            d[j] = l2_squared(kernels(), q, base.array[j], space.padded);
        std::nth_element(d.begin(), d.begin() + 9, d.end());
        return d[9] * (1 + 1e-5f);
    }
};

}  // namespace bench

// What the executor does with the index's results: it takes them by their lower bounds, computes the exact
// distance of each, and returns a row once no later one can be nearer.
#pragma once

#include <algorithm>
#include <cmath>
#include <queue>
#include <span>
#include <vector>

#include "bench/graph_data.hpp"

namespace bench {

struct Reranked {
    std::size_t right = 0;  // of the first k, those at most as far as the true k-th
    std::size_t exact = 0;  // exact distances computed for them
};

class Reranker {
  public:
    // `own(id)` is the vector that a variant keeps for a row.
    template <typename Own>
    Reranker(const TestSet& set, Own own) : set_(set), errors_(set.base.array.count) {
        std::vector<float> z(set.space.padded);
        for (NodeId id = 0; id < errors_.size(); ++id) {
            load_vector(set.base.array[id], z.size(), z.data());
            errors_[id] = set.space.storage_error(z.data(), own(id));
        }
    }

    // `results` are sorted by the distance of what is stored.
    Reranked first(std::size_t k, std::size_t query, std::span<const Neighbor> results) const {
        std::vector<Neighbor> bounds;
        for (const Neighbor& r : results) {
            const float low = std::max(0.0f, std::sqrt(r.distance) - errors_[r.id]);
            bounds.push_back({low * low, r.id});
        }
        std::sort(bounds.begin(), bounds.end());
        std::priority_queue<float, std::vector<float>, std::greater<float>> waiting;
        Reranked total;
        for (std::size_t next = 0, returned = 0; returned < std::min(k, results.size());) {
            const bool more = next < bounds.size();
            if (!waiting.empty() && (!more || waiting.top() <= bounds[next].distance)) {
                total.right += waiting.top() <= set_.tenth[query] ? 1 : 0;
                waiting.pop();
                ++returned;
                continue;
            }
            const NodeId id = bounds[next++].id;
            waiting.push(l2_squared(kernels(), set_.query(query), set_.base.array[id], set_.space.padded));
            ++total.exact;
        }
        return total;
    }

  private:
    const TestSet& set_;
    std::vector<float> errors_;
};

}  // namespace bench

// A Vamana graph made by inserting, the baseline of bench/graph for the bulk build: one pass over the rows in
// random order, in batches of doubling size (ParlayANN, arXiv 2305.04359). Every row of a batch is searched
// for in the graph so far, with exact distances; RobustPrune of what the search expanded gives its edges;
// then each row that they lead to takes the reverse ones, all of the batch at once. One thread.
#pragma once

#include <algorithm>
#include <numeric>
#include <vector>

#include "bench/graph_data.hpp"
#include "vecidx/bulk_graph.hpp"
#include "vecidx/gather.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/search.hpp"

namespace bench {

struct VamanaParams {
    PruneParams prune{1.2f, 64};
    bool exact = false;      // distances among candidates from the vectors, not from a Pruner's 8 bits
    std::size_t list = 100;  // L of the searches
    std::uint64_t seed = 1;
};

// A graph in the making, as the library's search takes it.
class GrowingGraph {
  public:
    GrowingGraph(const VectorArray& vectors, const Lists& lists)
        : vectors_(vectors), lists_(lists), query_(vectors.padded) {}

    // Turns to a row, which the graph does not have yet.
    void begin(std::size_t row) {
        load_vector(vectors_[row], vectors_.padded, query_.data());
        seen_.clear();
        expanded_.clear();
    }
    void expand(NodeId id, Beam& beam) {
        const float distance = distance_of(id);
        beam.settle(distance);
        expanded_.push_back({distance, id});
        seen_.insert(id);
        fresh_.clear();
        for (const Neighbor& n : lists_.of(id)) {
            if (!seen_.insert(n.id)) continue;
            fresh_.push_back(n.id);
            vectors_.prefetch(n.id);
        }
        for (const NodeId neighbor : fresh_) beam.offer(neighbor, distance_of(neighbor));
    }
    void prefetch(NodeId id) {
        const std::span<const Neighbor> list = lists_.of(id);
        for (std::size_t i = 0; i < list.size(); i += 64 / sizeof(Neighbor)) __builtin_prefetch(&list[i]);
    }

    // Everything expanded, nearest first.
    std::span<const Neighbor> expanded() {
        std::sort(expanded_.begin(), expanded_.end());
        return expanded_;
    }

  private:
    float distance_of(NodeId id) const {
        return l2_squared(kernels(), query_.data(), vectors_[id], vectors_.padded);
    }

    const VectorArray& vectors_;
    Lists lists_;
    std::vector<float> query_;
    Visited seen_{std::pmr::get_default_resource(), 4096};
    std::vector<NodeId> fresh_;
    std::vector<Neighbor> expanded_;
};

// RobustPrune by the library's Pruner, or in floats.
class RowPruner {
  public:
    RowPruner(const VectorArray& vectors, const VamanaParams& params) : vectors_(vectors), params_(params) {}

    // Of candidates sorted by distance. Valid until the next call.
    std::span<const Neighbor> prune(NodeId x, std::span<const Neighbor> candidates) {
        if (params_.exact)
            prune_exactly(candidates);
        else
            prune_packed(x, candidates);
        return kept_;
    }
    // Of candidates in any order, their distances known.
    std::span<const Neighbor> prune_unsorted(NodeId x, std::span<const Neighbor> candidates) {
        sorted_.assign(candidates.begin(), candidates.end());
        std::sort(sorted_.begin(), sorted_.end());
        return prune(x, sorted_);
    }

  private:
    // The Pruner's own distances are those of its frames: others come to the same list from other frames.
    void prune_packed(NodeId x, std::span<const Neighbor> candidates) {
        ids_.assign(1, x);
        for (const Neighbor& n : candidates) ids_.push_back(n.id);
        gathered_.gather(vectors_, ids_, window_);
        pruner_.measure(gathered_.array(), gathered_.members(), ids_, candidates.size());
        const std::span<const Neighbor> kept = pruner_.prune(params_.prune);
        kept_.clear();
        for (const Neighbor& n : candidates)
            if (std::any_of(kept.begin(), kept.end(), [&](const Neighbor& k) { return k.id == n.id; }))
                kept_.push_back(n);
    }
    void prune_exactly(std::span<const Neighbor> candidates) {
        const std::size_t width = vectors_.padded;
        kept_vectors_.resize((params_.prune.degree + 1) * width);
        kept_.clear();
        for (const Neighbor& t : candidates) {
            if (kept_.size() == params_.prune.degree) break;
            float* z = kept_vectors_.data() + kept_.size() * width;
            load_vector(vectors_[t.id], width, z);
            if (!covered(z, t.distance)) kept_.push_back(t);
        }
    }
    bool covered(const float* z, float distance) const {
        const auto l2_squared_of = kernels().l2_squared;
        for (std::size_t i = 0; i < kept_.size(); ++i) {
            const float* kept = kept_vectors_.data() + i * vectors_.padded;
            if (params_.prune.alpha * l2_squared_of(kept, z, vectors_.padded) <= distance) return true;
        }
        return false;
    }

    const VectorArray& vectors_;
    VamanaParams params_;
    Pruner pruner_{std::pmr::get_default_resource()};
    GatheredVectors gathered_{std::pmr::get_default_resource()};
    Window window_{std::pmr::get_default_resource()};
    std::vector<std::uint32_t> ids_;
    std::vector<Neighbor> sorted_, kept_;
    std::vector<float> kept_vectors_;
};

class VamanaBuild {
  public:
    VamanaBuild(const VectorArray& vectors, const VamanaParams& params)
        : vectors_(vectors),
          params_(params),
          edges_(vectors.count, params.prune.degree * 13 / 10, std::pmr::get_default_resource()),
          lists_(edges_.lists()),
          graph_(vectors, lists_),
          pruner_(vectors, params) {}

    // What bulk_build gives, without a tree.
    void run(BulkGraph& result) {
        const std::size_t rows = vectors_.count;
        if (rows == 0) return;
        order_rows();
        const std::size_t most = std::max<std::size_t>(1, rows / kMostBatches);
        for (std::size_t done = 1, count; done < rows; done += count) {
            count = std::min({done, most, rows - done});
            insert({order_.data() + done, count});
            take_reverse_edges();
        }
        result.medoid = order_[0];
        result.order.assign(order_.begin(), order_.end());
        result.parent.assign(rows, kNoNode);
        result.edges = Adjacency(rows, params_.prune.degree, std::pmr::get_default_resource());
        for (NodeId row = 0; row < rows; ++row) {
            const std::span<const Neighbor> list = lists_.of(row);
            const bool fits = list.size() <= params_.prune.degree;
            result.edges.assign(row, fits ? list : pruner_.prune_unsorted(row, list));
        }
    }

  private:
    static constexpr std::size_t kMostBatches = 50;  // a batch is at most 2 % of the rows

    struct Reverse {
        NodeId target;
        Neighbor edge;
    };

    // The medoid, that is the row nearest to the mean, which is the origin; then the others at random.
    void order_rows() {
        const std::vector<float> origin(vectors_.padded);
        Neighbor medoid{INFINITY, 0};
        for (NodeId i = 0; i < vectors_.count; ++i)
            medoid =
                std::min(medoid, {l2_squared(kernels(), origin.data(), vectors_[i], vectors_.padded), i});
        order_.resize(vectors_.count);
        std::iota(order_.begin(), order_.end(), 0u);
        std::swap(order_[0], order_[medoid.id]);
        Random random(params_.seed);
        random.sample_front(std::span(order_).subspan(1), order_.size() - 1);
    }

    void insert(std::span<const NodeId> batch) {
        reverse_.clear();
        for (const NodeId row : batch) {
            beam_.reset(params_.list);
            graph_.begin(row);
            beam_.offer(order_[0], 0);
            best_first_search(graph_, beam_, [] {});
            lists_.assign(row, pruner_.prune(row, graph_.expanded()));
            for (const Neighbor& n : lists_.of(row)) reverse_.push_back({n.id, {n.distance, row}});
        }
    }

    void take_reverse_edges() {
        std::sort(reverse_.begin(), reverse_.end(), [](const Reverse& a, const Reverse& b) {
            return std::pair(a.target, a.edge) < std::pair(b.target, b.edge);
        });
        for (auto first = reverse_.cbegin(); first != reverse_.cend();) {
            const NodeId target = first->target;
            const std::span<const Neighbor> own = lists_.of(target);
            merged_.assign(own.begin(), own.end());
            for (; first != reverse_.cend() && first->target == target; ++first)
                merged_.push_back(first->edge);
            const bool fits = merged_.size() <= lists_.capacity();
            lists_.assign(target, fits ? merged_ : pruner_.prune_unsorted(target, merged_));
        }
    }

    const VectorArray& vectors_;
    VamanaParams params_;
    Adjacency edges_;  // with room for 1.3 times the degree
    Lists lists_;
    GrowingGraph graph_;
    RowPruner pruner_;
    Beam beam_{std::pmr::get_default_resource()};
    std::vector<NodeId> order_;
    std::vector<Reverse> reverse_;
    std::vector<Neighbor> merged_;
};

}  // namespace bench

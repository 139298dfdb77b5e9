// A graph of inline nodes in one flat array: the index's nodes without the index, for tests and measurements.
#pragma once

#include <algorithm>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/bulk_graph.hpp"
#include "vecidx/expand.hpp"
#include "vecidx/node.hpp"

namespace vecidx {

// Nodes addressed by id, `layout.size` bytes apart.
class MemoryGraph {
  public:
    MemoryGraph(const NodeLayout& layout, std::size_t nodes, std::pmr::memory_resource* memory)
        : layout_(layout), bytes_(nodes * layout.size, memory), results_(memory) {}

    Node node(NodeId id) {
        return {layout_, reinterpret_cast<std::byte*>(bytes_.data()) + std::size_t{id} * layout_.size};
    }

    // Fills all nodes from the vectors (relative to the codebook's mean) and their edges.
    void fill(const VectorArray& vectors, const Codebook& book, const Adjacency& edges);

    // Starts a search: later expansions are measured from this query and collected.
    void begin(const GraphQuery& query) {
        query_ = query;
        results_.clear();
    }

    void expand(NodeId id, Beam& beam) {
        const ConstNode n = node(id);
        results_.push_back({expand_node(n, n.vector(), query_, beam), id});
    }

    void prefetch(NodeId id) {
        const char* first = bytes_.data() + std::size_t{id} * layout_.size;
        for (std::size_t at = 0; at < layout_.size; at += 64) __builtin_prefetch(first + at);
    }

    // Everything expanded, nearest first.
    std::span<const Neighbor> results() {
        std::sort(results_.begin(), results_.end());
        return results_;
    }

  private:
    NodeLayout layout_;
    std::pmr::vector<char> bytes_;
    std::pmr::vector<Neighbor> results_;
    GraphQuery query_{};
};

}  // namespace vecidx

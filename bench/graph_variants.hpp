// The forms of nodes that bench/graph compares. All are graphs for the library's search (search.hpp); the
// inline one with codes relative to centroids is the index's own, the others exist for the comparison only.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "vecidx/link.hpp"
#include "vecidx/memory_graph.hpp"
#include "vecidx/visited.hpp"

namespace bench {

using namespace vecidx;

// What a variant is made from. `book` has the centroids, which also give the entry points.
struct Material {
    const VectorArray& vectors;
    const BulkGraph& graph;
    const Codebook& book;
    const NodeLayout& layout;
};

// Codes relative to centroids, inline. A hop reads one page.
class CentroidGraph : public MemoryGraph {
  public:
    explicit CentroidGraph(const Material& m)
        : MemoryGraph(m.layout, m.vectors.count, std::pmr::get_default_resource()), bytes_(m.layout.size) {
        fill(m.vectors, m.book, m.graph.edges);
    }

    std::size_t node_bytes() const { return bytes_; }
    std::size_t pages(std::size_t hops) const { return hops; }
    StoredVector own(NodeId id) { return node(id).vector(); }

  private:
    std::size_t bytes_;
};

// Codes relative to the parent's own vector, inline: with r = z - p for each parent p that has an edge to z,
// the query meets p only in |q - p|^2, the distance that the hop computes anyway, so one table of the query
// still serves all nodes. A node counts at its first estimate: offered again and again with independent
// errors, the far ones would get in by the luckiest (twice the hops at 1 bit). Neither a centroid's number a
// lane nor an own code is needed; a new edge takes the neighbour's vector.
class ParentGraph {
  public:
    explicit ParentGraph(const Material& m)
        : layout_(m.layout), nodes_(m.layout, m.vectors.count, std::pmr::get_default_resource()) {
        nodes_.fill(m.vectors, m.book, m.graph.edges);
        std::vector<float> parent(layout_.padded), z(layout_.padded);
        std::vector<std::uint8_t> code(layout_.code_bytes());
        Codebook book = m.book;
        book.centroids = parent.data();
        book.centroid_count = 1;
        for (NodeId id = 0; id < m.vectors.count; ++id) {
            const Node node = nodes_.node(id);
            load_vector(node.vector(), layout_.padded, parent.data());
            for (std::size_t lane = 0; lane < node.degree(); ++lane) {
                const NodeId neighbor = node.ids()[lane];
                load_vector(m.vectors[neighbor], layout_.padded, z.data());
                node.write_edge(lane, {neighbor, encode(book, z.data(), 0, code.data()), code.data()});
            }
        }
    }

    std::size_t node_bytes() const { return layout_.size - layout_.code_bytes() - layout_.degree; }
    std::size_t pages(std::size_t hops) const { return hops; }
    StoredVector own(NodeId id) { return nodes_.node(id).vector(); }

    void begin(const GraphQuery& query) {
        query_ = query;
        table_ = *query.table;
        table_.centroid_term = &own_distance_;
        seen_.clear();
        results_.clear();
    }
    void expand(NodeId id, Beam& beam) {
        const ConstNode node = nodes_.node(id);
        own_distance_ = l2_squared(kernels(), query_.vector, node.vector(), layout_.padded);
        beam.settle(own_distance_);
        kernels().scan(node.blocks(), table_, query_.estimates);
        for (std::size_t lane = 0; lane < node.degree(); ++lane)
            if (seen_.insert(node.ids()[lane])) beam.offer(node.ids()[lane], query_.estimates[lane]);
        results_.push_back({own_distance_, id});
    }
    void prefetch(NodeId id) { nodes_.prefetch(id); }
    std::span<const Neighbor> results() {
        std::sort(results_.begin(), results_.end());
        return results_;
    }

  private:
    NodeLayout layout_;
    MemoryGraph nodes_;
    GraphQuery query_{};
    QueryTable table_{};
    float own_distance_ = 0;
    Visited seen_{std::pmr::get_default_resource(), 4096};
    std::vector<Neighbor> results_;
};

// A node is its own vector and its neighbours' ids; every neighbour met for the first time is looked up on a
// page of its own.
class CompactGraph {
  public:
    explicit CompactGraph(const Material& m)
        : layout_(m.layout), seen_(std::pmr::get_default_resource(), 4096) {
        own_bytes_ = round_up<std::size_t>(stored_bytes(layout_.own_format, layout_.padded), 8);
        stride_ = sizeof(NodeHeader) + own_bytes_ + layout_.degree * sizeof(NodeId);
        bytes_.resize(m.vectors.count * stride_);
        std::vector<float> z(layout_.padded);
        for (NodeId id = 0; id < m.vectors.count; ++id) {
            load_vector(m.vectors[id], layout_.padded, z.data());
            header(id).unit = store_vector(layout_.own_format, z.data(), layout_.padded, own_data(id));
            const std::span<const Neighbor> list = m.graph.edges.of(id);
            header(id).degree = static_cast<std::uint16_t>(list.size());
            for (std::size_t lane = 0; lane < list.size(); ++lane) ids(id)[lane] = list[lane].id;
        }
    }

    std::size_t node_bytes() const { return stride_; }
    std::size_t pages(std::size_t) const { return pages_; }
    StoredVector own(NodeId id) { return {own_data(id), header(id).unit, layout_.own_format}; }

    void begin(const GraphQuery& query) {
        query_ = query.vector;
        pages_ = 0;
        seen_.clear();
        results_.clear();
    }
    void expand(NodeId id, Beam& beam) {
        const float distance = distance_of(id);
        beam.settle(distance);
        results_.push_back({distance, id});
        seen_.insert(id);
        fresh_.clear();
        for (std::size_t lane = 0; lane < header(id).degree; ++lane) {
            if (!seen_.insert(ids(id)[lane])) continue;
            fresh_.push_back(ids(id)[lane]);
            prefetch_own(fresh_.back());
        }
        pages_ += 1 + fresh_.size();
        for (const NodeId neighbor : fresh_) beam.offer(neighbor, distance_of(neighbor));
    }
    void prefetch(NodeId id) { __builtin_prefetch(ids(id)); }
    std::span<const Neighbor> results() {
        std::sort(results_.begin(), results_.end());
        return results_;
    }

  private:
    char* node(NodeId id) { return bytes_.data() + id * stride_; }
    NodeHeader& header(NodeId id) { return *reinterpret_cast<NodeHeader*>(node(id)); }
    char* own_data(NodeId id) { return node(id) + sizeof(NodeHeader); }
    NodeId* ids(NodeId id) { return reinterpret_cast<NodeId*>(own_data(id) + own_bytes_); }
    float distance_of(NodeId id) { return l2_squared(kernels(), query_, own(id), layout_.padded); }
    void prefetch_own(NodeId id) {
        for (std::size_t at = 0; at < sizeof(NodeHeader) + own_bytes_; at += 64)
            __builtin_prefetch(node(id) + at);
    }

    NodeLayout layout_;
    std::size_t own_bytes_ = 0, stride_ = 0, pages_ = 0;
    std::vector<char> bytes_;
    std::vector<NodeId> fresh_;
    Visited seen_;
    const float* query_ = nullptr;
    std::vector<Neighbor> results_;
};

}  // namespace bench

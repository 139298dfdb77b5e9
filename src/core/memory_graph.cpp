// Filling a memory graph. See memory_graph.hpp.
#include "vecidx/memory_graph.hpp"

#include <cstring>

namespace vecidx {

void MemoryGraph::fill(const VectorArray& vectors, const Codebook& book, const Adjacency& edges) {
    std::pmr::memory_resource* memory = results_.get_allocator().resource();
    std::pmr::vector<float> z(book.padded, memory);
    for (std::uint32_t i = 0; i < vectors.count; ++i) {
        load_vector(vectors[i], book.padded, z.data());
        Node n = node(i);
        n.header() = NodeHeader{};
        n.header().flags = kNodeUsed;
        const std::uint8_t centroid = nearest_centroid(book, z.data());
        n.header().unit = store_vector(layout_.own_format, z.data(), book.padded, n.own());
        load_vector(n.vector(), book.padded, z.data());
        n.set_own_factors(encode(book, z.data(), centroid, n.own_code()));
    }
    const auto prefetch_code = [this](NodeId id) {
        const char* first = bytes_.data() + std::size_t{id} * layout_.size;
        for (std::size_t at = 0; at < layout_.own; at += 64) __builtin_prefetch(first + at);
    };
    for (std::uint32_t i = 0; i < vectors.count; ++i) {
        Node n = node(i);
        const std::span<const Neighbor> list = edges.of(i);
        for (const Neighbor& neighbor : list) prefetch_code(neighbor.id);
        for (std::size_t lane = 0; lane < list.size(); ++lane) {
            n.write_edge(lane, node(list[lane].id).edge_to(list[lane].id));
        }
        n.header().degree = static_cast<std::uint16_t>(list.size());
    }
}

}  // namespace vecidx

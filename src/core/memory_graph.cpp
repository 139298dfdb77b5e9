// Filling a memory graph. See memory_graph.hpp.
#include "vecidx/memory_graph.hpp"

#include <cstring>

namespace vecidx {

void MemoryGraph::fill(const VectorArray& vectors, const Codebook& book, const Adjacency& edges) {
    std::pmr::memory_resource* memory = results_.get_allocator().resource();
    std::pmr::vector<std::uint8_t> codes(vectors.count * book.code_bytes(), memory);
    std::pmr::vector<CodeFactors> factors(vectors.count, memory);
    std::pmr::vector<float> z(book.padded, memory);
    for (std::uint32_t i = 0; i < vectors.count; ++i) {
        load_vector(vectors[i], book.padded, z.data());
        Node n = node(i);
        n.header() = NodeHeader{};
        n.header().flags = kNodeUsed;
        n.header().centroid = nearest_centroid(book, z.data());
        n.header().unit = store_vector(layout_.own_format, z.data(), book.padded, n.own());
        load_vector(n.vector(), book.padded, z.data());
        factors[i] = encode(book, z.data(), n.header().centroid, codes.data() + i * book.code_bytes());
    }
    for (std::uint32_t i = 0; i < vectors.count; ++i) {
        Node n = node(i);
        const std::span<const Neighbor> list = edges.of(i);
        for (std::size_t lane = 0; lane < list.size(); ++lane) {
            const NodeId to = list[lane].id;
            n.write_edge(lane, {to, factors[to], codes.data() + to * book.code_bytes()});
        }
        n.header().degree = static_cast<std::uint16_t>(list.size());
    }
}

}  // namespace vecidx

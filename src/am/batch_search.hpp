// What a batch looks up in the graph for each of its rows: the nodes around it, with all that linking needs
// of them copied out.
#pragma once

#include "am/disk_graph.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

class BatchSearch {
  public:
    // A live node of the graph.
    struct Found {
        NodeId id;
        float distance;
        CodeFactors factors;
        std::uint32_t pinned;  // edges that are pinned
    };

    // The merge lock is held. `geometry` stays where it is.
    BatchSearch(Relation index, const Meta& meta, const Geometry& geometry,
                std::pmr::memory_resource* memory);

    // Finds the surroundings of a vector of the graph's space, in halves: z is the same in floats. The search
    // starts also from what the one before found, so near vectors are best searched for one after the other.
    void find(const StoredVector& vector, const float* z);

    std::span<const Found> found() const { return found_; }
    const std::uint8_t* code(std::size_t i) const { return codes_.data() + i * layout_.code_bytes(); }

    // The vector searched for, then those of `found`, then what was added since; halves, in graph space.
    VectorArray vectors() const {
        return {vectors_.data(), units_.data(), units_.size(), layout_.padded, OwnFormat::kF16};
    }
    void add(const StoredVector& vector);

    // Of `found`: a node that stores the vector as a node of its own would, or found().size().
    std::size_t equal() const { return equal_; }

    // The look-up table of the vector searched for.
    const QueryTable& table() const { return *query_.graph.table; }
    const PreparedQuery& query() const { return query_; }

  private:
    void choose_starts(const float* z);
    void store_as_node(const float* z);
    void collect(const Visit& visit);
    void add_halves(const Visit& visit);
    bool is_equal(const Visit& visit) const;

    Relation index_;
    const Meta& meta_;
    const NodeLayout& layout_;
    const Geometry& geometry_;
    PreparedQuery query_;
    Beam beam_;
    std::size_t width_;  // bytes of a vector
    std::pmr::vector<Found> found_;
    std::pmr::vector<std::uint8_t> codes_;
    std::pmr::vector<std::byte> vectors_;
    std::pmr::vector<float> units_;
    std::pmr::vector<float> z_;
    std::pmr::vector<std::byte> own_;  // the vector searched for in 8 bits, where nodes have that
    float own_unit_ = 0;
    std::size_t equal_ = 0;
    std::pmr::vector<Neighbor> starts_;
};

}  // namespace vecidx

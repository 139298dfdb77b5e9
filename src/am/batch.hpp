// Linking a batch of rows into a graph: searched for one by one, linked among themselves, each new node
// written once, each page of the graph changed once.
#pragma once

#include "am/disk_graph.hpp"
#include "am/live_rows.hpp"
#include "am/row_store.hpp"
#include "vecidx/adjacency.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/reverse.hpp"

namespace vecidx {

class Batch {
  public:
    // The graph lock is held, and the metapage says that batch meta.merging is being written. Uses up `rows`,
    // which are as pending rows are stored.
    Batch(Relation index, const Meta& meta, RowStore& rows, std::pmr::memory_resource* memory);

    void link(LiveRows& live);

    // After link: nodes that were added, and tombstones among them: all rows of a node had gone meanwhile.
    std::size_t added() const { return added_; }
    std::uint32_t tombstones() const { return tombstones_; }

    // Gives back what the rows do not need any more. Call when no reader can see them as pending rows.
    void release();

    // Bytes of memory for a row of a batch.
    static std::size_t bytes_per_row(const NodeLayout& layout);

  private:
    // A node of the graph that a search met, with what linking needs of it.
    struct Found {
        NodeId id;
        float distance;
        CodeFactors factors;
        std::size_t pinned;  // edges that are pinned
    };
    // An edge to add to a node of the graph.
    struct Reverse {
        NodeId target;
        std::uint32_t row;
        float distance;
        Pin pin;
    };

    Node image(std::size_t row) { return {layout_, images_.data() + row * layout_.size}; }
    Edge edge_to_row(std::uint32_t row) { return image(row).edge_to(ids_[row]); }
    std::uint8_t* found_code(std::size_t i) { return found_codes_.data() + i * layout_.code_bytes(); }
    const float* row_vector(std::uint32_t row);

    void own_geometry();
    void make_images();
    void store_own(Node node, const StoredVector& vector);
    void search_row(std::uint32_t row);
    void collect(const Visit& visit);
    bool join_equal(std::uint32_t row);
    void link_row(std::uint32_t row);
    void choose_parent(std::uint32_t row);
    bool attach_within_batch(std::uint32_t row);
    void link_within_batch();
    void write_images(const LiveRows& live);
    void finish_image(std::uint32_t row, const LiveRows& live);
    void write_reverse_edges();
    void add_equal_rows(const LiveRows& live);

    Relation index_;
    Meta meta_;
    NodeLayout layout_;
    RowStore& rows_;
    std::pmr::memory_resource* memory_;
    std::pmr::vector<float> floats_;  // the geometry's: the cache's may go away
    Geometry geometry_;
    PreparedQuery query_;
    Beam beam_;
    Pruner pruner_;
    Adjacency local_;  // of each row: candidates, later edges within the batch
    std::pmr::vector<std::byte> images_;
    std::pmr::vector<NodeId> ids_;
    std::pmr::vector<std::uint8_t> joined_;     // 1: the row's vector has a node already, ids_ names it
    std::pmr::vector<std::uint32_t> children_;  // pinned edges that a row's image will have
    std::pmr::vector<std::uint8_t> attached_;   // 1: the row has a parent
    std::pmr::vector<Reverse> reverse_;         // to nodes of the graph
    std::pmr::vector<Reverse> within_;          // to rows of the batch: target is a row
    std::pmr::vector<float> z_, target_z_;

    // Of the search for one row.
    std::pmr::vector<Found> found_;
    std::pmr::vector<std::uint8_t> found_codes_;
    std::pmr::vector<std::byte> found_vectors_;  // halves; the first is the row itself
    std::pmr::vector<float> found_units_;
    std::pmr::vector<Neighbor> candidates_;  // of those in the graph
    std::pmr::vector<std::uint32_t> numbers_;
    std::pmr::vector<std::byte> own_;  // the row's vector as its node stores it
    std::size_t equal_ = 0;            // of found_: an equal vector, or found_.size()
    // Pins given out to nodes of the graph by this batch.
    std::pmr::vector<std::pair<NodeId, std::uint32_t>> pins_;
    std::pmr::vector<NodeId> unused_;  // slots that were not needed
    std::size_t added_ = 0;
    std::uint32_t tombstones_ = 0;
};

}  // namespace vecidx

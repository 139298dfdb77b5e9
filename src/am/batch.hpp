// Linking a batch of rows into a graph: searched for one by one, linked among themselves, each new node
// written once, each page of the graph changed once. Rows are taken in an order in which near ones are near,
// so that they meet the same pages and lie on the same pages.
#pragma once

#include "am/batch_search.hpp"
#include "am/live_rows.hpp"
#include "am/row_store.hpp"
#include "vecidx/adjacency.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/reverse.hpp"

#include <unordered_map>

namespace vecidx {

class Batch {
  public:
    // The graph lock is held, and the metapage says that batch meta.merging is being written. Uses up `rows`,
    // which are as pending rows are stored.
    Batch(Relation index, const Meta& meta, RowStore& rows, std::pmr::memory_resource* memory);

    void link(LiveRows& live);

    // After link: nodes that were added.
    std::size_t added() const { return added_; }
    // Of them, those of which all rows had gone meanwhile.
    std::uint32_t tombstones() const { return tombstones_; }

    // Gives back what the rows do not need any more. Call when no reader can see them as pending rows.
    void release();

    // Bytes of memory for a row of a batch.
    static std::size_t bytes_per_row(const NodeLayout& layout);

  private:
    // An edge to add to a node of the graph.
    struct Reverse {
        NodeId target;
        std::uint32_t row;
        float distance;
        Pin pin;
        friend bool operator<(const Reverse& a, const Reverse& b) {
            return std::tie(a.target, b.pin, a.distance, a.row) <
                   std::tie(b.target, a.pin, b.distance, b.row);
        }
    };

    Node image(std::size_t row) { return {layout_, images_.data() + row * layout_.size}; }
    Edge edge_to_row(std::uint32_t row) { return image(row).edge_to(ids_[row]); }
    const float* row_vector(std::uint32_t row);

    void own_geometry();
    void find_near_rows();
    void order_rows();
    void number_rows();
    void make_images();
    void store_own(Node node, const StoredVector& vector);
    void search_row(std::uint32_t row);
    bool join_equal(std::uint32_t row);
    void link_row(std::uint32_t row);
    void choose_parent(std::uint32_t row);
    void attach_rest();
    bool attach_within_batch(std::uint32_t row);
    void link_within_batch();
    void write_nodes(LiveRows& live);
    void write_images(const LiveRows& live);
    void finish_image(std::uint32_t row, const LiveRows& live);
    void collect_tids(std::uint32_t row, const LiveRows& live);
    void write_reverse_edges();
    void add_reverse_edges(Page page, BlockNumber block, std::span<const Reverse> edges);
    void add_equal_rows(const LiveRows& live);

    Relation index_;
    Meta meta_;
    NodeLayout layout_;
    RowStore& rows_;
    std::pmr::memory_resource* memory_;
    std::pmr::vector<float> floats_;  // the geometry's: the cache's may go away
    Geometry geometry_;
    BatchSearch search_;
    Pruner pruner_;
    Adjacency local_;  // of each row: candidates, later edges within the batch
    TableStore tables_;
    ReverseLinker linker_;
    std::pmr::vector<std::uint32_t> order_;  // of rows, near ones near; ids ascend in it
    std::pmr::vector<std::byte> images_;
    std::pmr::vector<NodeId> ids_;
    std::pmr::vector<std::uint8_t> joined_;     // 1: the row's vector has a node already, ids_ names it
    std::pmr::vector<std::uint32_t> children_;  // pinned edges that a row's image will have
    std::pmr::vector<std::uint8_t> attached_;   // 1: the row has a parent
    std::pmr::vector<Reverse> reverse_;         // to nodes of the graph
    std::pmr::vector<Reverse> within_;          // to rows of the batch: target is a row
    std::pmr::vector<float> z_;
    std::pmr::vector<Neighbor> candidates_;  // of those in the graph
    std::pmr::vector<std::uint32_t> numbers_;
    std::pmr::unordered_map<NodeId, std::uint32_t> pins_;  // given out to nodes of the graph
    std::pmr::vector<NodeId> unused_;                      // slots that were not needed
    std::pmr::vector<HeapTid> tids_;                       // of the row at hand
    std::size_t added_ = 0;
    std::uint32_t tombstones_ = 0;
};

}  // namespace vecidx

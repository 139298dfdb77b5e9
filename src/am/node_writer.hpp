// The nodes of a finished graph in the index's pages: which node is where, and writing them.
#pragma once

#include "am/build_arrays.hpp"
#include "am/graph_work.hpp"
#include "am/live_rows.hpp"
#include "storage/node_store.hpp"
#include "vecidx/space.hpp"

namespace vecidx {

// What nodes are made from.
struct NodeSource {
    Relation index;
    BuildRows& rows;
    const BuildArrays& arrays;
    const BulkBuild& graph;
    const Team& team;
    BuildShared* shared;
    Window& window;
    LiveRows* live;  // of a merge; nullptr: nobody else sees the index yet
};

class NodeWriter {
  public:
    // Works in the current memory context.
    NodeWriter(const NodeSource& source, const Meta& meta);

    // The leader: gives every fresh row its node, and in a new index writes the posting chains.
    void place_nodes();

    // All: writes the nodes of fresh rows, when they are placed and encoded; in a live index, the posting
    // chains just before, so that no sweep comes between.
    void write_all();

    // Tombstones that were written: all rows of a node had gone meanwhile.
    std::uint32_t tombstones() const { return tombstones_; }

    // The edge to a row.
    Edge edge_to(std::uint32_t row);

  private:
    void place_in_new_index(std::size_t rows);
    void place_in_live_index(std::size_t rows);
    void write_new();
    std::uint32_t batch() const { return meta_.merging != 0 ? meta_.merging : meta_.batch; }
    void write_live();
    std::size_t write_live_page(std::size_t first, std::size_t end);
    void collect_tids(std::size_t row);
    void write_chain(std::size_t row);
    void fill_node(Page page, std::size_t row);
    NodeHeader make_header(std::size_t row);
    void store_own(Node node, const StoredVector& vector);

    NodeSource in_;
    Meta meta_;
    NodeLayout layout_;
    Space space_;
    float* z_;
    std::pmr::vector<HeapTid> tids_;  // of the row at hand
    std::uint32_t tombstones_ = 0;
};

}  // namespace vecidx

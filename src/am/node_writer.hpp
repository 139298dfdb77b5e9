// The nodes of a finished graph in the index's pages: which node is where, and writing them.
#pragma once

#include "am/build_arrays.hpp"
#include "am/graph_build.hpp"
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
    Writing writing;
};

class NodeWriter {
  public:
    // Works in the current memory context.
    NodeWriter(const NodeSource& source, const Meta& meta);

    // The leader: gives every row its node, and writes the posting chains, which nodes lead to.
    void place_nodes();

    // All: writes the nodes, when they are placed and encoded.
    void write_all();

  private:
    std::uint32_t batch() const { return meta_.merging != 0 ? meta_.merging : meta_.batch; }
    void write_live();
    void fill_node(Page page, std::size_t row);
    NodeHeader make_header(std::size_t row);
    void store_own(Node node, const StoredVector& vector);

    NodeSource in_;
    Meta meta_;
    NodeLayout layout_;
    Space space_;
    float* z_;
};

}  // namespace vecidx

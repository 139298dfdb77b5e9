// The index's graph as the calm floor searches it: one page access a hop.
#pragma once

#include "am/query.hpp"
#include "storage/node_store.hpp"
#include "vecidx/expand.hpp"
#include "vecidx/graph.hpp"
#include "vecidx/search.hpp"

namespace vecidx {

// A node's own vector as it is met: where it lies, and its distance from the query.
struct Visit {
    NodeId id;
    ConstNode node;        // under its page's lock
    StoredVector own;      // in graph space, or where own vectors are kept apart, embedded only
    float graph_distance;  // squared, in graph space
    float own_distance;    // squared, from `own` to the query in own's space
};

// Sink is called with each Visit, under the page's lock; it must not access other pages.
template <typename Sink>
class DiskGraph {
  public:
    DiskGraph(Relation index, IndexCache* cache, const PreparedQuery& query, Sink& sink)
        : index_(index), cache_(cache), query_(query), sink_(sink) {}

    void expand(NodeId id, Beam& beam) {
        const bool there =
            with_node(index_, cache_, id, [&](const ConstNode& node) { visit(id, node, beam); });
        if (!there) beam.settle(std::numeric_limits<float>::infinity());
    }

    // Touches the lines of the node where its page was found last.
    void prefetch(NodeId id) {
        const Buffer buffer = *cache_->hint(block_of(cache_->shape, id));
        if (!BufferIsValid(buffer) || BufferIsLocal(buffer)) return;
        const NodeLayout& layout = cache_->shape.layout;
        const Page page = BufferGetPage(buffer);
        __builtin_prefetch(page);
        __builtin_prefetch(page + BLCKSZ - sizeof(PageTail));
        const auto* node =
            reinterpret_cast<const char*>(page_contents(page) + slot_of(cache_->shape, id) * layout.size);
        for (std::size_t at = 0; at < layout.size; at += 64) __builtin_prefetch(node + at);
    }

  private:
    void visit(NodeId id, const ConstNode& node, Beam& beam) {
        const NodeLayout& layout = cache_->shape.layout;
        const GraphQuery& q = query_.graph;
        if (layout.own_place == OwnPlace::kInline) {
            const float d = expand_node(node, node.vector(), q, beam);
            return sink_(Visit{id, node, node.vector(), d, d});
        }
        if (node.header().own_block == kNoOwnBlock) {  // left by a merge that was undone
            beam.settle(std::numeric_limits<float>::max());
            return offer_neighbors(node, q, beam);
        }
        read_apart(index_, layout, node.header().own_block, query_.apart);
        const StoredVector own{query_.apart, node.header().unit, OwnFormat::kF16};
        const float plain = l2_squared(kernels(), query_.embedded, own, layout.padded);
        const float lifted = plain + query_.lift_squared(node.header().norm_squared);
        beam.settle(lifted);
        offer_neighbors(node, q, beam);
        sink_(Visit{id, node, own, lifted, plain});
    }

    Relation index_;
    IndexCache* cache_;
    const PreparedQuery& query_;
    Sink& sink_;
};

// A node's own vector in graph space (padded floats), wherever it is kept. `query` lends its room.
void load_graph_vector(Relation index, const Geometry& geometry, const PreparedQuery& query,
                       const ConstNode& node, float* z);

// Offers the nodes where a search for the query starts: those nearest to the centroids nearest to it.
void offer_entries(const Meta& meta, const PreparedQuery& query, Beam& beam);

// Searches the graph for the query, from its entries. From the medoid every node can be reached; its turn as
// an entry comes only where the others led to less than a list (and not before, or it would keep the place of
// one that is far away). Returns the number of hops.
template <typename Sink, typename Poll>
std::size_t search_from_entries(const Meta& meta, const PreparedQuery& query, DiskGraph<Sink>& graph,
                                Beam& beam, Poll poll) {
    offer_entries(meta, query, beam);
    std::size_t hops = best_first_search(graph, beam, poll);
    beam.offer(meta.medoid, std::numeric_limits<float>::max());
    hops += best_first_search(graph, beam, poll);
    return hops;
}

}  // namespace vecidx

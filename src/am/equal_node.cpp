// Looking for an equal vector. See equal_node.hpp.
#include "am/equal_node.hpp"

#include "am/disk_graph.hpp"
#include "am/row_embedder.hpp"
#include "storage/posting.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kListSize = 12;

class EqualNode {
  public:
    // `embedder` has embedded the row.
    EqualNode(Relation index, const Meta& meta, const RowEmbedder& embedder,
              std::pmr::memory_resource* memory)
        : index_(index),
          meta_(meta),
          layout_(meta_.shape.layout),
          embedder_(embedder),
          query_(meta.shape, memory),
          beam_(memory, kListSize),
          z_(layout_.padded, memory),
          stored_(std::max(stored_bytes(OwnFormat::kF16, layout_.padded),
                           stored_bytes(layout_.own_format, layout_.padded)),
                  memory) {}

    // The node, or kNoNode as its id.
    PostingOwner find() {
        IndexCache* cache = index_cache(index_, meta_);
        store_as_node(cache->geometry);
        query_.prepare_in_graph(z_.data(), cache->geometry);
        PostingOwner found{kNoNode, 0};
        const auto sink = [&](const Visit& visit) {
            if (is_equal(visit)) found = {visit.id, visit.node.header().version};
        };
        DiskGraph graph(index_, cache, query_, sink);
        beam_.reset(kListSize);
        offer_entries(meta_, query_, beam_);
        for (NodeId id; found.id == kNoNode && (id = beam_.next()) != kNoNode;) {
            CHECK_FOR_INTERRUPTS();
            if (const NodeId following = beam_.peek(); following != kNoNode) graph.prefetch(following);
            graph.expand(id, beam_);
        }
        return found;
    }

    // After find: the bound of the row's error as a node stores it.
    float error() const { return error_; }

  private:
    // The row as a merge would write its node: z_ in graph space, stored_ with unit_ as the own vector.
    void store_as_node(const Geometry& g) {
        const PendingEntry& e = embedder_.entry();
        const StoredVector row{embedder_.halves(), e.unit, OwnFormat::kF16};
        error_ = e.error;
        unit_ = e.unit;
        load_vector(row, layout_.padded, z_.data());
        query_.space.lift(z_.data(), e.norm_squared, g.max_norm_squared, g.direction);
        for (std::size_t d = 0; d < layout_.padded; ++d) z_[d] -= g.mean[d];
        store(OwnFormat::kF16);
        if (layout_.own_place == OwnPlace::kApart)
            std::memcpy(stored_.data(), row.data, stored_bytes(OwnFormat::kF16, layout_.padded));
        else if (layout_.own_format != OwnFormat::kF16)
            store(layout_.own_format);
    }

    // Rounds z_ to what is stored of it.
    void store(OwnFormat format) {
        const float unit = store_vector(format, z_.data(), layout_.padded, stored_.data());
        const StoredVector stored{stored_.data(), unit, format};
        const bool apart = layout_.own_place == OwnPlace::kApart;
        if (!apart) {
            error_ += query_.space.storage_error(z_.data(), stored);
            unit_ = unit;
        }
        load_vector(stored, layout_.padded, z_.data());
    }

    // Nodes of batches that were not finished when the search began are not complete, or of another geometry.
    bool is_equal(const Visit& visit) const {
        const NodeHeader& h = visit.node.header();
        return visit.node.live() && h.batch <= meta_.batch && h.unit == unit_ &&
               std::memcmp(visit.own.data, stored_.data(), stored_bytes(visit.own.format, layout_.padded)) ==
                   0;
    }

    Relation index_;
    const Meta& meta_;
    NodeLayout layout_;
    const RowEmbedder& embedder_;
    PreparedQuery query_;
    Beam beam_;
    std::pmr::vector<float> z_;
    std::pmr::vector<std::byte> stored_;
    float unit_ = 0, error_ = 0;
};

bool add_row(Relation index, Datum value, HeapTid tid, std::pmr::memory_resource* memory) {
    const Meta meta = read_meta(index);
    if (meta.trained == 0) return false;
    RowEmbedder embedder(meta.shape, type_support(index));
    if (!embedder.embed(value)) return false;
    EqualNode search(index, meta, embedder, memory);
    const PostingOwner node = search.find();
    if (node.id == kNoNode) return false;
    return add_tids(index, meta.shape, node,
                    {std::span(&tid, 1), search.error(), embedder.entry().fingerprint}) == 1;
}

}  // namespace

bool add_to_equal_node(Relation index, Datum value, HeapTid tid) {
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana equal vector", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    ContextResource memory(context);
    const bool added = add_row(index, value, tid, &memory);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
    return added;
}

}  // namespace vecidx

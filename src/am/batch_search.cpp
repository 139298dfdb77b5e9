// Searching the graph for the rows of a batch. See batch_search.hpp.
#include "am/batch_search.hpp"

#include "vecidx/search.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kStarts = 8;
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

void poll() {
    vacuum_delay();
}

}  // namespace

BatchSearch::BatchSearch(Relation index, const Meta& meta, const Geometry& geometry,
                         std::pmr::memory_resource* memory)
    : index_(index),
      meta_(meta),
      layout_(meta.shape.layout),
      geometry_(geometry),
      query_(meta.shape, memory),
      beam_(memory),
      width_(stored_bytes(OwnFormat::kF16, layout_.padded)),
      found_(memory),
      codes_(memory),
      vectors_(memory),
      units_(memory),
      z_(layout_.padded, memory),
      own_(stored_bytes(OwnFormat::kI8, layout_.padded), memory),
      starts_(memory) {}

void BatchSearch::find(const StoredVector& vector, const float* z) {
    query_.prepare_in_graph(z, geometry_);
    choose_starts(z);
    found_.clear();
    codes_.clear();
    vectors_.clear();
    units_.clear();
    add(vector);
    store_as_node(z);
    equal_ = kNone;
    const auto sink = [this](const Visit& visit) { collect(visit); };
    DiskGraph graph(index_, index_cache(index_, meta_), query_, sink);
    beam_.reset(meta_.shape.build_list_size);
    for (const Neighbor& start : starts_) beam_.offer(start.id, start.distance);
    search_from_entries(meta_, query_, graph, beam_, poll);
    if (equal_ == kNone) equal_ = found_.size();
}

void BatchSearch::store_as_node(const float* z) {
    if (layout_.own_format != OwnFormat::kF16)
        own_unit_ = store_vector(layout_.own_format, z, layout_.padded, own_.data());
}

// Of what the search before found, the nearest to z.
void BatchSearch::choose_starts(const float* z) {
    starts_.clear();
    for (std::size_t i = 0; i < found_.size(); ++i)
        starts_.push_back({l2_squared(kernels(), z, vectors()[i + 1], layout_.padded), found_[i].id});
    const std::size_t count = std::min(kStarts, starts_.size());
    std::partial_sort(starts_.begin(), starts_.begin() + static_cast<std::ptrdiff_t>(count), starts_.end());
    starts_.resize(count);
}

void BatchSearch::add(const StoredVector& vector) {
    const auto* bytes = static_cast<const std::byte*>(vector.data);
    vectors_.insert(vectors_.end(), bytes, bytes + width_);
    units_.push_back(vector.unit);
}

// Keeps a live node's vector, in halves and in graph space, and its code.
void BatchSearch::collect(const Visit& visit) {
    if (!visit.node.live()) return;
    const Edge edge = visit.node.edge_to(visit.id);
    found_.push_back({visit.id, visit.graph_distance, edge.factors,
                      static_cast<std::uint32_t>(visit.node.pinned_count())});
    codes_.insert(codes_.end(), edge.code, edge.code + layout_.code_bytes());
    add_halves(visit);
    if (equal_ == kNone && is_equal(visit)) equal_ = found_.size() - 1;
}

void BatchSearch::add_halves(const Visit& visit) {
    if (layout_.own_place == OwnPlace::kInline && layout_.own_format == OwnFormat::kF16)
        return add(visit.own);
    load_vector(visit.own, layout_.padded, z_.data());
    if (layout_.own_place == OwnPlace::kApart) {
        query_.space.lift(z_.data(), visit.node.header().norm_squared, geometry_.max_norm_squared,
                          geometry_.direction);
        for (std::size_t d = 0; d < layout_.padded; ++d) z_[d] -= geometry_.mean[d];
    }
    const std::size_t at = vectors_.size();
    vectors_.resize(at + width_);
    units_.push_back(store_vector(OwnFormat::kF16, z_.data(), layout_.padded, vectors_.data() + at));
}

// Of the node that was collected last. Halves of what is stored in 8 bits are rounded twice, so there the
// bytes are compared.
bool BatchSearch::is_equal(const Visit& visit) const {
    if (layout_.own_format != OwnFormat::kF16)
        return visit.own.unit == own_unit_ && std::memcmp(visit.own.data, own_.data(), own_.size()) == 0;
    return units_.back() == units_.front() &&
           std::memcmp(vectors_.data() + vectors_.size() - width_, vectors_.data(), width_) == 0;
}

}  // namespace vecidx

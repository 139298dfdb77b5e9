// Where searches of the index's graph start. See disk_graph.hpp.
#include "am/disk_graph.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kEntries = 2;

}  // namespace

void load_graph_vector(Relation index, const Geometry& geometry, const PreparedQuery& query,
                       const ConstNode& node, float* z) {
    const NodeLayout& layout = node.layout();
    if (layout.own_place == OwnPlace::kInline) return load_vector(node.vector(), layout.padded, z);
    read_apart(index, layout, node.header().own_block, query.apart);
    load_vector({query.apart, node.header().unit, OwnFormat::kF16}, layout.padded, z);
    query.space.lift(z, node.header().norm_squared, geometry.max_norm_squared, geometry.direction);
    for (std::size_t d = 0; d < layout.padded; ++d) z[d] -= geometry.mean[d];
}

void offer_entries(const Meta& meta, const PreparedQuery& query, Beam& beam) {
    const float* distances = query.graph.table->centroid_term;
    Neighbor nearest[kEntries];
    std::fill_n(nearest, kEntries, Neighbor{std::numeric_limits<float>::max(), 0});
    for (NodeId c = 0; c < meta.centroid_count; ++c) {
        const Neighbor n{distances[c], c};
        if (!(n < nearest[kEntries - 1])) continue;
        nearest[kEntries - 1] = n;
        std::sort(nearest, nearest + kEntries);
    }
    const std::size_t count = std::min<std::size_t>(kEntries, meta.centroid_count);
    for (std::size_t i = 0; i < count; ++i) beam.offer(meta.entries[nearest[i].id], nearest[i].distance);
}

}  // namespace vecidx

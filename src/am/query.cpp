// Preparing queries. See query.hpp.
#include "am/query.hpp"

namespace vecidx {

PreparedQuery::PreparedQuery(const IndexShape& shape, std::pmr::memory_resource* memory)
    : space(shape.metric, shape.dims),
      code_(memory),
      embedded_(space.padded, memory),
      shifted_(space.padded, memory),
      estimates_(shape.layout.degree, memory),
      apart_(shape.layout.own_place == OwnPlace::kApart ? stored_bytes(OwnFormat::kF16, space.padded) : 0,
             memory) {
    embedded = embedded_.data();
    apart = apart_.data();
}

void PreparedQuery::prepare(const float* q, const Geometry* geometry) {
    max_norm_squared = geometry != nullptr ? geometry->max_norm_squared : 0;
    query = embed_query(space, q, max_norm_squared, embedded_.data());
    if (geometry == nullptr) return;
    for (std::size_t d = 0; d < space.padded; ++d) shifted_[d] = embedded_[d] - geometry->mean[d];
    prepare_table(*geometry);
}

void PreparedQuery::prepare_in_graph(const float* z, const Geometry& geometry) {
    max_norm_squared = geometry.max_norm_squared;
    std::copy_n(z, space.padded, shifted_.begin());
    for (std::size_t d = 0; d < space.padded; ++d) embedded_[d] = z[d] + geometry.mean[d];
    prepare_table(geometry);
}

void PreparedQuery::prepare_table(const Geometry& geometry) {
    code_.prepare(geometry.book, shifted_.data());
    graph = {shifted_.data(), &code_.table(), estimates_.data()};
}

Bounds PreparedQuery::bounds_of(const StoredVector& own, float l2, float error, float norm_squared,
                                const float* relative_to) const {
    const double l1_distance =
        space.metric == Metric::kL1 ? l1(kernels(), relative_to, own, space.padded) : 0;
    return query.bounds(l2, l1_distance, error, norm_squared);
}

}  // namespace vecidx

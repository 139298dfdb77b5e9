// The metapage and the trained geometry: reading, writing, and the copy that a backend keeps with the
// relation.
#pragma once

#include "storage/buffer.hpp"
#include "vecidx/quantizer.hpp"

namespace vecidx {

// A copy of the metapage. Errors when the index has another format version.
Meta read_meta(Relation index);

// Changes the metapage alone: fn(Meta&).
template <typename Fn>
void with_meta_write(Relation index, Fn fn) {
    with_write(index, kMetaBlock, PageKind::kMeta, [&fn](Page page) { fn(*page_contents<Meta>(page)); });
}

// Notes that there is a row that the index does not hold.
void note_unindexed(Relation index);

// Writes block 0 of a new, empty index into a fork, WAL-logged if the fork needs it.
void create_meta(Relation index, ForkNumber fork, const Meta& meta);

// An index without a graph and without rows.
Meta empty_meta(const IndexShape& shape);

// The trained geometry in a backend's memory.
struct Geometry {
    Codebook book;
    const float* mean;       // padded floats
    const float* direction;  // of the inner product's extra dimension
    double max_norm_squared;
};

// Number of floats of the stored geometry.
inline std::size_t geometry_floats(std::size_t padded, std::size_t centroids) {
    return (2 + centroids) * padded;
}

// Writes mean, direction and centroids (geometry_floats of them, in this order) to new pages; returns the
// first.
BlockNumber write_geometry(Relation index, const float* floats, std::size_t count);

// What a backend remembers of an index between calls, one allocation that lives in rd_amcache. It may go away
// whenever Postgres handles invalidations: fetch it at the start of an operation, use it until the operation
// returns.
struct IndexCache {
    std::uint32_t trained;       // the training that `geometry` is of; 0: none
    std::uint32_t hint_count;    // a power of two
    TimestampTz worker_started;  // when this backend started one that merges
    IndexShape shape;
    Geometry geometry;
    Buffer* hints;  // where blocks were found last, by block modulo hint_count

    Buffer* hint(BlockNumber block) { return hints + (block & (hint_count - 1)); }
};

// The cache, made or brought up to date with `meta`.
IndexCache* index_cache(Relation index, const Meta& meta);

// The cache as it is, or nullptr. Its shape is always right; nothing else need be current.
inline IndexCache* peek_cache(Relation index) {
    return static_cast<IndexCache*>(index->rd_amcache);
}

}  // namespace vecidx

// Metapage, geometry pages, and the per-relation cache. See meta.hpp.
#include "storage/meta.hpp"

#include <bit>

#include "vecidx/rotation.hpp"
#include "vecidx/space.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kFloatsPerPage = kPageBytes / sizeof(float);
constexpr std::uint32_t kMostHints = 1u << 20;

// Whether everything that is computed from a shape stays within its page.
bool is_sane(const IndexShape& s) {
    const NodeLayout& l = s.layout;
    const bool known = s.metric <= Metric::kL1 && s.node_form == NodeForm::kInline &&
                       s.rotation_version == kRotationVersion && l.own_format <= OwnFormat::kI8 &&
                       l.own_place <= OwnPlace::kApart;
    return known && s.dims > 0 && l.padded == Space(s.metric, s.dims).padded &&
           (l.bits == 1 || l.bits == 2 || l.bits == 4) && l.code_dims > 0 && l.code_dims % 16 == 0 &&
           l.code_dims <= std::min<std::size_t>(l.padded, kMaxCodeDims) && l.degree > 0 &&
           l.degree % kBlockLanes == 0 &&
           l == NodeLayout::make(l.padded, l.code_dims, l.bits, l.degree, l.own_format, l.own_place) &&
           s.nodes_per_page > 0 && s.nodes_per_page * l.size <= kPageBytes;
}

void check_meta(Relation index, Page page) {
    check_kind(index, kMetaBlock, page, PageKind::kMeta);
    const Meta* meta = page_contents<Meta>(page);
    if (meta->magic != kMagic) report_corruption(index, kMetaBlock, "The metapage has no magic number.");
    if (meta->version != kFormatVersion)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("index \"%s\" has format version %u, this vecidx reads version %u",
                       RelationGetRelationName(index), meta->version, kFormatVersion),
                errhint("Please REINDEX it."));
    if (!is_sane(meta->shape) || meta->centroid_count > kMaxCentroids)
        report_corruption(index, kMetaBlock, "The metapage's description of the index makes no sense.");
}

void read_geometry(Relation index, BlockNumber block, float* floats, std::size_t count) {
    for (std::size_t at = 0; at < count; at += kFloatsPerPage) {
        if (block == InvalidBlockNumber)
            report_corruption(index, kMetaBlock, "The codebook's chain is too short.");
        block = with_read(index, block, [&](Page page) {
            check_kind(index, block, page, PageKind::kCodebook);
            std::memcpy(floats + at, page_contents(page),
                        std::min(kFloatsPerPage, count - at) * sizeof(float));
            return page_tail(page).next;
        });
    }
}

IndexCache* make_cache(Relation index, const Meta& meta) {
    const std::size_t floats =
        meta.trained > 0 ? geometry_floats(meta.shape.layout.padded, meta.centroid_count) : 0;
    const BlockNumber blocks = RelationGetNumberOfBlocks(index);
    const std::uint32_t hints = std::clamp(std::bit_ceil(blocks * 2), 64u, kMostHints);
    const std::size_t head = MAXALIGN(sizeof(IndexCache));
    const std::size_t bytes = head + hints * sizeof(Buffer) + floats * sizeof(float);
    auto* chunk = static_cast<char*>(MemoryContextAllocHuge(index->rd_indexcxt, bytes));
    auto* cache = new (chunk) IndexCache{};
    cache->trained = meta.trained;
    cache->hint_count = hints;
    cache->shape = meta.shape;
    cache->hints = reinterpret_cast<Buffer*>(chunk + head);
    std::memset(cache->hints, 0, hints * sizeof(Buffer));
    auto* values = reinterpret_cast<float*>(cache->hints + hints);
    if (floats > 0) read_geometry(index, meta.codebook, values, floats);

    const std::size_t padded = meta.shape.layout.padded;
    Geometry& g = cache->geometry;
    g.mean = values;
    g.direction = values + padded;
    g.max_norm_squared = meta.max_norm_squared;
    g.book = {padded,
              meta.shape.layout.code_dims,
              meta.shape.layout.bits,
              meta.centroid_count,
              values + 2 * padded,
              meta.rescale_unit};
    return cache;
}

}  // namespace

Meta read_meta(Relation index) {
    return with_read(index, kMetaBlock, [index](Page page) {
        check_meta(index, page);
        return *page_contents<Meta>(page);
    });
}

void note_unindexed(Relation index) {
    if (read_meta(index).unindexed != 0) return;
    with_meta_write(index, [](Meta& meta) { meta.unindexed = 1; });
}

Meta empty_meta(const IndexShape& shape) {
    Meta meta;
    std::memset(&meta, 0, sizeof meta);
    meta.magic = kMagic;
    meta.version = kFormatVersion;
    meta.shape = shape;
    meta.codebook = InvalidBlockNumber;
    meta.medoid = kNoNode;
    meta.free_nodes = meta.free_postings = InvalidBlockNumber;
    meta.pending_head = meta.pending_tail = InvalidBlockNumber;
    return meta;
}

void create_meta(Relation index, ForkNumber fork, const Meta& meta) {
    const Buffer buffer = ReadBufferExtended(index, fork, P_NEW, RBM_ZERO_AND_LOCK, nullptr);
    START_CRIT_SECTION();
    const Page page = BufferGetPage(buffer);
    init_page(page, PageKind::kMeta);
    *page_contents<Meta>(page) = meta;
    set_used(page, sizeof(Meta));
    MarkBufferDirty(buffer);
    if (RelationNeedsWAL(index) || fork == INIT_FORKNUM) log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
}

BlockNumber write_geometry(Relation index, const float* floats, std::size_t count) {
    BlockNumber next = InvalidBlockNumber;
    // From the last page to the first, so that each is complete before anything leads to it.
    for (std::size_t pages = ceil_div(count, kFloatsPerPage); pages > 0; --pages) {
        const std::size_t at = (pages - 1) * kFloatsPerPage, n = std::min(kFloatsPerPage, count - at);
        PageChange change(index);
        BlockNumber block;
        const Page page = change.create(PageKind::kCodebook, &block);
        std::memcpy(page_contents(page), floats + at, n * sizeof(float));
        page_tail(page).next = next;
        page_tail(page).count = static_cast<std::uint16_t>(n * sizeof(float));
        set_used(page, n * sizeof(float));
        change.commit();
        next = block;
    }
    return next;
}

IndexCache* index_cache(Relation index, const Meta& meta) {
    IndexCache* cache = peek_cache(index);
    if (cache != nullptr && cache->trained == meta.trained) return cache;
    IndexCache* made = make_cache(index, meta);
    if (cache != nullptr) pfree(cache);
    index->rd_amcache = made;
    return made;
}

}  // namespace vecidx

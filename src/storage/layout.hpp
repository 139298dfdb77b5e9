// The index on disk, format version 1.
//
// Block 0 is the metapage. Every other page is of one kind, named in its tail (the special space):
//
//   codebook   centroids and vectors of the trained geometry: floats, in a chain of pages
//   node       nodes of one size (vecidx/node.hpp), node id = block * nodes_per_page + slot
//   pending    rows that no merge has taken into the graph yet, in a chain from the oldest to the newest page
//   posting    heap TIDs of nodes with more rows than fit in the node, in records of one size
//   vector     an own vector that does not fit in its node, in a chain of pages
//   free       nothing; known to the free space map
//
// All integers are in the machine's byte order, as everywhere in Postgres. Structures here are trivial and
// have no implicit padding, so pages can be compared byte by byte (wal_consistency_checking).
//
// History: version 1, vecidx 0.1.0.
#pragma once

#include "pg/compat.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/node.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

inline constexpr std::uint32_t kMagic = 0x58444956;  // "VIDX"
inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr BlockNumber kMetaBlock = 0;

enum class PageKind : std::uint16_t {
    kMeta = 1,
    kCodebook = 2,
    kNode = 3,
    kPending = 4,
    kPosting = 5,
    kVector = 6,
    kFree = 7,
};

// Flags of a page's tail.
enum PageFlags : std::uint16_t {
    kPendingClosed = 1,  // a merge is taking this pending page: nothing more is appended
    kInFreeList = 2,     // a node or posting page on its list of pages with free slots
};

// The last bytes of every page.
struct PageTail {
    BlockNumber next;        // chains; of node and posting pages: the next with free slots
    std::uint32_t sequence;  // pending pages: numbered in the order of the chain
    PageKind kind;
    std::uint16_t flags;
    std::uint16_t count;    // pending: entries; posting: records in use; vector and codebook: bytes in use
    std::uint16_t page_id;  // for pg_filedump and its like
};
inline constexpr std::uint16_t kPageId = 0xFF9A;
static_assert(sizeof(PageTail) == 16);

inline constexpr std::size_t kPageBytes =
    BLCKSZ - MAXALIGN(SizeOfPageHeaderData) - MAXALIGN(sizeof(PageTail));

// What is decided when the index is made and never changes.
struct IndexShape {
    std::uint32_t dims;
    Metric metric;
    NodeForm node_form;
    std::uint16_t nodes_per_page;
    std::uint32_t rotation_version;
    NodeLayout layout;
    float alpha;
    std::uint32_t build_list_size;
};

// The metapage's contents.
struct Meta {
    std::uint32_t magic;
    std::uint32_t version;
    IndexShape shape;

    // The trained geometry; `trained` is another number for each training, 0 while the index has no graph.
    std::uint32_t trained;
    std::uint32_t centroid_count;
    BlockNumber codebook;  // first of the chain: mean, lift direction, centroids; each `padded` floats
    float rescale_unit;
    double max_norm_squared;

    // The graph.
    NodeId medoid;
    BlockNumber free_nodes;     // first page with free node slots
    BlockNumber free_postings;  // first page with free posting records
    std::uint32_t batch;        // merges that were finished
    std::uint32_t merging;     // batch + 1 while a merge writes, else 0: nodes of that batch do not count yet
    std::uint32_t node_count;  // used slots
    std::uint32_t tombstones;  // of them

    // The pending area.
    BlockNumber pending_head;
    BlockNumber pending_tail;
    std::uint32_t pending_pages;
    std::uint32_t pending_sequence;  // of the newest page; never goes back

    std::uint32_t sweeps;  // that VACUUM has begun: what was read of the pending area before may be dead

    // 1: there were rows that the index does not hold (NULL, and zero vectors under cosine), else 0.
    std::uint32_t unindexed;

    // For each centroid the node nearest to it, where searches start.
    NodeId entries[kMaxCentroids];
};
static_assert(std::is_trivially_copyable_v<Meta> && sizeof(Meta) <= kPageBytes);

// A row in the pending area: this header, then its vector in halves unless own vectors are kept apart. The
// vector is embedded, but not lifted and not relative to a mean; so are own vectors kept apart, whose pages a
// merge hands to the node.
struct PendingEntry {
    HeapTid tid;
    std::uint16_t padding;
    float unit;
    float error;
    float norm_squared;       // of the stored vector
    std::uint32_t own_block;  // or kNoOwnBlock
    std::uint64_t fingerprint;
};
static_assert(sizeof(PendingEntry) == 32);

inline std::size_t pending_entry_bytes(const NodeLayout& l) {
    return sizeof(PendingEntry) +
           (l.own_place == OwnPlace::kInline ? MAXALIGN(stored_bytes(OwnFormat::kF16, l.padded)) : 0);
}
inline std::size_t pending_entries_per_page(const NodeLayout& l) {
    return kPageBytes / pending_entry_bytes(l);
}

// A run of a node's further rows. Records are numbered block * kPostingsPerPage + slot.
inline constexpr std::size_t kPostingTids = 14;
struct PostingRecord {
    std::uint32_t next;  // next record of the node, or kNoPosting
    NodeId owner;
    std::uint16_t version;  // the owner's version: a record that was reused names another
    std::uint16_t count;    // TIDs; kPostingFree marks an unused record
    HeapTid tids[kPostingTids];
};
inline constexpr std::uint16_t kPostingFree = 0xffff;
static_assert(sizeof(PostingRecord) == 96);
inline constexpr std::size_t kPostingsPerPage = kPageBytes / sizeof(PostingRecord);

inline HeapTid heap_tid(const ItemPointerData& tid) {
    return {tid.ip_blkid.bi_hi, tid.ip_blkid.bi_lo, tid.ip_posid};
}
inline ItemPointerData item_pointer(const HeapTid& tid) {
    return {{tid.block_high, tid.block_low}, tid.offset};
}

// What a node page has in use: all its slots, whether they hold nodes or not.
inline std::size_t node_page_bytes(const IndexShape& s) {
    return s.nodes_per_page * s.layout.size;
}

inline BlockNumber block_of(const IndexShape& s, NodeId id) {
    return id / s.nodes_per_page;
}
inline std::size_t slot_of(const IndexShape& s, NodeId id) {
    return id % s.nodes_per_page;
}
inline NodeId node_id(const IndexShape& s, BlockNumber block, std::size_t slot) {
    return static_cast<NodeId>(block * s.nodes_per_page + slot);
}

}  // namespace vecidx

// Verification of a whole index: that every page is well formed, that what one page says of another is so,
// and that the heap's rows are in it. One object makes one check; the first damage found ends it with an
// ERROR (index_corrupted) that names the block and, where there is one, the node.
//
// Edges lead anywhere, so they are not followed: a first pass keeps a fingerprint of each node's code (64
// bits), a second compares what the edges say with it. Memory: 13 bytes a node slot and 16 a heap row.
//
// Locks: the caller holds AccessShareLock on index and table, and no merge or vacuum runs
// (am/merge_lock.hpp). Inserts may: they append to the pending area, take free pages and add rows to nodes,
// none of which the check relies upon to stand still. On a standby merges are replayed at any time; there
// damage that is found on pages replayed since the check began is reported as a serialization failure: check
// again.
#pragma once

#include "pg/memory.hpp"
#include "storage/meta.hpp"
#include "storage/pending.hpp"
#include "vecidx/space.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

class IndexCheck {
  public:
    // Memory comes from `context`; the caller deletes it.
    IndexCheck(Relation index, MemoryContext context);

    // Everything but the heap.
    void check_structure();

    // After check_structure: a heap row that is to be in the index. Its value is in the current memory
    // context.
    void check_heap_row(const HeapTid& tid, Datum value);

    std::uint64_t heap_rows() const { return heap_rows_; }

  private:
    // Where a heap row is: a node, or an entry of a pending page.
    struct RowPlace {
        std::uint64_t key;
        std::uint32_t where;  // node id, or block
        std::uint32_t entry;  // kInGraph, or index in the page

        bool in_graph() const { return entry == kInGraph; }
        friend bool operator<(const RowPlace& a, const RowPlace& b) {
            return a.key != b.key ? a.key < b.key : a.entry < b.entry;
        }
    };
    static constexpr std::uint32_t kInGraph = 0xffffffff;

    enum SlotState : std::uint8_t {
        kUsed = 1,
        kTombstone = 2,
        kUnfinished = 4,  // of a merge that was interrupted: not linked, its rows still pending
        kOnPath = 8,      // of the walk towards the medoid
        kRooted = 16,     // the walk arrived
    };
    // A page's kind, and:
    enum BlockState : std::uint8_t {
        kKindMask = 15,
        kFlagged = 16,  // says that it is on a free list
        kListed = 32,   // is on it
    };

    struct Pinned {
        NodeId from, to;
    };

    // check.cpp: pages and lists.
    [[noreturn]] void fail(BlockNumber block, const char* detail);
    [[noreturn]] void fail_node(NodeId id, const char* what);
    bool replayed_since_start();
    Page read(BlockNumber block, std::byte* into);
    Page read(BlockNumber block, std::byte* into, PageKind kind);
    void check_tail(BlockNumber block, Page page);
    void check_meta();
    void check_codebook();
    void check_pages();
    void check_free_list(BlockNumber Meta::*list, PageKind kind);
    void check_posting_page(BlockNumber block, Page page);

    // check_graph.cpp: nodes, edges, the tree of pinned edges.
    void check_node_page(BlockNumber block, Page page);
    void check_node(NodeId id, const ConstNode& node);
    void check_header(NodeId id, const ConstNode& node);
    void check_code(NodeId id, const ConstNode& node);
    void to_graph_space(float* z, double norm_squared);
    void halve(float* z);
    bool encodes(const ConstNode& node, const float* z);
    std::uint64_t fingerprint(const CodeFactors& factors, const std::uint8_t* code) const;
    void check_all_edges();
    void check_edges(NodeId id, const ConstNode& node);
    void check_edge(NodeId id, const ConstNode& node, std::size_t lane);
    void note_pin(NodeId from, NodeId to);
    void check_tree();
    void follow_parents(NodeId from);
    bool use_further_pins();
    void check_entries();
    void check_counters();
    bool finite(const float* z) const;

    // check_rows.cpp: heap rows, posting chains, vectors kept apart, the pending area.
    void add_row(BlockNumber block, const HeapTid& tid, std::uint32_t where, std::uint32_t entry);
    void check_chain(NodeId id, const NodeHeader& header);
    void read_own_apart(BlockNumber block, BlockNumber first);
    void claim_apart(BlockNumber block, BlockNumber first);
    void check_pending();
    void check_pending_page(BlockNumber block, Page page);
    void check_pending_entry(BlockNumber block, const PendingPage& page, std::size_t i);
    void check_duplicates();
    void check_place(const RowPlace& place, const HeapTid& tid, const float* embedded,
                     const PendingEntry& entry);

    // An index without a graph is free of nodes, but for what an interrupted build or drop left.
    bool is_dropping() const { return meta_.merging != 0 && meta_.trained == 0; }
    bool unfinished(const NodeHeader& h) const {
        return is_dropping() || (meta_.merging != 0 && h.batch == meta_.merging);
    }
    PageKind kind_of(BlockNumber block) const { return static_cast<PageKind>(blocks_[block] & kKindMask); }

    Relation index_;
    ContextResource memory_;
    Meta meta_;
    IndexShape shape_;
    NodeLayout layout_;
    Space space_;
    Codebook book_;
    XLogRecPtr replayed_;  // on a standby: where replay was at the start
    BlockNumber block_count_;
    BufferAccessStrategy strategy_;
    std::pmr::vector<float> floats_;  // mean, direction, centroids
    std::pmr::vector<float> z_, other_z_;
    std::pmr::vector<std::byte> page_, chain_page_;  // copies, so that nothing stays locked
    std::pmr::vector<std::byte> halves_;
    std::pmr::vector<std::uint8_t> code_;
    std::pmr::vector<NodeId> targets_;
    std::pmr::vector<std::uint8_t> blocks_;         // BlockState by block
    std::pmr::vector<std::uint8_t> slots_;          // SlotState by node
    std::pmr::vector<std::uint64_t> fingerprints_;  // by node
    std::pmr::vector<NodeId> parents_;              // by node: source of the pinned edge
    std::pmr::vector<Pinned> further_pins_;         // of tombstones, to nodes that have another parent
    std::pmr::vector<RowPlace> rows_;
    IdSet<std::uint32_t> postings_;  // records that a node leads to
    IdSet<std::uint32_t> apart_;     // first blocks of vectors that have an owner
    std::uint32_t used_ = 0, tombstones_ = 0;
    std::uint64_t heap_rows_ = 0;
};

}  // namespace vecidx

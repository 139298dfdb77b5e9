// The part of a vacuum that is about the graph: heap rows leave nodes, and a node without rows becomes a
// tombstone. On the way it takes back what crashes left behind.
//
// Inserters add rows to nodes meanwhile (storage/posting.hpp). Rows that are added while a vacuum runs are
// live, so it may miss them; that a node has no rows is decided under its page's exclusive lock.
#pragma once

#include "storage/posting.hpp"

namespace vecidx {

class NodeSweep {
  public:
    // `dead` names the rows to remove; of nodes of an unfinished batch too, or not. Vacuum's delay points are
    // between pages.
    enum class Unfinished { kSweep, kLeave };
    NodeSweep(Relation index, IndexBulkDeleteCallback dead, void* state, Unfinished unfinished);

    // Sweeps the pages [first, end). The caller holds the row lock.
    void sweep(BlockNumber first, BlockNumber end);

    // Of all pages so far.
    const RowCount& rows() const { return rows_; }

  private:
    // What a crash may leave behind: pages that the free space map forgot (it is not logged), pages that a
    // merge took off the pending area and did not free, free slots that are on no list, posting records
    // without a node.
    enum class Leftover { kNone, kFree, kConsumed, kSlots, kOrphans };

    // A node with something to do.
    struct Finding {
        std::size_t slot;
        std::uint16_t version;
        std::uint32_t posting;
        bool rowless;  // no live row was found
    };
    // What a look at a page found.
    struct Survey {
        Leftover leftover = Leftover::kNone;
        bool changes = false;  // some inline row is dead, or some node may be without rows
        std::size_t count = 0;
        Finding findings[kPageBytes / sizeof(NodeHeader)];
    };

    bool is_dead(const HeapTid& tid) const;
    void sweep_page(BlockNumber block);
    Survey survey(BlockNumber block);
    void survey_node(const ConstNode& node, std::size_t slot, Survey& survey);
    Leftover leftover_of(Page page) const;
    void reclaim(BlockNumber block, Leftover leftover);
    void free_orphans(BlockNumber block);
    void change_nodes(BlockNumber block, const Survey& survey);
    bool drop_dead(BlockNumber block, NodeHeader& header, const Finding* finding);

    bool is_left(const ConstNode& node) const;

    Relation index_;
    IndexBulkDeleteCallback dead_;
    void* state_;
    Unfinished unfinished_;
    Meta meta_;
    RowCount rows_;
};

// Takes the rows that are pending out of the nodes that an interrupted merge added them to. The caller holds
// the graph lock.
void forget_pending_rows(Relation index);

}  // namespace vecidx

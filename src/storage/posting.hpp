// The heap rows of a node: the first in its header, further ones in a chain of posting records that the
// header leads to.
//
// Rows are added under page locks alone, by merges and inserters at once: whoever adds holds the node's page
// exclusively, so under that lock a node's rows stand still. New rows go into the header, the chain's first
// record, or a new record in front of it. Records leave a chain only by the hand of one who holds the row
// lock. So the others in a chain change under the row lock alone; a reader, who holds no lock between two
// records, may find that a record is no longer of its node, and then starts again at the header.
#pragma once

#include <functional>

#include "storage/node_store.hpp"

namespace vecidx {

// A node as it was met: another use of its slot has another version.
struct PostingOwner {
    NodeId id;
    std::uint16_t version;
};

// The version of nodes that a merge writes. A slot is used at most once a batch, and pages of nodes may be
// freed and used anew, so it follows from the batch alone; those of CREATE INDEX are of batch 0.
inline std::uint16_t version_of_batch(std::uint32_t batch) {
    return static_cast<std::uint16_t>(batch + 1);
}

inline BlockNumber posting_block(std::uint32_t record) {
    return record / kPostingsPerPage;
}
inline PostingRecord& posting_in(Page page, std::uint32_t record) {
    return page_contents<PostingRecord>(page)[record % kPostingsPerPage];
}
inline bool is_of(const PostingRecord& r, PostingOwner owner) {
    return r.count != kPostingFree && r.owner == owner.id && r.version == owner.version;
}

// Heap rows to be added to a node. What goes with them is the node's before it leads to one of them.
struct JoiningRows {
    std::span<const HeapTid> tids;
    float error;  // widens the node's error bound
    std::uint64_t fingerprint;
};

// Adds heap rows, none of which it has, to a node. Returns how many it added: fewer than all when the node is
// or becomes a tombstone or free.
std::size_t add_tids(Relation index, const IndexShape& shape, PostingOwner node, const JoiningRows& rows);

// The same for a merge that has met the node alive since it took the graph lock, and holds the row lock now:
// where a sweep has made a tombstone of it meanwhile, it comes back to life.
void join_node(Relation index, const IndexShape& shape, NodeId id, const JoiningRows& rows);

// One record of a node's posting chain, copied out; call it with nothing locked, or interrupts wait. False
// when it is no longer of that node.
bool read_posting(Relation index, std::uint32_t record, PostingOwner owner, PostingRecord* out);

// For a reader whose `record` was no longer of the node: where the chain begins now. kNoPosting when the node
// has no chain or is gone. ERROR when the chain still leads to that record.
std::uint32_t reread_chain(Relation index, IndexCache* cache, std::uint32_t record, PostingOwner owner);

// Writes a whole chain for a new node, before the node leads to it; returns its first record.
std::uint32_t write_postings(Relation index, PostingOwner owner, std::span<const HeapTid> tids);

// The rest is for holders of the row lock, or of the graph lock where a node is dead.

struct RowCount {
    double live = 0, removed = 0;
};

// Removes from a node's chain the rows that `dead(tid)` names, and closes the gaps: records that together fit
// into one become one. `poll` is called between records. Counts what stays and what went.
template <typename Dead, typename Poll>
RowCount sweep_chain(Relation index, std::uint32_t first, PostingOwner owner, Dead dead, Poll poll);

// Moves the rows of the record that follows `record` into it and frees that one. False when they are too
// many.
bool join_next(Relation index, std::uint32_t record, PostingOwner owner);

// Frees a record, if it is the owner's; returns the one that followed it, or kNoPosting.
std::uint32_t free_posting(Relation index, std::uint32_t record, PostingOwner owner);

// Frees a node's chain, to which nothing leads any more.
void free_postings(Relation index, std::uint32_t record, PostingOwner owner);

// Gives the pages on the list of posting pages that hold no record back to the free space map.
void free_empty_posting_pages(Relation index, void (*poll)());

template <typename Dead, typename Poll>
RowCount sweep_chain(Relation index, std::uint32_t first, PostingOwner owner, Dead dead, Poll poll) {
    RowCount rows;
    std::uint32_t before = kNoPosting;  // the record that leads to `record`
    std::size_t before_count = 0;
    for (std::uint32_t record = first; record != kNoPosting;) {
        poll();
        PostingRecord r;
        if (!read_posting(index, record, owner, &r))
            report_corruption(index, posting_block(record),
                              "A posting chain leads to a record that is not its own.");
        auto kept = static_cast<std::size_t>(std::count_if(r.tids, r.tids + r.count, std::not_fn(dead)));
        if (kept < r.count)
            with_write(index, posting_block(record), PageKind::kPosting, [&](Page page) {
                PostingRecord& now = posting_in(page, record);
                HeapTid* end = std::remove_if(now.tids, now.tids + now.count, dead);
                kept = static_cast<std::size_t>(end - now.tids);
                rows.removed += static_cast<double>(now.count - kept);
                std::memset(end, 0, (now.count - kept) * sizeof(HeapTid));
                now.count = static_cast<std::uint16_t>(kept);
            });
        rows.live += static_cast<double>(kept);
        const bool fits = before != kNoPosting && before_count + kept <= kPostingTids;
        if (fits && join_next(index, before, owner)) {
            before_count += kept;
        } else {
            before = record;
            before_count = kept;
        }
        record = r.next;
    }
    return rows;
}

}  // namespace vecidx

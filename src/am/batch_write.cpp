// Writing a linked batch: its nodes, then the edges that lead to them. See batch.hpp.
#include "am/batch.hpp"

#include "am/merge_lock.hpp"
#include "am/progress.hpp"
#include "storage/posting.hpp"

namespace vecidx {

// Rows, wherever they go: no sweep comes between the posting chain and its node.
void Batch::write_nodes(LiveRows& live) {
    enter_phase(BuildPhase::kWrite, rows_.size());
    with_lock(index_, IndexLock::kRows, [&] {
        live.refresh();
        write_images(live);
        add_equal_rows(live);
    });
}

void Batch::collect_tids(std::uint32_t row, const LiveRows& live) {
    tids_.clear();
    rows_.for_each_tid(row, [&](HeapTid tid) {
        if (live.is_live(tid)) tids_.push_back(tid);
    });
}

// The heap rows of a new node; its posting chain is written before the node is.
void Batch::finish_image(std::uint32_t row, const LiveRows& live) {
    NodeHeader& h = image(row).header();
    h.version = version_of_batch(h.batch);
    collect_tids(row, live);
    h.tid_count = static_cast<std::uint8_t>(std::min(tids_.size(), kInlineTids));
    std::copy_n(tids_.begin(), h.tid_count, h.tids);
    if (h.tid_count == 0) {
        h.flags |= kNodeTombstone;
        ++tombstones_;
    }
    h.posting =
        write_postings(index_, {ids_[row], h.version}, std::span<const HeapTid>(tids_).subspan(h.tid_count));
}

// New nodes, each page once.
void Batch::write_images(const LiveRows& live) {
    for (const std::uint32_t row : order_)
        if (joined_[row] == 0) finish_image(row, live);
    const auto end = order_.end();
    for (auto at = order_.begin(); at != end;) {
        CHECK_FOR_INTERRUPTS();
        if (joined_[*at] != 0) {
            ++at;
            continue;
        }
        const BlockNumber block = block_of(meta_.shape, ids_[*at]);
        with_node_page(index_, meta_.shape, block, [&](Page page) {
            for (; at != end && joined_[*at] == 0 && block_of(meta_.shape, ids_[*at]) == block; ++at) {
                std::byte* to = page_contents(page) + slot_of(meta_.shape, ids_[*at]) * layout_.size;
                std::memcpy(to, images_.data() + *at * layout_.size, layout_.size);
                ++added_;
            }
        });
    }
}

// Each page once.
void Batch::write_reverse_edges() {
    enter_phase(BuildPhase::kEdges, 0);
    std::sort(reverse_.begin(), reverse_.end());
    const std::span<const Reverse> all = reverse_;
    for (std::size_t at = 0, end = 0; at < all.size(); at = end) {
        vacuum_delay();
        const BlockNumber block = block_of(meta_.shape, all[at].target);
        while (end < all.size() && block_of(meta_.shape, all[end].target) == block) ++end;
        with_write(index_, block, PageKind::kNode,
                   [&](Page page) { add_reverse_edges(page, block, all.subspan(at, end - at)); });
    }
}

// Edges into one page, sorted by target.
void Batch::add_reverse_edges(Page page, BlockNumber block, std::span<const Reverse> edges) {
    NodeId current = kNoNode;
    for (const Reverse& e : edges) {
        if (e.target != current) {
            current = e.target;
            const Node node = node_in(meta_.shape, page, slot_of(meta_.shape, current));
            check_node(index_, block, node);
            load_graph_vector(index_, geometry_, search_.query(), node, z_.data());
            linker_.begin(node, z_.data());
        }
        linker_.add(edge_to_row(e.row), tables_[e.row], e.distance, e.pin);
    }
}

void Batch::add_equal_rows(const LiveRows& live) {
    for (std::uint32_t row = 0; row < rows_.size(); ++row) {
        if (joined_[row] == 0) continue;
        CHECK_FOR_INTERRUPTS();
        collect_tids(row, live);
        const NodeHeader& h = image(row).header();
        join_node(index_, meta_.shape, ids_[row], {tids_, h.error, h.fingerprint});
    }
}

void Batch::release() {
    for (const NodeId id : unused_) list_free_nodes(index_, block_of(meta_.shape, id));
    if (layout_.own_place != OwnPlace::kApart) return;
    for (std::uint32_t row = 0; row < rows_.size(); ++row)
        if (joined_[row] != 0) free_apart(index_, rows_.own_block(row));
    for (const BlockNumber block : rows_.spare_blocks()) free_apart(index_, block);
}

}  // namespace vecidx

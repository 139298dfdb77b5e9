// Placing and writing of nodes. See node_writer.hpp.
#include "am/node_writer.hpp"

#include "am/merge_lock.hpp"
#include "am/progress.hpp"
#include "storage/page_writer.hpp"
#include "storage/posting.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kPollEvery = 512;
constexpr std::size_t kPagesAtOnce = 32;  // pages of a share: one WAL record
constexpr std::size_t kLiveShare = 256;   // rows that are looked at in one hold of the row lock

}  // namespace

NodeWriter::NodeWriter(const NodeSource& source, const Meta& meta)
    : in_(source),
      meta_(meta),
      layout_(meta_.shape.layout),
      space_(meta_.shape.metric, meta_.shape.dims),
      z_(static_cast<float*>(palloc(layout_.padded * sizeof(float)))),
      tids_(make_in<ContextResource>(CurrentMemoryContext, CurrentMemoryContext)) {}

void NodeWriter::place_nodes() {
    const std::size_t rows = in_.graph.source().size();
    in_.window.use(in_.arrays.ids, rows * sizeof(NodeId));
    in_.window.use(in_.arrays.postings, rows * sizeof(std::uint32_t));
    if (in_.live == nullptr)
        place_in_new_index(rows);
    else
        place_in_live_index(rows);
}

void NodeWriter::place_in_new_index(std::size_t rows) {
    const std::size_t pages = ceil_div<std::size_t>(rows, meta_.shape.nodes_per_page);
    const BlockNumber block = reserve_blocks(in_.index, pages);
    check_node_number(in_.index, meta_.shape, block + static_cast<BlockNumber>(pages));
    for (std::size_t row = 0; row < rows; ++row)
        in_.arrays.ids[row] = node_id(meta_.shape, block, 0) + static_cast<NodeId>(row);
    for (std::size_t row = 0; row < rows; ++row) {
        if (row % kPollEvery == 0) CHECK_FOR_INTERRUPTS();
        write_chain(row);
    }
}

void NodeWriter::place_in_live_index(std::size_t rows) {
    std::size_t fresh = 0;
    for (std::size_t row = 0; row < rows; ++row) fresh += in_.graph.is_fresh(row) ? 1 : 0;
    auto* ids = static_cast<NodeId*>(
        MemoryContextAllocHuge(CurrentMemoryContext, std::max<std::size_t>(fresh, 1) * sizeof(NodeId)));
    allocate_nodes(in_.index, fresh, ids);
    std::size_t next = 0;
    for (std::size_t row = 0; row < rows; ++row)
        if (in_.graph.is_fresh(row)) in_.arrays.ids[row] = ids[next++];
    pfree(ids);
}

void NodeWriter::write_all() {
    if (in_.team.leads()) enter_phase(BuildPhase::kWrite, in_.graph.source().size());
    if (in_.live == nullptr)
        write_new();
    else
        write_live();
}

void NodeWriter::write_new() {
    const std::size_t rows = in_.graph.source().size(), per_page = meta_.shape.nodes_per_page;
    PageWriter writer(in_.index, in_.shared->logged);
    take_shares(
        in_.shared->write_taken, rows, per_page * kPagesAtOnce, [&](std::size_t first, std::size_t count) {
            if (in_.team.leads()) show_done(first);
            for (std::size_t at = first; at < first + count; at += per_page) {
                CHECK_FOR_INTERRUPTS();
                const std::size_t some = std::min(per_page, first + count - at);
                writer.write(block_of(meta_.shape, in_.arrays.ids[at]), PageKind::kNode, [&](Page page) {
                    set_used(page, node_page_bytes(meta_.shape));
                    for (std::size_t row = at; row < at + some; ++row) fill_node(page, row);
                });
            }
        });
    writer.finish();
}

// Nodes on pages that others may read: each page is one logged change, a share of them under the row lock.
void NodeWriter::write_live() {
    const std::size_t rows = in_.graph.source().size();
    take_shares(in_.shared->write_taken, rows, kLiveShare, [&](std::size_t first, std::size_t count) {
        if (in_.team.leads()) show_done(first);
        vacuum_delay();
        with_lock(in_.index, IndexLock::kRows, [&] {
            in_.live->refresh();
            for (std::size_t at = first; at < first + count;)
                at = in_.graph.is_fresh(at) ? write_live_page(at, first + count) : at + 1;
        });
    });
}

// Writes the rows from `first` on that are on its page; returns the first that is not.
std::size_t NodeWriter::write_live_page(std::size_t first, std::size_t end) {
    CHECK_FOR_INTERRUPTS();
    const BlockNumber block = block_of(meta_.shape, in_.arrays.ids[first]);
    std::size_t last = first;
    for (; last < end; ++last) {
        if (!in_.graph.is_fresh(last)) continue;
        if (block_of(meta_.shape, in_.arrays.ids[last]) != block) break;
        write_chain(last);
    }
    with_node_page(in_.index, meta_.shape, block, [&](Page page) {
        for (std::size_t row = first; row < last; ++row)
            if (in_.graph.is_fresh(row)) fill_node(page, row);
    });
    return last;
}

// The heap rows of a row that are still there.
void NodeWriter::collect_tids(std::size_t row) {
    tids_.clear();
    in_.rows.for_each_tid(in_.arrays.rows, in_.graph.source()[row], [this](HeapTid tid) {
        if (in_.live == nullptr || in_.live->is_live(tid)) tids_.push_back(tid);
    });
}

// The posting chain of a row's node, of the rows that have no room in the node.
void NodeWriter::write_chain(std::size_t row) {
    in_.arrays.postings[row] = kNoPosting;
    in_.window.use(in_.graph.source().data() + row, sizeof(std::uint32_t));
    const std::uint32_t source = in_.graph.source()[row];
    in_.window.use(in_.arrays.rows.next_same + source, sizeof source);
    if (in_.arrays.rows.next_same[source] == kNoRow) return;
    collect_tids(row);
    if (tids_.size() <= kInlineTids) return;
    in_.arrays.postings[row] = write_postings(in_.index, {in_.arrays.ids[row], version_of_batch(batch())},
                                              std::span<const HeapTid>(tids_).subspan(kInlineTids));
}

Edge NodeWriter::edge_to(std::uint32_t row) {
    const std::size_t bytes = layout_.code_bytes();
    in_.window.use(in_.arrays.codes + row * bytes, bytes);
    in_.window.use(in_.arrays.factors + row, sizeof(CodeFactors));
    in_.window.use(in_.arrays.ids + row, sizeof(NodeId));
    return {in_.arrays.ids[row], in_.arrays.factors[row], in_.arrays.codes + row * bytes};
}

void NodeWriter::fill_node(Page page, std::size_t row) {
    const std::size_t bytes = layout_.code_bytes();
    const std::span<const Neighbor> edges = in_.graph.edges().of(row);
    const Level& level = in_.graph.level();
    in_.window.use(level.list_data + row * level.stride, level.stride);
    for (const Neighbor& n : edges) {
        __builtin_prefetch(in_.arrays.factors + n.id);
        for (std::size_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(in_.arrays.codes + n.id * bytes + at);
    }
    const Node node = node_in(meta_.shape, page, slot_of(meta_.shape, in_.arrays.ids[row]));
    node.header() = make_header(row);
    node.header().degree = static_cast<std::uint16_t>(edges.size());
    node.set_own_factors(in_.arrays.factors[row]);
    std::memcpy(node.own_code(), in_.arrays.codes + row * bytes, bytes);
    if (layout_.own_place == OwnPlace::kInline) {
        const StoredVector own = in_.graph.vectors()[row];
        in_.window.use(own.data, stored_bytes(own.format, layout_.padded));
        store_own(node, own);
    }
    for (std::size_t lane = 0; lane < edges.size(); ++lane) {
        const std::uint32_t to = edges[lane].id;
        in_.window.use(level.parent + to, sizeof(std::uint32_t));
        node.write_edge(lane, edge_to(to));
        node.set_pinned(lane, in_.graph.parent()[to] == row ? 1 : 0);
    }
}

NodeHeader NodeWriter::make_header(std::size_t row) {
    const std::uint32_t source = in_.graph.source()[row];
    in_.window.use(&in_.rows.entry(source), sizeof(BuildEntry));
    const PendingEntry& entry = in_.rows.entry(source).row;
    NodeHeader h{};
    h.flags = kNodeUsed;
    h.error = entry.error;
    h.norm_squared = entry.norm_squared;
    h.fingerprint = entry.fingerprint;
    h.batch = batch();
    h.version = version_of_batch(h.batch);
    h.posting = in_.arrays.postings[row];
    collect_tids(row);
    h.tid_count = static_cast<std::uint8_t>(std::min(tids_.size(), kInlineTids));
    std::copy_n(tids_.begin(), h.tid_count, h.tids);
    if (h.tid_count == 0) {
        h.flags |= kNodeTombstone;
        ++tombstones_;
    }
    const bool apart = layout_.own_place == OwnPlace::kApart;
    h.own_block = apart ? entry.own_block : kNoOwnBlock;
    h.unit = apart ? entry.unit : 0;
    return h;
}

// Halves as they are, which the code was made from; bytes rounded again, as encode_all did.
void NodeWriter::store_own(Node node, const StoredVector& vector) {
    NodeHeader& h = node.header();
    if (layout_.own_format == OwnFormat::kF16) {
        std::memcpy(node.own(), vector.data, stored_bytes(OwnFormat::kF16, layout_.padded));
        h.unit = vector.unit;
    } else {
        load_vector(vector, layout_.padded, z_);
        h.unit = store_vector(layout_.own_format, z_, layout_.padded, node.own());
        h.error += space_.storage_error(z_, node.vector());
    }
    h.norm_squared = static_cast<float>(norm_squared_from(node.vector(), in_.arrays.floats, layout_.padded));
}

}  // namespace vecidx

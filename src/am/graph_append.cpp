// Settling the graph's nodes, linking new rows, writing both. See graph_append.hpp.
#include "am/graph_append.hpp"

#include "am/disk_graph.hpp"
#include "am/merge_lock.hpp"
#include "am/node_writer.hpp"
#include "am/progress.hpp"
#include "am/query.hpp"
#include "am/row_store.hpp"
#include "storage/posting.hpp"
#include "vecidx/replace_edges.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kBlocks = 64;  // of a share

// Copies a page of nodes out. False: it is another page.
bool copy_node_page(Relation index, BlockNumber block, char* copy) {
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    bool is_node = !PageIsNew(page);
    if (is_node) {
        check_page(index, block, page);
        is_node = page_kind(page) == PageKind::kNode;
        if (is_node) std::memcpy(copy, page, BLCKSZ);
    }
    UnlockReleaseBuffer(buffer);
    return is_node;
}

// Calls fn(id, node) for this process's share of the nodes, each in a copy of its page.
template <typename Fn>
void share_nodes(Relation index, const Meta& meta, std::uint32_t& taken, Fn fn) {
    PGAlignedBlock copy;
    take_shares(taken, RelationGetNumberOfBlocks(index), kBlocks, [&](std::size_t first, std::size_t count) {
        for (auto block = static_cast<BlockNumber>(first); block < first + count; ++block) {
            vacuum_delay();
            if (!copy_node_page(index, block, copy.data)) continue;
            for (std::size_t slot = 0; slot < meta.shape.nodes_per_page; ++slot) {
                const ConstNode node = node_in(meta.shape, copy.data, slot);
                if (!node.used()) continue;
                check_node(index, block, node);
                fn(node_id(meta.shape, block, slot), node);
            }
        }
    });
}

class Appender : private GraphWork {
  public:
    Appender(const GraphTask& task, LiveRows& live)
        : GraphWork(task, std::size_t{RelationGetNumberOfBlocks(task.index)} *
                              read_meta(task.index).shape.nodes_per_page),
          live_(live),
          node_ids_(std::size_t{RelationGetNumberOfBlocks(index_)} * meta_.shape.nodes_per_page),
          edges_(&memory_),
          wanted_(&memory_) {}

    void run() {
        if (team_.leads()) copy_geometry();
        team_.meet();
        set_book();
        move_to_graph_space();
        rehash();
        rows_.collapse_equal(arrays_.rows, BuildRows::Units::kInGraphSpace, window_);
        team_.meet();
        BulkBuild graph(
            {rows_.vectors(arrays_.rows), arrays_.rows.left_out, shared_->distinct, arrays_.settled},
            params_for(meta_.shape), arena_, team_, window_, &memory_, progress_);
        graph.partition();
        settle(graph);
        graph.link();
        NodeWriter writer({index_, rows_, arrays_, graph, team_, shared_, window_, &live_}, meta_);
        if (team_.leads()) writer.place_nodes();
        encode_all(graph);
        team_.meet();
        writer.write_all();
        add_shared(shared_->tombstones, writer.tombstones());
        team_.meet();
        write_edges(graph, writer);
        team_.meet();
        if (team_.leads()) finish(graph);
    }

  private:
    void copy_geometry() {
        const Geometry& g = index_cache(index_, meta_)->geometry;
        std::copy_n(g.mean, geometry_floats(layout_.padded, g.book.centroid_count), arrays_.floats);
        shared_->centroid_count = static_cast<std::uint32_t>(g.book.centroid_count);
        shared_->rescale_unit = g.book.rescale_unit;
        shared_->max_norm_squared = g.max_norm_squared;
        std::fill_n(arrays_.row_of_node, node_ids_, kNoRow);
        std::fill_n(shared_->nearest, kMaxCentroids, std::uint64_t{0});
    }

    // Hashes of rows as they are now, where settled ones have theirs; and what each row is to the build.
    void rehash() {
        const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
        take_shares(shared_->hash_taken, rows_.count(), kChunk, [&](std::size_t first, std::size_t count) {
            CHECK_FOR_INTERRUPTS();
            window_.use(&rows_.entry(first), count * sizeof(BuildEntry));
            window_.use(rows_.halves(first), count * width);
            for (std::size_t row = first; row < first + count; ++row) {
                BuildEntry& entry = rows_.entry(row);
                const bool settled = rows_.is_settled(row);
                arrays_.settled[row] = !settled ? kFresh : entry.alone != 0 ? kBuried : kSettled;
                if (!settled) entry.hash = hash_vector(rows_.halves(row), width, arrays_.rows.units[row]);
            }
        });
        team_.meet();
    }

    // Tells the build where the nodes are, what they lead to, and what codes they have.
    void settle(BulkBuild& graph) {
        const std::span<const std::uint32_t> source = graph.source();
        take_shares(shared_->number_taken, source.size(), kChunk, [&](std::size_t first, std::size_t count) {
            CHECK_FOR_INTERRUPTS();
            for (std::size_t row = first; row < first + count; ++row) {
                window_.use(source.data() + row, sizeof(std::uint32_t));
                window_.use(&rows_.entry(source[row]), sizeof(BuildEntry));
                const NodeId node = rows_.entry(source[row]).node;
                if (node == 0) continue;
                window_.use(arrays_.row_of_node + node, sizeof(std::uint32_t));
                arrays_.row_of_node[node] = static_cast<std::uint32_t>(row);
                window_.use(arrays_.ids + row, sizeof(NodeId));
                arrays_.ids[row] = node;
            }
        });
        team_.meet();
        share_nodes(index_, meta_, shared_->settle_taken,
                    [&](NodeId id, const ConstNode& node) { settle_node(graph, id, node); });
        team_.meet();
    }

    std::uint32_t row_of(NodeId id) {
        if (id >= node_ids_) return kNoRow;
        window_.use(arrays_.row_of_node + id, sizeof(std::uint32_t));
        return arrays_.row_of_node[id];
    }

    void settle_node(BulkBuild& graph, NodeId id, const ConstNode& node) {
        const std::uint32_t row = row_of(id);
        if (row == kNoRow) return;
        edges_.clear();
        std::size_t pins = 0;
        for (const bool pinned : {true, false}) {
            for (std::size_t lane = 0; lane < node.degree(); ++lane) {
                if (node.pinned(lane) != pinned) continue;
                if (const std::uint32_t to = row_of(node.ids()[lane]); to != kNoRow) edges_.push_back(to);
            }
            if (pinned) pins = edges_.size();
        }
        graph.settle(row, edges_, pins);
        if (id == meta_.medoid) graph.settle_root(row);
        const std::size_t bytes = layout_.code_bytes();
        const Edge own = node.edge_to(id);
        window_.use(arrays_.codes + row * bytes, bytes);
        std::memcpy(arrays_.codes + row * bytes, own.code, bytes);
        window_.use(arrays_.factors + row, sizeof(CodeFactors));
        arrays_.factors[row] = own.factors;
    }

    // Of every node whose edges the build has changed, the edges.
    void write_edges(BulkBuild& graph, NodeWriter& writer) {
        if (team_.leads()) enter_phase(BuildPhase::kEdges, RelationGetNumberOfBlocks(index_));
        BlockNumber last = InvalidBlockNumber;
        share_nodes(index_, meta_, shared_->edges_taken, [&](NodeId id, const ConstNode& node) {
            const BlockNumber block = block_of(meta_.shape, id);
            if (team_.leads() && block % kBlocks == 0) show_done(block);
            if (block == last || !is_changed(graph, id, node)) return;
            last = block;  // all of its nodes at once
            with_write(index_, block, PageKind::kNode, [&](Page page) {
                for (std::size_t slot = 0; slot < meta_.shape.nodes_per_page; ++slot)
                    write_node_edges(graph, writer, node_id(meta_.shape, block, slot),
                                     node_in(meta_.shape, page, slot));
            });
        });
    }

    // Sorts out where a settled node is to lead, to wanted_. False: it is not one that was settled.
    bool find_wanted(const BulkBuild& graph, NodeId id) {
        const std::uint32_t row = row_of(id);
        if (row == kNoRow) return false;
        const Level& level = graph.level();
        window_.use(level.list_data + row * level.stride, level.stride);
        wanted_.clear();
        for (const Neighbor& n : graph.edges().of(row)) {
            window_.use(arrays_.ids + n.id, sizeof(NodeId));
            wanted_.push_back(arrays_.ids[n.id]);
        }
        std::sort(wanted_.begin(), wanted_.end());
        return true;
    }

    bool is_changed(const BulkBuild& graph, NodeId id, const ConstNode& node) {
        return find_wanted(graph, id) && !leads_to(node, wanted_);
    }

    void write_node_edges(const BulkBuild& graph, NodeWriter& writer, NodeId id, const Node& node) {
        if (!node.used() || !is_changed(graph, id, node)) return;
        const std::uint32_t row = row_of(id);
        edges_.clear();
        for (const Neighbor& n : graph.edges().of(row)) edges_.push_back(n.id);
        std::sort(edges_.begin(), edges_.end(),
                  [this](std::uint32_t a, std::uint32_t b) { return arrays_.ids[a] < arrays_.ids[b]; });
        const auto row_to = [&](NodeId to) {
            const auto at = std::lower_bound(wanted_.begin(), wanted_.end(), to) - wanted_.begin();
            return edges_[static_cast<std::size_t>(at)];
        };
        replace_edges(node, wanted_, [&](NodeId to) { return writer.edge_to(row_to(to)); });
        for (std::size_t lane = 0; lane < node.degree(); ++lane)
            node.set_pinned(lane, graph.parent()[row_to(node.ids()[lane])] == row ? 1 : 0);
    }

    // Heap rows of vectors that had a node already join it; then the pending pages belong to nobody.
    void finish(const BulkBuild& graph) {
        join_nodes();
        std::size_t fresh = 0;
        for (std::size_t row = 0; row < graph.source().size(); ++row) fresh += graph.is_fresh(row) ? 1 : 0;
        with_lock(index_, IndexLock::kRows, [&] {
            end_run(index_, meta_.pending_head, merged_, [&](Meta& meta) {
                meta.node_count += static_cast<std::uint32_t>(fresh);
                meta.tombstones += shared_->tombstones;
            });
        });
        free_spares();
    }

    void join_nodes() {
        std::pmr::vector<HeapTid> tids(&memory_);
        for (std::size_t row = 0; row < rows_.count(); ++row) {
            if (!rows_.is_settled(row) || arrays_.rows.next_same[row] == kNoRow) continue;
            CHECK_FOR_INTERRUPTS();
            const BuildEntry& entry = rows_.entry(row);
            with_lock(index_, IndexLock::kRows, [&] {
                live_.refresh();
                tids.clear();
                rows_.for_each_tid(arrays_.rows, static_cast<std::uint32_t>(row), [&](HeapTid tid) {
                    if (live_.is_live(tid)) tids.push_back(tid);
                });
                join_node(index_, meta_.shape, entry.node, {tids, entry.row.error, entry.row.fingerprint});
            });
        }
    }

    LiveRows& live_;
    std::size_t node_ids_;
    std::pmr::vector<std::uint32_t> edges_;
    std::pmr::vector<NodeId> wanted_;
};

}  // namespace

void load_nodes(Relation index, const Meta& meta, BuildTeam& team, BuildRows& rows) {
    const IndexShape& shape = meta.shape;
    const std::size_t padded = shape.layout.padded;
    const Geometry& geometry = index_cache(index, meta)->geometry;
    auto* memory = make_in<ContextResource>(CurrentMemoryContext, CurrentMemoryContext);
    PreparedQuery query(shape, memory);
    std::pmr::vector<float> z(padded, memory);
    std::pmr::vector<std::byte> halves(stored_bytes(OwnFormat::kF16, padded), memory);
    share_nodes(index, meta, team.shared->nodes_taken, [&](NodeId id, const ConstNode& node) {
        const NodeHeader& h = node.header();
        BuildEntry entry{{}, id, node.live() ? 0u : 1u, 0};
        entry.row.error = h.error;
        entry.row.fingerprint = h.fingerprint;
        if (shape.layout.own_place == OwnPlace::kInline && shape.layout.own_format == OwnFormat::kF16) {
            entry.row.unit = h.unit;
            return rows.add(entry, node.own());
        }
        if (shape.layout.own_place == OwnPlace::kApart && h.own_block == kNoOwnBlock)
            std::fill(z.begin(), z.end(), 0.0f);  // left by a merge that was undone
        else
            load_graph_vector(index, geometry, query, node, z.data());
        entry.row.unit = store_vector(OwnFormat::kF16, z.data(), padded, halves.data());
        rows.add(entry, halves.data());
    });
    rows.flush();
}

void append_to_graph(const GraphTask& task, LiveRows& live) {
    in_context("vamana graph append",
               [&](MemoryContext context) { make_in<Appender>(context, task, live)->run(); });
}

}  // namespace vecidx

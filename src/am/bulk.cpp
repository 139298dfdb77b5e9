// Training, building and writing a whole graph. See bulk.hpp.
#include "am/bulk.hpp"

#include "am/progress.hpp"
#include "storage/node_store.hpp"
#include "vecidx/bulk_build.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/space.hpp"

namespace vecidx {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::size_t kReportEvery = 1024;

class GraphWriter {
  public:
    GraphWriter(Relation index, RowStore& rows, Logging logging, std::pmr::memory_resource* memory,
                const Progress& progress, const PendingRun& merged)
        : index_(index),
          rows_(rows),
          logging_(logging),
          memory_(memory),
          progress_(progress),
          merged_(merged),
          meta_(read_meta(index)),
          layout_(meta_.shape.layout),
          floats_(memory),
          z_(layout_.padded, memory),
          codes_(memory),
          factors_(memory),
          ids_(memory) {}

    std::size_t run() {
        rows_.collapse_equal();
        enter_phase(BuildPhase::kTrain, rows_.size());
        train();
        BulkParams params;
        params.degree = layout_.degree;
        params.alpha = meta_.shape.alpha;
        params.reservoir = std::max(params.reservoir, params.degree);
        BulkGraph graph(memory_);
        bulk_build(rows_.vectors(), params, memory_, progress_, graph);
        enter_phase(BuildPhase::kWrite, rows_.size());
        encode_all();
        write_all(graph);
        publish(graph);
        return rows_.size();
    }

  private:
    // Mean, lift, centroids: moves every row to its place in the graph's space.
    void train() {
        const std::size_t padded = layout_.padded;
        const Space space(meta_.shape.metric, meta_.shape.dims);
        Random random(kSeed);
        double max_norm = 0;
        for (std::size_t i = 0; i < rows_.size(); ++i)
            max_norm = std::max<double>(max_norm, rows_.norm_squared(i));
        meta_.max_norm_squared = space.metric == Metric::kInnerProduct ? max_norm : 0;
        floats_.assign(geometry_floats(padded, default_centroid_count(rows_.size())), 0.0f);
        float* mean = floats_.data();
        float* direction = mean + padded;
        space.lift_direction(direction);
        // The mean is that of the lifted rows.
        if (space.metric == Metric::kInnerProduct)
            rows_.move_to_graph_space(space, meta_.max_norm_squared, mean, direction);
        sample_mean(rows_.vectors(), random, memory_, mean);
        rows_.move_to_graph_space(space, 0, mean, direction);
        train_book(random);
    }

    void train_book(Random& random) {
        float* centroids = floats_.data() + 2 * layout_.padded;
        const VectorArray vectors = rows_.vectors();
        meta_.centroid_count = static_cast<std::uint32_t>(
            train_centroids(vectors, default_centroid_count(vectors.count), random, memory_, centroids));
        book_ = {layout_.padded, layout_.code_dims, layout_.bits, meta_.centroid_count, centroids, 1};
        book_.rescale_unit = meta_.rescale_unit = choose_rescale_unit(book_, vectors, random, memory_);
    }

    // Codes of all rows, and for each centroid the row nearest to it. A code is of the vector as the node
    // stores it.
    void encode_all() {
        const std::size_t n = rows_.size();
        codes_.resize(n * layout_.code_bytes());
        factors_.resize(n);
        float nearest[kMaxCentroids];
        std::fill_n(nearest, kMaxCentroids, std::numeric_limits<float>::infinity());
        std::pmr::vector<std::byte> stored(stored_bytes(layout_.own_format, layout_.padded), memory_);
        for (std::uint32_t i = 0; i < n; ++i) {
            if (i % kReportEvery == 0) progress_(Phase::kRepair, i, n);
            load_vector(rows_.vectors()[i], layout_.padded, z_.data());
            if (layout_.own_format != OwnFormat::kF16) {
                const float unit = store_vector(layout_.own_format, z_.data(), layout_.padded, stored.data());
                load_vector({stored.data(), unit, layout_.own_format}, layout_.padded, z_.data());
            }
            const std::uint8_t c = nearest_centroid(book_, z_.data());
            factors_[i] = encode(book_, z_.data(), c, codes_.data() + i * layout_.code_bytes());
            const float d = kernels().l2_squared(z_.data(), book_.centroid(c), layout_.padded);
            if (d >= nearest[c]) continue;
            nearest[c] = d;
            meta_.entries[c] = i;  // a row until publish() makes it a node
        }
    }

    void write_all(const BulkGraph& graph) {
        ids_.resize(rows_.size());
        std::pmr::vector<NodeId> slots(rows_.size(), memory_);
        allocate_nodes(index_, slots.size(), slots.data());
        for (std::size_t i = 0; i < slots.size(); ++i) ids_[graph.order[i]] = slots[i];
        enter_phase(BuildPhase::kWrite, rows_.size());
        const std::size_t per_page = meta_.shape.nodes_per_page;
        for (std::size_t at = 0; at < slots.size();) {
            CHECK_FOR_INTERRUPTS();
            if (at % kReportEvery < per_page)
                pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(at));
            const BlockNumber block = block_of(meta_.shape, slots[at]);
            std::size_t end = at + 1;
            while (end < slots.size() && block_of(meta_.shape, slots[end]) == block) ++end;
            write_page(graph, block, std::span(graph.order).subspan(at, end - at));
            at = end;
        }
    }

    // Posting chains and vectors kept apart come first: a node is complete before it can be seen.
    void write_page(const BulkGraph& graph, BlockNumber block, std::span<const std::uint32_t> rows) {
        std::pmr::vector<NodeHeader> headers(memory_);
        for (const std::uint32_t row : rows) headers.push_back(make_header(row));
        if (logging_ == Logging::kNow) {
            with_write(index_, block, PageKind::kNode,
                       [&](Page page) { fill_page(graph, page, rows, headers); });
            return;
        }
        const Buffer buffer = ReadBuffer(index_, block);
        LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
        fill_page(graph, BufferGetPage(buffer), rows, headers);
        MarkBufferDirty(buffer);
        UnlockReleaseBuffer(buffer);
    }

    NodeHeader make_header(std::uint32_t row) {
        NodeHeader h{};
        h.flags = kNodeUsed;
        h.error = rows_.error(row);
        h.norm_squared = rows_.norm_squared(row);
        h.batch = meta_.merging != 0 ? meta_.merging : meta_.batch;
        h.version = 1;
        std::pmr::vector<HeapTid> tids(memory_);
        rows_.for_each_tid(row, [&tids](HeapTid tid) { tids.push_back(tid); });
        h.tid_count = static_cast<std::uint8_t>(std::min(tids.size(), kInlineTids));
        std::copy_n(tids.begin(), h.tid_count, h.tids);
        const PostingOwner owner{ids_[row], h.version};
        h.posting = write_postings(index_, owner, std::span<const HeapTid>(tids).subspan(h.tid_count));
        const bool apart = layout_.own_place == OwnPlace::kApart;
        h.own_block = apart ? rows_.own_block(row) : kNoOwnBlock;
        h.unit = apart ? rows_.added_unit(row) : 0;
        return h;
    }

    void fill_page(const BulkGraph& graph, Page page, std::span<const std::uint32_t> rows,
                   std::span<const NodeHeader> headers) {
        for (std::size_t i = 0; i < rows.size(); ++i)
            fill_node(node_in(meta_.shape, page, slot_of(meta_.shape, ids_[rows[i]])), headers[i], rows[i],
                      graph);
    }

    void fill_node(Node node, const NodeHeader& header, std::uint32_t row, const BulkGraph& graph) {
        const std::span<const Neighbor> edges = graph.edges.of(row);
        node.header() = header;
        node.header().degree = static_cast<std::uint16_t>(edges.size());
        node.set_own_factors(factors_[row]);
        std::memcpy(node.own_code(), code_of(row), layout_.code_bytes());
        if (layout_.own_place == OwnPlace::kInline) store_own(node, row);
        for (std::size_t lane = 0; lane < edges.size(); ++lane) {
            const std::uint32_t to = edges[lane].id;
            node.write_edge(lane, {ids_[to], factors_[to], code_of(to)});
            node.set_pinned(lane, graph.parent[to] == row ? 1 : 0);
        }
    }

    // Halves as they are, which the code was made from; bytes rounded again, as encode_all did.
    void store_own(Node node, std::uint32_t row) {
        const StoredVector vector = rows_.vectors()[row];
        NodeHeader& h = node.header();
        if (layout_.own_format == OwnFormat::kF16) {
            std::memcpy(node.own(), vector.data, stored_bytes(OwnFormat::kF16, layout_.padded));
            h.unit = vector.unit;
        } else {
            const Space space(meta_.shape.metric, meta_.shape.dims);
            load_vector(vector, layout_.padded, z_.data());
            h.unit = store_vector(layout_.own_format, z_.data(), layout_.padded, node.own());
            h.error += space.storage_error(z_.data(), node.vector());
        }
        h.norm_squared = static_cast<float>(norm_squared_from(node.vector(), floats_.data(), layout_.padded));
    }

    const std::uint8_t* code_of(std::uint32_t row) const {
        return codes_.data() + row * layout_.code_bytes();
    }

    // From here on searches find the graph.
    void publish(const BulkGraph& graph) {
        const BlockNumber codebook =
            write_geometry(index_, floats_.data(), geometry_floats(layout_.padded, meta_.centroid_count));
        with_meta_write(index_, [&](Meta& meta) {
            meta.codebook = codebook;
            meta.centroid_count = meta_.centroid_count;
            meta.rescale_unit = meta_.rescale_unit;
            meta.max_norm_squared = meta_.max_norm_squared;
            meta.medoid = ids_[graph.medoid];
            meta.node_count += static_cast<std::uint32_t>(rows_.size());
            for (std::size_t c = 0; c < meta_.centroid_count; ++c) meta.entries[c] = ids_[meta_.entries[c]];
            ++meta.trained;
            if (merged_.pages > 0) finish_run(index_, meta, merged_);
        });
    }

    Relation index_;
    RowStore& rows_;
    Logging logging_;
    std::pmr::memory_resource* memory_;
    const Progress& progress_;
    PendingRun merged_;
    Meta meta_;
    NodeLayout layout_;
    Codebook book_;
    std::pmr::vector<float> floats_;  // mean, direction, centroids
    std::pmr::vector<float> z_;
    std::pmr::vector<std::uint8_t> codes_;
    std::pmr::vector<CodeFactors> factors_;
    std::pmr::vector<NodeId> ids_;  // by row
};

}  // namespace

std::size_t least_graph_rows(const NodeLayout& layout) {
    constexpr std::size_t kLeastBytes = 1 << 19;
    return std::clamp<std::size_t>(kLeastBytes / stored_bytes(OwnFormat::kF16, layout.padded), 64, 1000);
}

std::size_t build_graph(Relation index, RowStore& rows, Logging logging, std::pmr::memory_resource* memory,
                        const Progress& progress, const PendingRun& merged) {
    return GraphWriter(index, rows, logging, memory, progress, merged).run();
}

}  // namespace vecidx

// Training, building, encoding and writing a whole graph. See graph_build.hpp.
#include "am/graph_build.hpp"

#include "am/merge_lock.hpp"
#include "am/node_writer.hpp"
#include "am/progress.hpp"
#include "am/row_store.hpp"
#include "storage/node_store.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/space.hpp"

namespace vecidx {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::size_t kSampleRows = 10000;
constexpr std::size_t kSampleBytes = 1 << 23;
constexpr std::uint64_t kNothingNear = 0xffffffffffffffff;

class Builder : private GraphWork {
  public:
    Builder(const GraphTask& task, LiveRows* live) : GraphWork(task, 0), live_(live) {}

    std::size_t run() {
        rows_.collapse_equal(arrays_.rows, BuildRows::Units::kAsLoaded, window_);
        team_.meet();
        if (team_.leads()) train();
        team_.meet();
        set_book();
        move_to_graph_space();
        BulkBuild graph({rows_.vectors(arrays_.rows), arrays_.rows.left_out, shared_->distinct, nullptr},
                        params_for(meta_.shape), arena_, team_, window_, &memory_, progress_);
        graph.partition();
        graph.link();
        NodeWriter writer({index_, rows_, arrays_, graph, team_, shared_, window_, live_}, meta_);
        if (team_.leads()) writer.place_nodes();
        encode_all(graph);
        team_.meet();
        writer.write_all();
        add_shared(shared_->tombstones, writer.tombstones());
        team_.meet();
        if (team_.leads()) publish(graph);
        return shared_->distinct;
    }

  private:
    // Mean, largest norm, centroids, from a sample of the rows.
    void train() {
        enter_phase(BuildPhase::kTrain, 0);
        const std::size_t padded = layout_.padded;
        Random random(kSeed);
        RowStore sample(layout_, &memory_);
        draw_sample(sample);
        const auto norm = std::bit_cast<float>(shared_->max_norm_bits);
        shared_->max_norm_squared = space_.metric == Metric::kInnerProduct ? norm : 0;
        float* mean = arrays_.floats;
        float* direction = mean + padded;
        float* centroids = direction + padded;
        std::fill_n(mean, 2 * padded, 0.0f);
        space_.lift_direction(direction);
        // The mean is that of the lifted rows.
        if (space_.metric == Metric::kInnerProduct)
            sample.move_to_graph_space(space_, shared_->max_norm_squared, mean, direction);
        sample_mean(sample.vectors(), random, &memory_, mean);
        sample.move_to_graph_space(space_, 0, mean, direction);
        shared_->centroid_count = static_cast<std::uint32_t>(train_centroids(
            sample.vectors(), default_centroid_count(shared_->distinct), random, &memory_, centroids));
        shared_->rescale_unit = 1;
        set_book();
        shared_->rescale_unit = choose_rescale_unit(book_, sample.vectors(), random, &memory_);
        std::fill_n(shared_->nearest, kMaxCentroids, kNothingNear);
    }

    void draw_sample(RowStore& sample) {
        const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
        const std::size_t wanted = std::clamp<std::size_t>(kSampleBytes / width, 1, kSampleRows);
        const std::size_t step = std::max<std::size_t>(rows_.count() / wanted, 1);
        for (std::size_t at = 0; at < rows_.count(); at += step) {
            std::size_t row = at;
            const std::size_t end = std::min(at + step, rows_.count());
            while (row < end && arrays_.rows.left_out[row] != 0) ++row;
            if (row == end) continue;
            window_.use(rows_.halves(row), width);
            window_.use(&rows_.entry(row), sizeof(BuildEntry));
            sample.add(rows_.entry(row).row, rows_.halves(row));
        }
    }

    // From here on searches find the graph.
    void publish(const BulkBuild& graph) {
        const std::size_t rows = graph.source().size(), per_page = meta_.shape.nodes_per_page;
        if (live_ == nullptr && rows % per_page != 0)
            list_free_nodes(index_, block_of(meta_.shape, arrays_.ids[rows - 1]));
        const BlockNumber codebook =
            write_geometry(index_, arrays_.floats, geometry_floats(layout_.padded, shared_->centroid_count));
        const auto lead_to_graph = [&](Meta& meta) { set_meta(graph, codebook, meta); };
        if (live_ == nullptr)
            with_meta_write(index_, lead_to_graph);
        else
            with_lock(index_, IndexLock::kRows,
                      [&] { end_run(index_, meta_.pending_head, merged_, lead_to_graph); });
        free_spares();
    }

    void set_meta(const BulkBuild& graph, BlockNumber codebook, Meta& meta) {
        meta.codebook = codebook;
        meta.centroid_count = shared_->centroid_count;
        meta.rescale_unit = shared_->rescale_unit;
        meta.max_norm_squared = shared_->max_norm_squared;
        meta.medoid = arrays_.ids[graph.medoid()];
        meta.node_count += static_cast<std::uint32_t>(graph.source().size());
        meta.tombstones += shared_->tombstones;
        for (std::size_t c = 0; c < meta.centroid_count; ++c) {
            const std::uint64_t nearest = shared_->nearest[c];
            const auto row = static_cast<std::uint32_t>(nearest);
            meta.entries[c] = nearest == kNothingNear ? meta.medoid : arrays_.ids[row];
        }
        meta.trained = (meta.merging != 0 ? meta.merging : meta.batch) + 1;  // never the same twice
    }

    LiveRows* live_;
};

}  // namespace

std::size_t least_graph_rows(const NodeLayout& layout) {
    constexpr std::size_t kLeastBytes = 1 << 19;
    return std::clamp<std::size_t>(kLeastBytes / stored_bytes(OwnFormat::kF16, layout.padded), 64, 1000);
}

std::size_t build_bytes(const IndexShape& shape, std::size_t rows) {
    return rows * (stored_bytes(OwnFormat::kF16, shape.layout.padded) + sizeof(BuildEntry)) +
           arena_bytes(shape, rows, 0);
}

std::size_t scratch_bytes(const IndexShape& shape) {
    const std::size_t padded = shape.layout.padded;
    const BulkParams params = params_for(shape);
    const std::size_t tiles = 2 * (params.most_cells + params.leaf_size) * padded + params.leaf_size * 512;
    const std::size_t sample = std::min(kSampleRows * padded * sizeof(f16), kSampleBytes);
    const std::size_t training = sample + training_bytes(padded);
    return std::max(tiles, training) + (std::size_t{1} << 20);
}

std::size_t build_graph(const GraphTask& task, LiveRows* live) {
    std::size_t nodes = 0;
    in_context("vamana graph build",
               [&](MemoryContext context) { nodes = make_in<Builder>(context, task, live)->run(); });
    return nodes;
}

}  // namespace vecidx

// Training, building, encoding and writing a whole graph. See graph_build.hpp.
#include "am/graph_build.hpp"

#include "am/build_arrays.hpp"
#include "am/node_writer.hpp"
#include "am/progress.hpp"
#include "am/row_store.hpp"
#include "storage/node_store.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/space.hpp"

namespace vecidx {
namespace {

constexpr std::uint64_t kSeed = 42;
constexpr std::size_t kChunk = 512;  // rows of a share
constexpr std::size_t kSampleRows = 10000;
constexpr std::size_t kSampleBytes = 1 << 23;
constexpr std::size_t kTileBytes = 1 << 23;  // of a leaf's or the leaders' vectors in 8 bits
constexpr std::size_t kSmallColumns = 24;    // bytes a row of arrays that stay resident
constexpr std::size_t kLeastWindow = std::size_t{4} << 20;
constexpr std::uint64_t kNothingNear = 0xffffffffffffffff;

BulkParams params_for(const IndexShape& shape) {
    BulkParams params;
    params.degree = shape.layout.degree;
    params.alpha = shape.alpha;
    params.candidates = std::max(params.candidates, params.degree);
    // Of very wide vectors fewer are compared at once.
    const std::size_t fit = std::max<std::size_t>(kTileBytes / shape.layout.padded, 256);
    params.leaf_size = std::min(params.leaf_size, fit);
    params.most_cells = std::min(params.most_cells, fit);
    return params;
}

// A vector array that only tells how its vectors are stored.
VectorArray halves_like(const NodeLayout& layout, std::size_t count) {
    return {nullptr, nullptr, count, layout.padded, OwnFormat::kF16};
}

std::size_t arena_bytes(const IndexShape& shape, std::size_t rows, std::pmr::memory_resource* memory) {
    Arena sizes;
    const BuildArrays arrays(sizes, shape.layout, rows);
    return sizes.used() +
           BulkBuild::bytes_for(rows, halves_like(shape.layout, rows), params_for(shape), memory);
}

class Builder {
  public:
    explicit Builder(const GraphBuild& build)
        : index_(build.index),
          rows_(build.rows),
          shared_(build.team.shared),
          team_(build.team.team),
          writing_(build.writing),
          merged_(build.merged),
          meta_(read_meta(index_)),
          layout_(meta_.shape.layout),
          space_(meta_.shape.metric, meta_.shape.dims),
          context_(CurrentMemoryContext),
          memory_(context_),
          window_(&memory_),
          arena_(map_files()),
          arrays_(arena_, layout_, rows_.count()),
          progress_(team_.leads() ? build_progress() : quiet_progress()),
          z_(layout_.padded, &memory_) {}

    std::size_t run() {
        rows_.collapse_equal(arrays_.rows, window_);
        team_.meet();
        if (team_.leads()) train();
        team_.meet();
        set_book();
        move_to_graph_space();
        BulkBuild graph({rows_.vectors(arrays_.rows), arrays_.rows.left_out, shared_->distinct},
                        params_for(meta_.shape), arena_, team_, window_, &memory_, progress_);
        graph.partition();
        graph.link();
        NodeWriter writer({index_, rows_, arrays_, graph, team_, shared_, window_, writing_}, meta_);
        if (team_.leads()) writer.place_nodes();
        encode_all(graph);
        team_.meet();
        writer.write_all();
        team_.meet();
        if (team_.leads()) publish(graph);
        return shared_->distinct;
    }

  private:
    Arena map_files() {
        if (team_.leads()) rows_.allocate(arena_bytes(meta_.shape, rows_.count(), &memory_));
        team_.meet();
        rows_.map();
        Mapping& mapping = rows_.mapping();
        const std::size_t memory = mapped_memory(*shared_);
        if (mapping.bytes() > memory) {
            const std::size_t columns = std::min(memory / 2, rows_.count() * kSmallColumns);
            window_.watch(mapping.data(), mapping.bytes(), std::max(memory - columns, kLeastWindow), let_go,
                          &mapping);
            window_.write_by(copy_in);
        }
        return rows_.arena();
    }

    static void let_go(void* mapping, std::size_t offset, std::size_t bytes) {
        static_cast<Mapping*>(mapping)->let_go(offset, bytes);
    }
    static void copy_in(void* mapping, std::size_t offset, const void* from, std::size_t bytes) {
        static_cast<Mapping*>(mapping)->write(offset, from, bytes);
    }

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

    void set_book() {
        book_ = {layout_.padded,
                 layout_.code_dims,
                 layout_.bits,
                 shared_->centroid_count,
                 arrays_.floats + 2 * layout_.padded,
                 shared_->rescale_unit};
    }

    // Lifts every row and takes it relative to the mean.
    void move_to_graph_space() {
        const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
        const float* mean = arrays_.floats;
        const float* direction = mean + layout_.padded;
        take_shares(shared_->move_taken, rows_.count(), kChunk, [&](std::size_t first, std::size_t count) {
            CHECK_FOR_INTERRUPTS();
            window_.use(rows_.halves(first), count * width);
            window_.use(&rows_.entry(first), count * sizeof(BuildEntry));
            window_.use(arrays_.rows.units + first, count * sizeof(float));
            for (std::size_t row = first; row < first + count; ++row) {
                if (arrays_.rows.left_out[row] != 0) continue;
                PendingEntry& entry = rows_.entry(row).row;
                load_vector({rows_.halves(row), entry.unit, OwnFormat::kF16}, layout_.padded, z_.data());
                space_.lift(z_.data(), entry.norm_squared, shared_->max_norm_squared, direction);
                for (std::size_t d = 0; d < layout_.padded; ++d) z_[d] -= mean[d];
                const float unit =
                    store_vector(OwnFormat::kF16, z_.data(), layout_.padded, rows_.halves(row));
                entry.error += space_.storage_error(z_.data(), {rows_.halves(row), unit, OwnFormat::kF16});
                arrays_.rows.units[row] = unit;
            }
        });
        team_.meet();
    }

    // Codes of all rows, and for each centroid the row nearest to it. A code is of the vector as the node
    // stores it.
    void encode_all(const BulkBuild& graph) {
        const VectorArray vectors = graph.vectors();
        const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded), bytes = layout_.code_bytes();
        std::pmr::vector<std::byte> stored(stored_bytes(layout_.own_format, layout_.padded), &memory_);
        if (team_.leads()) enter_phase(BuildPhase::kEncode, vectors.count);
        take_shares(shared_->encode_taken, vectors.count, kChunk, [&](std::size_t first, std::size_t count) {
            CHECK_FOR_INTERRUPTS();
            if (team_.leads()) show_done(first);
            window_.use(vectors.data + first * width, count * width);
            window_.use(arrays_.codes + first * bytes, count * bytes);
            window_.use(arrays_.factors + first, count * sizeof(CodeFactors));
            for (std::size_t row = first; row < first + count; ++row) {
                load_vector(vectors[row], layout_.padded, z_.data());
                if (layout_.own_format != OwnFormat::kF16) {
                    const float unit =
                        store_vector(layout_.own_format, z_.data(), layout_.padded, stored.data());
                    load_vector({stored.data(), unit, layout_.own_format}, layout_.padded, z_.data());
                }
                const std::uint8_t c = nearest_centroid(book_, z_.data());
                arrays_.factors[row] = encode(book_, z_.data(), c, arrays_.codes + row * bytes);
                note_entry(c, static_cast<std::uint32_t>(row));
            }
        });
    }

    void note_entry(std::uint8_t c, std::uint32_t row) {
        const float d = kernels().l2_squared(z_.data(), book_.centroid(c), layout_.padded);
        const std::uint64_t mine = std::uint64_t{std::bit_cast<std::uint32_t>(d)} << 32 | row;
        const std::atomic_ref<std::uint64_t> nearest(shared_->nearest[c]);
        std::uint64_t best = nearest.load(std::memory_order_relaxed);
        while (mine < best && !nearest.compare_exchange_weak(best, mine, std::memory_order_relaxed)) continue;
    }

    // From here on searches find the graph.
    void publish(const BulkBuild& graph) {
        const std::size_t rows = graph.source().size(), per_page = meta_.shape.nodes_per_page;
        if (writing_ == Writing::kNewIndex && rows % per_page != 0)
            list_free_nodes(index_, block_of(meta_.shape, arrays_.ids[rows - 1]));
        const BlockNumber codebook =
            write_geometry(index_, arrays_.floats, geometry_floats(layout_.padded, shared_->centroid_count));
        with_meta_write(index_, [&](Meta& meta) {
            meta.codebook = codebook;
            meta.centroid_count = shared_->centroid_count;
            meta.rescale_unit = shared_->rescale_unit;
            meta.max_norm_squared = shared_->max_norm_squared;
            meta.medoid = arrays_.ids[graph.medoid()];
            meta.node_count += static_cast<std::uint32_t>(rows);
            for (std::size_t c = 0; c < meta.centroid_count; ++c) {
                const std::uint64_t nearest = shared_->nearest[c];
                const auto row = static_cast<std::uint32_t>(nearest);
                meta.entries[c] = nearest == kNothingNear ? meta.medoid : arrays_.ids[row];
            }
            if (merged_.pages > 0) finish_run(index_, meta, merged_);
            meta.trained = meta.batch + 1;
        });
        if (layout_.own_place == OwnPlace::kApart) free_spares();
    }

    // Own vectors kept apart of rows that joined another.
    void free_spares() {
        for (std::size_t row = 0; row < rows_.count(); ++row)
            if (rows_.is_row(row) && arrays_.rows.left_out[row] != 0)
                free_apart(index_, rows_.entry(row).row.own_block);
    }

    Relation index_;
    BuildRows& rows_;
    BuildShared* shared_;
    const Team& team_;
    Writing writing_;
    PendingRun merged_;
    Meta meta_;
    NodeLayout layout_;
    Space space_;
    MemoryContext context_;
    ContextResource memory_;
    Window window_;
    Arena arena_;
    BuildArrays arrays_;
    Progress progress_;
    Codebook book_;
    std::pmr::vector<float> z_;
};

}  // namespace

std::size_t least_graph_rows(const NodeLayout& layout) {
    constexpr std::size_t kLeastBytes = 1 << 19;
    return std::clamp<std::size_t>(kLeastBytes / stored_bytes(OwnFormat::kF16, layout.padded), 64, 1000);
}

std::size_t build_bytes(const IndexShape& shape, std::size_t rows) {
    ContextResource memory(CurrentMemoryContext);
    return rows * (stored_bytes(OwnFormat::kF16, shape.layout.padded) + sizeof(BuildEntry)) +
           arena_bytes(shape, rows, &memory);
}

std::size_t scratch_bytes(const IndexShape& shape) {
    const std::size_t padded = shape.layout.padded;
    const BulkParams params = params_for(shape);
    const std::size_t tiles = 2 * (params.most_cells + params.leaf_size) * padded + params.leaf_size * 512;
    const std::size_t sample = std::min(kSampleRows * padded * sizeof(f16), kSampleBytes);
    const std::size_t training = sample + training_bytes(padded);
    return std::max(tiles, training) + (std::size_t{1} << 20);
}

std::size_t build_graph(const GraphBuild& build) {
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana graph build", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    const std::size_t nodes = make_in<Builder>(context, build)->run();
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
    return nodes;
}

}  // namespace vecidx

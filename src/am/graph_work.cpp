// Mapping, moving and encoding of rows. See graph_work.hpp.
#include "am/graph_work.hpp"

#include "am/progress.hpp"
#include "storage/node_store.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kTileBytes = 1 << 23;  // of a leaf's or the leaders' vectors in 8 bits
constexpr std::size_t kSmallColumns = 24;    // bytes a row of arrays that stay resident
constexpr std::size_t kLeastWindow = std::size_t{4} << 20;

void let_go(void* mapping, std::size_t offset, std::size_t bytes) {
    static_cast<Mapping*>(mapping)->let_go(offset, bytes);
}

void copy_in(void* mapping, std::size_t offset, const void* from, std::size_t bytes) {
    static_cast<Mapping*>(mapping)->write(offset, from, bytes);
}

}  // namespace

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

std::size_t arena_bytes(const IndexShape& shape, std::size_t rows, std::size_t node_ids) {
    ContextResource memory(CurrentMemoryContext);
    const VectorArray like{nullptr, nullptr, rows, shape.layout.padded, OwnFormat::kF16};
    Arena sizes;
    const BuildArrays arrays(sizes, shape.layout, rows, node_ids);
    return sizes.used() + BulkBuild::bytes_for(rows, like, params_for(shape), &memory);
}

GraphWork::GraphWork(const GraphTask& task, std::size_t node_ids)
    : index_(task.index),
      rows_(task.rows),
      shared_(task.team.shared),
      team_(task.team.team),
      merged_(task.merged),
      meta_(read_meta(index_)),
      layout_(meta_.shape.layout),
      space_(meta_.shape.metric, meta_.shape.dims),
      memory_(CurrentMemoryContext),
      window_(&memory_),
      arena_(map_files(node_ids)),
      arrays_(arena_, layout_, rows_.count(), node_ids),
      progress_(team_.leads() ? build_progress() : quiet_progress()),
      z_(layout_.padded, &memory_) {}

Arena GraphWork::map_files(std::size_t node_ids) {
    if (team_.leads()) rows_.allocate(arena_bytes(meta_.shape, rows_.count(), node_ids));
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

void GraphWork::set_book() {
    book_ = {layout_.padded,
             layout_.code_dims,
             layout_.bits,
             shared_->centroid_count,
             arrays_.floats + 2 * layout_.padded,
             shared_->rescale_unit};
}

void GraphWork::move_to_graph_space() {
    const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
    take_shares(shared_->move_taken, rows_.count(), kChunk, [&](std::size_t first, std::size_t count) {
        CHECK_FOR_INTERRUPTS();
        window_.use(rows_.halves(first), count * width);
        window_.use(&rows_.entry(first), count * sizeof(BuildEntry));
        window_.use(arrays_.rows.units + first, count * sizeof(float));
        for (std::size_t row = first; row < first + count; ++row) move_row(row);
    });
    team_.meet();
}

void GraphWork::move_row(std::size_t row) {
    PendingEntry& entry = rows_.entry(row).row;
    if (rows_.is_settled(row)) {
        arrays_.rows.units[row] = entry.unit;
        return;
    }
    const float* mean = arrays_.floats;
    const float* direction = mean + layout_.padded;
    load_vector({rows_.halves(row), entry.unit, OwnFormat::kF16}, layout_.padded, z_.data());
    space_.lift(z_.data(), entry.norm_squared, shared_->max_norm_squared, direction);
    for (std::size_t d = 0; d < layout_.padded; ++d) z_[d] -= mean[d];
    const float unit = store_vector(OwnFormat::kF16, z_.data(), layout_.padded, rows_.halves(row));
    entry.error += space_.storage_error(z_.data(), {rows_.halves(row), unit, OwnFormat::kF16});
    arrays_.rows.units[row] = unit;
}

void GraphWork::encode_all(const BulkBuild& graph) {
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
            if (!graph.is_fresh(row)) continue;
            load_vector(vectors[row], layout_.padded, z_.data());
            if (layout_.own_format != OwnFormat::kF16) {
                const float unit = store_vector(layout_.own_format, z_.data(), layout_.padded, stored.data());
                load_vector({stored.data(), unit, layout_.own_format}, layout_.padded, z_.data());
            }
            const std::uint8_t c = nearest_centroid(book_, z_.data());
            arrays_.factors[row] = encode(book_, z_.data(), c, arrays_.codes + row * bytes);
            note_entry(c, static_cast<std::uint32_t>(row));
        }
    });
}

void GraphWork::free_spares() {
    if (layout_.own_place != OwnPlace::kApart) return;
    for (std::size_t row = 0; row < rows_.count(); ++row)
        if (rows_.is_row(row) && !rows_.is_settled(row) && arrays_.rows.left_out[row] != 0)
            free_apart(index_, rows_.entry(row).row.own_block);
}

void GraphWork::note_entry(std::uint8_t centroid, std::uint32_t row) {
    const float d = kernels().l2_squared(z_.data(), book_.centroid(centroid), layout_.padded);
    const std::uint64_t mine = std::uint64_t{std::bit_cast<std::uint32_t>(d)} << 32 | row;
    const std::atomic_ref<std::uint64_t> nearest(shared_->nearest[centroid]);
    std::uint64_t best = nearest.load(std::memory_order_relaxed);
    while (mine < best && !nearest.compare_exchange_weak(best, mine, std::memory_order_relaxed)) continue;
}

}  // namespace vecidx

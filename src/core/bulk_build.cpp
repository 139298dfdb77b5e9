// The bulk build's stages. See bulk_build.hpp.
#include "vecidx/bulk_build.hpp"

#include <algorithm>
#include <numeric>

#include "vecidx/leaf.hpp"
#include "vecidx/link.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kChunk = 512;  // rows of a share, where a row is little work
constexpr std::size_t kPruneChunk = 128;
constexpr std::size_t kMedoidSample = 1024;
constexpr std::size_t kLargeShares = 8;  // of a worker, where shares are large
constexpr std::size_t kCellShares = 256;
constexpr std::size_t kLargeCell = 4;  // leaves in a cell that is not to be left for the end

enum Share { kAssign, kPlace, kGather, kLeaf, kPrune, kSend, kTake, kTree };

std::size_t skeleton_rows(std::size_t rows, const BulkParams& params) {
    return std::max(rows / params.sample_ratio, kAllPairs);
}

// The levels of a build, in the order in which they are carved.
std::pmr::vector<Level> carve_levels(Arena& arena, std::size_t rows, VectorArray like,
                                     const BulkParams& params, std::pmr::memory_resource* memory) {
    std::pmr::vector<Level> levels(memory);
    levels.emplace_back(arena, rows, like, params);
    while (rows > kAllPairs) {
        rows = like.count = skeleton_rows(rows, params);
        levels.emplace_back(arena, rows, like, params);
        if (rows == kAllPairs) break;
    }
    return levels;
}

// Of a sample of rows, the one nearest to their mean.
std::uint32_t central_row(const Level& level, Window& window, std::pmr::memory_resource* memory) {
    const VectorArray all = level.vectors();
    std::pmr::vector<std::uint32_t> rows(memory);
    const auto take = [&](std::size_t i) {
        if (level.settled[i] != kBuried) rows.push_back(static_cast<std::uint32_t>(i));
    };
    for (std::size_t i = 0; i < all.count; i += ceil_div(all.count, kMedoidSample)) take(i);
    for (std::size_t i = 0; rows.empty() && i < all.count; ++i) take(i);
    if (rows.empty()) return 0;
    GatheredVectors sample(memory);
    sample.gather(all, rows, window);
    const VectorArray& vectors = sample.array();
    std::pmr::vector<float> mean(vectors.padded, 0.0f, memory), row(vectors.padded, 0.0f, memory);
    float weight = 1;
    for (const std::uint32_t i : sample.members()) {
        load_vector(vectors[i], vectors.padded, row.data());
        for (std::size_t d = 0; d < vectors.padded; ++d) mean[d] += (row[d] - mean[d]) / weight;
        weight += 1;
    }
    Neighbor best{std::numeric_limits<float>::infinity(), 0};
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
        const StoredVector x = vectors[sample.members()[i]];
        best = std::min(best, Neighbor{l2_squared(kernels(), mean.data(), x, vectors.padded), i});
    }
    return rows[best.id];
}

bool is_marked(const std::uint8_t* marks, std::size_t i) {
    return marks != nullptr && marks[i] != 0;
}

void copy_vector(const VectorArray& from, std::size_t i, const Level& to, std::size_t row) {
    const std::size_t bytes = stored_bytes(to.format, to.padded);
    std::memcpy(to.data + row * bytes, from[i].data, bytes);
    to.units[row] = from.units[i];
}

}  // namespace

BulkBuild::BulkBuild(const BulkInput& input, const BulkParams& params, Arena& arena, const Team& team,
                     Window& window, std::pmr::memory_resource* memory, const Progress& progress)
    : input_(input),
      team_(team),
      window_(window),
      memory_(memory),
      progress_(progress),
      levels_(carve_levels(arena, input.rows, input.vectors, params, memory)),
      leader_rows_(memory),
      leaders_(memory),
      leader_vectors_(memory) {
    if (team_.leads()) {
        for (const Level& level : levels_) std::memset(level.state, 0, sizeof *level.state);
        levels_[0].state->rows = static_cast<std::uint32_t>(input.rows);
        levels_[0].state->settled = input.settled != nullptr ? 1 : 0;
    }
    team_.meet();
}

std::size_t BulkBuild::bytes_for(std::size_t rows, const VectorArray& like, const BulkParams& params,
                                 std::pmr::memory_resource* memory) {
    Arena sizes;
    carve_levels(sizes, rows, like, params, memory);
    return sizes.used();
}

// Every worker draws the same.
void BulkBuild::choose_leaders(const Level& level, const VectorArray& from, const std::uint8_t* left_out) {
    const std::size_t rows = level.rows();
    const BulkParams& p = level.params;
    const bool one_cell = rows <= p.leaf_size;
    const std::size_t count = one_cell ? 1 : leader_count(rows, p.fan_out, p.leaf_size, p.most_cells);
    if (team_.leads()) {
        level.state->cells = static_cast<std::uint32_t>(count);
        level.state->fan_out = static_cast<std::uint32_t>(one_cell ? 1 : p.fan_out);
        std::fill_n(level.cell_end, kMostCells + 1, 0u);
        std::fill_n(level.home_end, kMostCells + 1, 0u);
    }
    leader_rows_.clear();
    Random random(p.seed);
    Visited drawn(memory_, count);
    while (!one_cell && leader_rows_.size() < count) {
        const std::uint32_t i = random.below(static_cast<std::uint32_t>(from.count));
        if (!is_marked(left_out, i) && drawn.insert(i)) leader_rows_.push_back(i);
    }
    std::sort(leader_rows_.begin(), leader_rows_.end());
    leader_vectors_.gather(from, leader_rows_, window_);
    leaders_.assign(leader_vectors_.members().begin(), leader_vectors_.members().end());
    if (!one_cell) put_near_together(leader_vectors_.array(), leaders_, memory_);
    team_.meet();
}

// By number in what the level is split from. Only level 0 has such rows.
bool BulkBuild::is_buried(const Level& level, std::size_t i) const {
    return &level == &levels_[0] && input_.settled != nullptr && input_.settled[i] == kBuried;
}

// Chooses every row's cells and counts the cells' members.
void BulkBuild::assign(const Level& level, const VectorArray& from, const std::uint8_t* left_out) {
    const std::size_t fan_out = level.state->fan_out;
    const std::size_t bytes = stored_bytes(from.format, from.padded);
    Leaders leaders(memory_);
    if (!leaders_.empty()) leaders.set(leader_vectors_.array(), leaders_);
    std::pmr::vector<std::uint32_t> rows(memory_);
    std::pmr::vector<std::uint16_t> chosen(kChunk * fan_out, 0, memory_);
    take_shares(level.state->taken[kAssign], from.count, kChunk, [&](std::size_t first, std::size_t count) {
        progress_(phase_of_split(level), first, from.count);
        rows.clear();
        for (std::size_t i = first; i < first + count; ++i)
            if (!is_marked(left_out, i)) rows.push_back(static_cast<std::uint32_t>(i));
        window_.use(from.data + first * bytes, count * bytes);
        window_.use(level.choices + first * fan_out, count * fan_out * sizeof(std::uint16_t));
        if (!leaders_.empty()) leaders.assign(from, rows, fan_out, chosen.data());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const std::uint16_t* cells = chosen.data() + i * fan_out;
            std::copy_n(cells, fan_out, level.choices + rows[i] * fan_out);
            add_shared(level.home_end[cells[0]], 1u);
            if (is_buried(level, rows[i])) continue;
            for (std::size_t j = 0; j < fan_out; ++j) add_shared(level.cell_end[cells[j]], 1u);
        }
    });
    team_.meet();
}

// Turns the counts into where each cell begins; `place` moves that to where it ends.
void BulkBuild::lay_out_cells(const Level& level) {
    if (team_.leads()) {
        const std::size_t cells = level.state->cells;
        std::iota(level.turn, level.turn + cells, 0u);
        const auto large = [&](std::uint32_t cell) {
            return level.cell_end[cell] / kLargeCell > level.params.leaf_size;
        };
        std::stable_partition(level.turn, level.turn + cells, large);
        std::exclusive_scan(level.cell_end, level.cell_end + cells, level.cell_end, 0u);
        std::exclusive_scan(level.home_end, level.home_end + cells, level.home_end, 0u);
    }
    team_.meet();
}

// Puts rows among the members of their cells, and in level 0 in home order.
void BulkBuild::place(const Level& level, const VectorArray& from, const std::uint8_t* left_out) {
    const std::size_t fan_out = level.state->fan_out, bytes = stored_bytes(from.format, from.padded);
    const bool moves = &level == &levels_[0];
    take_shares(level.state->taken[kPlace], from.count, kChunk, [&](std::size_t first, std::size_t count) {
        progress_(phase_of_split(level), first, from.count);
        window_.use(from.data + first * bytes, count * bytes);
        window_.use(level.choices + first * fan_out, count * fan_out * sizeof(std::uint16_t));
        for (std::size_t i = first; i < first + count; ++i) {
            if (is_marked(left_out, i)) continue;
            const std::uint16_t* cells = level.choices + i * fan_out;
            std::size_t row = i;
            if (moves) {
                row = add_shared(level.home_end[cells[0]], 1u);
                window_.use_to_write(level.data + row * bytes, bytes);
                copy_vector(from, i, level, row);
                level.source[row] = static_cast<std::uint32_t>(i);
                level.parent[row] = kNoNode;
                level.settled[row] = kFresh;
                if (input_.settled != nullptr) level.settled[row] = input_.settled[i];
            }
            if (is_buried(level, i)) continue;
            for (std::size_t j = 0; j < fan_out; ++j) {
                const std::uint32_t at = add_shared(level.cell_end[cells[j]], 1u);
                window_.use_to_write(level.members + at, sizeof(std::uint32_t));
                level.members[at] = level.member(row, j);
            }
        }
    });
    team_.meet();
}

void BulkBuild::split(const Level& level, const VectorArray& from, const std::uint8_t* left_out) {
    choose_leaders(level, from, left_out);
    assign(level, from, left_out);
    lay_out_cells(level);
    place(level, from, left_out);
}

void BulkBuild::partition() {
    split(levels_[0], input_.vectors, input_.left_out);
    if (team_.leads() && levels_[0].rows() > 0) {
        const Level& level = levels_[0];
        level.state->medoid = central_row(level, window_, memory_);
        window_.use(level.slot, level.rows() * sizeof(std::uint32_t));
        std::fill_n(level.slot, level.rows(), Level::kNoSlot);
    }
    team_.meet();
}

void BulkBuild::settle(std::uint32_t row, std::span<const std::uint32_t> edges, std::size_t pins) {
    const Level& level = levels_[0];
    const std::size_t count = std::min(edges.size(), level.params.degree);
    window_.use(level.list_data + row * level.stride, level.stride);
    Neighbor* list = level.edges().edit_all(row);
    for (std::size_t i = 0; i < count; ++i) {
        list[i] = {0, edges[i]};
        if (i < pins) level.parent[edges[i]] = row;
    }
    level.sizes[row] = static_cast<std::uint16_t>(count);
    level.pinned[row] = static_cast<std::uint16_t>(std::min(pins, count));
}

void BulkBuild::link() {
    link_level(0);
}

void BulkBuild::link_level(std::size_t depth) {
    if (!levels_[depth].is_small()) {
        make_skeleton(depth);
        compare_leaves(depth);
    }
    prune(depth);
    add_reverse_edges(depth);
    connect(depth);
}

// The skeleton's rows: a random sample with the medoid and, in level 0, a row of each cell.
void BulkBuild::choose_skeleton(const Level& level, const Level& next) {
    const std::size_t rows = level.rows(), wanted = skeleton_rows(rows, level.params);
    window_.use(level.slot, rows * sizeof(std::uint32_t));
    std::size_t count = 0;
    const auto choose = [&](std::size_t row) {
        if (level.settled[row] == kBuried) return;
        count += level.slot[row] == Level::kNoSlot ? 1 : 0;
        level.slot[row] = 0;
    };
    choose(level.state->medoid);
    if (&level == &levels_[0])
        for (std::size_t c = 0, first = 0; c < level.state->cells; first = level.home_end[c++])
            if (first < level.home_end[c] && count < wanted) choose(first);
    Random random(level.params.seed + 1);
    const std::size_t alive =
        rows - static_cast<std::size_t>(std::count(level.settled, level.settled + rows, kBuried));
    while (count < std::min(wanted, alive)) choose(random.below(static_cast<std::uint32_t>(rows)));
    std::uint32_t number = 0;
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (level.slot[row] == Level::kNoSlot) continue;
        next.source[number] = row;
        level.slot[row] = number++;
    }
    next.state->rows = number;
    next.state->medoid = level.slot[level.state->medoid];
    std::fill_n(next.slot, number, Level::kNoSlot);
}

void BulkBuild::make_skeleton(std::size_t depth) {
    const Level& level = levels_[depth];
    const Level& next = levels_[depth + 1];
    if (team_.leads()) choose_skeleton(level, next);
    team_.meet();
    const std::size_t bytes = stored_bytes(level.format, level.padded);
    take_shares(next.state->taken[kGather], next.rows(), kChunk, [&](std::size_t first, std::size_t count) {
        progress_(Phase::kSkeleton, first, next.rows());
        for (std::size_t i = first; i < first + count; ++i) {
            window_.use(level.data + next.source[i] * bytes, bytes);
            copy_vector(level.vectors(), next.source[i], next, i);
            next.settled[i] = kFresh;  // the skeleton is made anew
        }
        window_.use(next.data + first * bytes, count * bytes);
    });
    team_.meet();
    if (!next.is_small()) split(next, next.vectors(), nullptr);
    link_level(depth + 1);
}

// Where little memory is to be touched, a worker's shares are large, so that it stays among near rows.
std::size_t BulkBuild::share_of(std::size_t total, std::size_t usual) const {
    return window_.is_limited() ? std::max(usual, total / (kLargeShares * team_.size)) : usual;
}

void BulkBuild::compare_leaves() {
    compare_leaves(0);
}

void BulkBuild::compare_leaves(std::size_t depth) {
    const Level& level = levels_[depth];
    LeafCandidates leaves(level, window_, progress_, shown(depth, Phase::kLeaves), memory_);
    const std::size_t cells = level.state->cells;
    const std::size_t chunk = share_of(cells, std::clamp<std::size_t>(cells / kCellShares, 1, 8));
    take_shares(level.state->taken[kLeaf], cells, chunk, [&](std::size_t first, std::size_t count) {
        for (std::size_t turn = first; turn < first + count; ++turn) leaves.compare_cell(turn);
    });
    team_.meet();
}

void BulkBuild::prune(std::size_t depth) {
    const Level& level = levels_[depth];
    const std::size_t rows = level.rows();
    if (team_.leads()) {
        window_.use(level.incoming_end, (rows + 1) * sizeof(std::uint64_t));
        std::fill_n(level.incoming_end, rows + 1, std::uint64_t{0});
    }
    team_.meet();
    Linker linker(level, skeleton_of(depth), window_, memory_);
    take_shares(level.state->taken[kPrune], rows, share_of(rows, kPruneChunk),
                [&](std::size_t first, std::size_t count) {
                    for (std::size_t row = first; row < first + count; ++row) {
                        if (row % 16 == 0) progress_(shown(depth, Phase::kPrune), row, rows);
                        linker.prune_row(static_cast<std::uint32_t>(row));
                    }
                });
    team_.meet();
}

void BulkBuild::add_reverse_edges(std::size_t depth) {
    const Level& level = levels_[depth];
    const std::size_t rows = level.rows();
    // Where each row's incoming edges begin; sending moves that to where they end.
    if (team_.leads()) {
        window_.use(level.incoming_end, (rows + 1) * sizeof(std::uint64_t));
        std::exclusive_scan(level.incoming_end + 1, level.incoming_end + rows + 1, level.incoming_end + 1,
                            std::uint64_t{0});
    }
    team_.meet();
    Linker linker(level, skeleton_of(depth), window_, memory_);
    take_shares(level.state->taken[kSend], rows, share_of(rows, kPruneChunk),
                [&](std::size_t first, std::size_t count) {
                    for (std::size_t row = first; row < first + count; ++row) {
                        if (row % kPruneChunk == 0) progress_(shown(depth, Phase::kReverse), row / 2, rows);
                        linker.send(static_cast<std::uint32_t>(row));
                    }
                });
    team_.meet();
    take_shares(level.state->taken[kTake], rows, share_of(rows, kPruneChunk),
                [&](std::size_t first, std::size_t count) {
                    for (std::size_t row = first; row < first + count; ++row) {
                        if (row % 16 == 0) progress_(shown(depth, Phase::kReverse), (rows + row) / 2, rows);
                        linker.take_incoming(static_cast<std::uint32_t>(row));
                    }
                });
    team_.meet();
}

// In level 0 a tree of each cell's rows grows from those of the skeleton; in the others there is one tree.
void BulkBuild::connect(std::size_t depth) {
    const Level& level = levels_[depth];
    const std::size_t rows = level.rows();
    const bool by_cells = depth == 0 && !level.is_small();
    const std::size_t trees = by_cells ? level.state->cells : 1;
    const std::span<std::uint32_t> parent(level.parent, rows);
    take_shares(level.state->taken[kTree], trees, 1, [&](std::size_t at, std::size_t) {
        progress_(shown(depth, Phase::kConnect), at, trees);
        const std::size_t first = by_cells && at > 0 ? level.home_end[at - 1] : 0;
        const std::size_t end = by_cells ? level.home_end[at] : rows;
        window_.use(level.list_data + first * level.stride, (end - first) * level.stride);
        grow_trees(level.edges(), first, end - first, parent, memory_);
    });
    team_.meet();
    if (team_.leads()) {
        Random random(level.params.seed + 2);
        window_.use(level.parent, rows * sizeof(std::uint32_t));
        connect_rest({level.edges(), level.params.degree, parent, level.settled}, random, window_, memory_);
    }
    team_.meet();
}

}  // namespace vecidx

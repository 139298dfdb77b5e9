// The bulk build's stages. See bulk_build.hpp.
#include "vecidx/bulk_build.hpp"

#include <algorithm>
#include <numeric>

#include "vecidx/link.hpp"
#include "vecidx/nearest.hpp"
#include "vecidx/partition.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/reservoir.hpp"

namespace vecidx {
namespace {

// Sets up to this size see all pairs, and prune from all of them: the top of the skeleton.
constexpr std::size_t kSmall = 512;
constexpr std::size_t kRowBlock = 8;

// Edges to the skeleton that a row may get, where its neighbours do not lead there.
constexpr std::size_t kBridges = 2;

// A build of some rows of the array. Inside it a row is its position in `rows_`, except in tiles and prunes,
// which address the array.
class Build {
  public:
    Build(const VectorArray& vectors, std::span<const std::uint32_t> rows, const BulkParams& params,
          std::span<const std::uint32_t> position, std::pmr::memory_resource* memory,
          const Progress& progress)
        : vectors_(vectors),
          rows_(rows),
          params_(params),
          position_(position),
          memory_(memory),
          progress_(progress) {}

    // Rows with pinned edges are the skeleton's.
    void leaf_candidates(const Leaves& leaves, const PinnedEdges& pinned, Adjacency& lists);
    void all_candidates(Adjacency& lists);

  private:
    void one_leaf(Adjacency& bridges);
    void offer_bridges(std::size_t i, const std::int32_t* dots, Adjacency& bridges);
    void offer_both_ways(Reservoirs& reservoirs) const;
    void merge_bridges(const Adjacency& bridges, Adjacency& lists) const;
    bool found(std::size_t i, std::size_t j) const;

    const VectorArray& vectors_;
    std::span<const std::uint32_t> rows_;
    const BulkParams& params_;
    std::span<const std::uint32_t> position_;
    std::pmr::memory_resource* memory_;
    const Progress& progress_;
    std::pmr::vector<std::uint32_t> leaf_{memory_};  // rows of the leaf at hand, those of the skeleton first
    std::size_t leaf_skeleton_ = 0;                  // how many those are
    PackedTile tile_{memory_};
    NearestInRow nearest_{memory_};
    std::pmr::vector<std::int32_t> dots_{memory_};
    std::pmr::vector<Neighbor> found_{memory_};  // per member `per_leaf` nearest, ids local to the leaf
    std::pmr::vector<std::uint8_t> found_count_{memory_};
};

// The nearest of each member of the leaf, into found_, and its bridges.
void Build::one_leaf(Adjacency& bridges) {
    tile_.pack_around_mean(vectors_, leaf_);
    const Kernels& k = kernels();
    const std::size_t width = tile_.panel_count() * kBlockLanes;
    dots_.resize(kRowBlock * width);
    found_.resize(leaf_.size() * params_.per_leaf);
    found_count_.resize(leaf_.size());
    const std::int32_t* norms = tile_.norms();
    for (std::size_t first = 0; first < leaf_.size(); first += kRowBlock) {
        const std::size_t count = std::min(kRowBlock, leaf_.size() - first);
        k.dot_tile(tile_.tile(), first, count, tile_.tile(), tile_.panel_count(), dots_.data(), width);
        for (std::size_t i = first; i < first + count; ++i) {
            const std::int32_t* dots = dots_.data() + (i - first) * width;
            nearest_.select(dots, norms, leaf_.size(), params_.per_leaf, i);
            found_count_[i] = static_cast<std::uint8_t>(nearest_.size());
            for (std::size_t j = 0; j < nearest_.size(); ++j) {
                const auto squared = static_cast<float>(norms[i] + nearest_.key(j));
                found_[i * params_.per_leaf + j] = {tile_.unit() * squared, nearest_.index(j)};
            }
            if (i >= leaf_skeleton_) offer_bridges(i, dots, bridges);
        }
    }
}

// The skeleton's members of the leaf that are nearest to member i.
void Build::offer_bridges(std::size_t i, const std::int32_t* dots, Adjacency& bridges) {
    nearest_.select(dots, tile_.norms(), leaf_skeleton_, kBridges, kNoSelf);
    for (std::size_t j = 0; j < nearest_.size(); ++j) {
        const auto squared = static_cast<float>(tile_.norms()[i] + nearest_.key(j));
        bridges.insert_sorted(position_[leaf_[i]], {tile_.unit() * squared, leaf_[nearest_.index(j)]});
    }
}

// Whether j is among the nearest of i.
bool Build::found(std::size_t i, std::size_t j) const {
    bool there = false;
    for (std::size_t at = 0; at < found_count_[i]; ++at) there |= found_[i * params_.per_leaf + at].id == j;
    return there;
}

void Build::offer_both_ways(Reservoirs& reservoirs) const {
    for (std::size_t i = 0; i < leaf_.size(); ++i) {
        const std::uint32_t row = position_[leaf_[i]];
        for (std::size_t j = 0; j < found_count_[i]; ++j) {
            const Neighbor n = found_[i * params_.per_leaf + j];
            reservoirs.offer(row, {n.distance, leaf_[n.id]});
            if (!found(n.id, i)) reservoirs.offer(position_[leaf_[n.id]], {n.distance, leaf_[i]});
        }
    }
}

void Build::merge_bridges(const Adjacency& bridges, Adjacency& lists) const {
    for (std::size_t at = 0; at < lists.rows(); ++at)
        for (const Neighbor& bridge : bridges.of(at)) lists.insert_sorted(at, bridge);
}

void Build::leaf_candidates(const Leaves& leaves, const PinnedEdges& pinned, Adjacency& lists) {
    Adjacency bridges(lists.rows(), kBridges, memory_);
    Reservoirs reservoirs(lists, std::min(params_.reservoir, Reservoirs::kept_in(lists.capacity())), memory_);
    for (std::size_t i = 0; i < leaves.count(); ++i) {
        progress_(Phase::kLeaves, i, leaves.count());
        const std::span<const std::uint32_t> leaf = leaves.leaf(i);
        leaf_.clear();
        for (const std::uint32_t row : leaf)
            if (pinned.has(position_[row])) leaf_.push_back(row);
        leaf_skeleton_ = leaf_.size();
        for (const std::uint32_t row : leaf)
            if (!pinned.has(position_[row])) leaf_.push_back(row);
        for (const std::uint32_t row : leaf_) bridges.prefetch_list(position_[row]);
        one_leaf(bridges);
        for (const std::uint32_t row : leaf_) reservoirs.prefetch(position_[row]);
        offer_both_ways(reservoirs);
    }
    for (std::size_t at = 0; at < lists.rows(); ++at) reservoirs.settle(at);
    merge_bridges(bridges, lists);
}

// For a small set: all others, sorted, are each row's candidates.
void Build::all_candidates(Adjacency& lists) {
    tile_.pack_around_mean(vectors_, rows_);
    const std::size_t n = rows_.size(), width = tile_.panel_count() * kBlockLanes;
    dots_.resize(width);
    for (std::size_t i = 0; i < n; ++i) {
        kernels().dot_tile(tile_.tile(), i, 1, tile_.tile(), tile_.panel_count(), dots_.data(), width);
        found_.clear();
        for (std::size_t j = 0; j < n; ++j) {
            if (j == i) continue;
            const auto squared = static_cast<float>(tile_.norms()[i] + tile_.norms()[j] - 2 * dots_[j]);
            found_.push_back({tile_.unit() * squared, rows_[j]});
        }
        std::sort(found_.begin(), found_.end());
        lists.assign(i, found_);
    }
}

// The row nearest to the mean.
std::uint32_t find_medoid(const VectorArray& vectors, std::pmr::memory_resource* memory) {
    std::pmr::vector<float> mean(vectors.padded, 0.0f, memory), row(vectors.padded, 0.0f, memory);
    for (std::size_t i = 0; i < vectors.count; ++i) {
        load_vector(vectors[i], vectors.padded, row.data());
        const float weight = 1.0f / static_cast<float>(i + 1);
        for (std::size_t d = 0; d < vectors.padded; ++d) mean[d] += weight * (row[d] - mean[d]);
    }
    Neighbor best{std::numeric_limits<float>::infinity(), 0};
    for (std::uint32_t i = 0; i < vectors.count; ++i)
        best = std::min(best, Neighbor{l2_squared(kernels(), mean.data(), vectors[i], vectors.padded), i});
    return best.id;
}

// Rows of the sample, the medoid among them.
std::pmr::vector<std::uint32_t> draw_sample(std::span<const std::uint32_t> rows, std::size_t count,
                                            std::uint32_t medoid, Random& random,
                                            std::pmr::memory_resource* memory) {
    std::pmr::vector<std::uint32_t> sample(rows.begin(), rows.end(), memory);
    std::iter_swap(sample.begin(), std::find(sample.begin(), sample.end(), medoid));
    random.sample_front(std::span(sample).subspan(1), count - 1);
    sample.resize(count);
    std::sort(sample.begin(), sample.end());
    return sample;
}

struct Context {
    const VectorArray& vectors;
    const BulkParams& params;
    std::pmr::memory_resource* memory;
    const Progress& progress;
    Random random;
    std::uint32_t medoid;
};

void build_rows(Context& c, std::span<const std::uint32_t> rows, Adjacency& lists,
                std::pmr::vector<std::uint32_t>* order);

// Builds a sample of the rows into `lists`, and notes each one's list in `slot`.
void build_skeleton(Context& c, std::span<const std::uint32_t> rows, std::span<const std::uint32_t> position,
                    Adjacency& lists, std::span<std::uint32_t> slot) {
    const std::size_t count = std::max(rows.size() / c.params.sample_ratio, kSmall);
    const std::pmr::vector<std::uint32_t> sample = draw_sample(rows, count, c.medoid, c.random, c.memory);
    build_rows(c, sample, lists, nullptr);
    for (std::uint32_t i = 0; i < count; ++i) slot[position[sample[i]]] = i;
}

// Cuts a row's skeleton edges to half the degree. Half of those, where there are as many, are longer than the
// row's candidates `near`: out of a tight cluster only they lead. The others are the skeleton's own
// neighbourhood, where further long edges start.
void choose_pinned(const BulkParams& params, std::span<const Neighbor> near, Adjacency& skeleton,
                   std::size_t slot) {
    const std::span<Neighbor> list = skeleton.edit(slot);
    const std::size_t room = params.degree / 2;
    const float reach = near.empty() ? 0 : params.alpha * near.back().distance;
    std::sort(list.begin(), list.end());
    const auto first_long = std::upper_bound(list.begin(), list.end(), Neighbor{reach, kNoNode});
    const auto short_count = static_cast<std::size_t>(first_long - list.begin());
    const std::size_t long_count = list.size() - short_count;
    const std::size_t short_kept =
        std::min(short_count, std::max(room / 2, room - std::min(room, long_count)));
    const std::size_t long_kept = std::min(long_count, room - short_kept);
    std::copy_n(first_long, long_kept, list.begin() + static_cast<std::ptrdiff_t>(short_kept));
    skeleton.truncate(slot, short_kept + long_kept);
}

void build_rows(Context& c, std::span<const std::uint32_t> rows, Adjacency& lists,
                std::pmr::vector<std::uint32_t>* order) {
    const BulkParams& params = c.params;
    const bool small = rows.size() <= kSmall;
    std::pmr::vector<std::uint32_t> position(c.vectors.count, 0, c.memory);
    for (std::uint32_t i = 0; i < rows.size(); ++i) position[rows[i]] = i;
    Adjacency skeleton(0, 0, c.memory);
    std::pmr::vector<std::uint32_t> slot(rows.size(), PinnedEdges::kNoSlot, c.memory);
    const PinnedEdges pinned{skeleton, slot};
    if (!small) build_skeleton(c, rows, position, skeleton, slot);

    const std::size_t capacity =
        small ? std::max(rows.size(), params.degree) : Reservoirs::capacity_for(params.reservoir);
    lists = Adjacency(rows.size(), capacity, c.memory);
    Build build(c.vectors, rows, params, position, c.memory, c.progress);
    std::pmr::vector<std::uint32_t> near_order(rows.begin(), rows.end(), c.memory);
    if (small) {
        build.all_candidates(lists);
    } else {
        Leaves leaves(c.memory);
        const PartitionParams partitioning{params.leaf_size, params.fan_out, 2000};
        partition(c.vectors, rows, partitioning, c.random, c.progress, leaves);
        build.leaf_candidates(leaves, pinned, lists);
        for (std::size_t at = 0; at < rows.size(); ++at)
            if (pinned.has(at)) choose_pinned(params, lists.of(at), skeleton, slot[at]);
        near_order = std::move(leaves.order);
    }
    Linker linker({c.vectors, rows, position, near_order, pinned, {params.alpha, params.degree}}, c.memory,
                  c.progress);
    linker.prune_all(lists);
    linker.add_reverse_edges(lists);
    if (order != nullptr) *order = std::move(near_order);
}

}  // namespace

void bulk_build(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
                const Progress& progress, BulkGraph& graph) {
    if (vectors.count == 0) return;
    Context context{vectors, params, memory, progress, Random(params.seed), find_medoid(vectors, memory)};
    std::pmr::vector<std::uint32_t> rows(vectors.count, memory);
    std::iota(rows.begin(), rows.end(), 0u);
    build_rows(context, rows, graph.edges, &graph.order);
    connect_all(graph.edges, params.degree, context.medoid, context.random, progress, memory);
    spanning_tree(graph.edges, context.medoid, graph.parent);
    graph.medoid = context.medoid;
}

void nearest_in_leaves(const VectorArray& vectors, const BulkParams& params,
                       std::pmr::memory_resource* memory, const Progress& progress, Adjacency& lists) {
    std::pmr::vector<std::uint32_t> rows(vectors.count, memory);
    std::iota(rows.begin(), rows.end(), 0u);
    Build build(vectors, rows, params, rows, memory, progress);
    if (rows.size() <= kSmall) return build.all_candidates(lists);
    Leaves leaves(memory);
    Random random(params.seed);
    partition(vectors, rows, {params.leaf_size, params.fan_out, 2000}, random, progress, leaves);
    build.leaf_candidates(leaves, PinnedEdges{lists, {}}, lists);
}

}  // namespace vecidx

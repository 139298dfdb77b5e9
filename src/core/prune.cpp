// RobustPrune over a packed tile. See prune.hpp.
#include "vecidx/prune.hpp"

#include <algorithm>
#include <numeric>

namespace vecidx {
namespace {

constexpr std::size_t kRowBlock = 8;

// Greater than any key of a kept candidate, small enough that no key with it overflows.
constexpr std::int32_t kFarNorm = 1 << 30;

}  // namespace

std::span<Neighbor> Pruner::measure(const VectorArray& vectors, std::span<const std::uint32_t> ids,
                                    std::size_t most) {
    center_.resize(vectors.padded);
    load_vector(vectors[0], vectors.padded, center_.data());
    members_.resize(vectors.count - 1);
    std::iota(members_.begin(), members_.end(), 1u);
    tile_.pack_nearest(vectors, members_, center_.data(), most, candidates_);
    for (Neighbor& n : candidates_) n.id = ids[n.id];
    return candidates_;
}

std::span<const Neighbor> Pruner::prune(const VectorArray& vectors, std::uint32_t x,
                                        std::span<const Neighbor> candidates, const PruneParams& params) {
    const std::size_t n = candidates.size();
    members_.resize(n);
    for (std::size_t i = 0; i < n; ++i) members_[i] = candidates[i].id;
    center_.resize(vectors.padded);
    load_vector(vectors[x], vectors.padded, center_.data());
    tile_.pack_around(vectors, members_, center_.data());
    candidates_.assign(candidates.begin(), candidates.end());
    return prune(params);
}

std::span<const Neighbor> Pruner::prune(const PruneParams& params) {
    const std::size_t n = candidates_.size(), width = tile_.panel_count() * kBlockLanes;
    dots_.resize(kRowBlock * width);
    kept_norms_.assign(width, kFarNorm);
    kept_.clear();
    for (std::size_t first = 0; first < n && kept_.size() < params.degree; first += kRowBlock) {
        const std::size_t count = std::min(kRowBlock, n - first);
        const Tile tile = tile_.tile();
        // Only what comes before a candidate can cover it.
        kernels().dot_tile(tile, first, count, tile, ceil_div(first + count, kBlockLanes), dots_.data(),
                           width);
        for (std::size_t i = first; i < first + count && kept_.size() < params.degree; ++i) {
            if (candidates_[i].id == kNoNode) continue;
            if (covered(i, dots_.data() + (i - first) * width, params.alpha)) continue;
            kept_norms_[i] = tile_.norms()[i];
            kept_.push_back({tile_.unit() * static_cast<float>(tile_.norms()[i]), candidates_[i].id});
        }
    }
    return kept_;
}

// Whether a kept candidate covers candidate t, given the dot products of t. The tile is centred at x, so a
// norm is a distance from x.
bool Pruner::covered(std::size_t t, const std::int32_t* dots, float alpha) const {
    std::int32_t minima[kMinimaLanes];
    kernels().lane_minima(dots, kept_norms_.data(), t, minima);
    std::int32_t least = minima[0];
    for (const std::int32_t m : minima) least = std::min(least, m);
    if (least > kFarNorm / 2) return false;
    const std::int32_t norm = tile_.norms()[t];
    return alpha * static_cast<float>(norm + least) <= static_cast<float>(norm);
}

}  // namespace vecidx

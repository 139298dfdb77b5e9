// RobustPrune over a packed tile. See prune.hpp.
#include "vecidx/prune.hpp"

#include <algorithm>

namespace vecidx {

std::span<const Neighbor> Pruner::prune(const VectorArray& vectors, std::uint32_t x,
                                        std::span<const Neighbor> candidates, const PruneParams& params) {
    const std::size_t n = candidates.size();
    members_.resize(n);
    for (std::size_t i = 0; i < n; ++i) members_[i] = candidates[i].id;
    center_.resize(vectors.padded);
    load_vector(vectors[x], vectors.padded, center_.data());
    tile_.pack_around(vectors, members_, center_.data());
    // Centred at x, a candidate's norm is its distance from x.
    own_.assign(tile_.norms(), tile_.norms() + n);
    dots_.resize(tile_.panel_count() * kBlockLanes);
    covered_.assign(n, 0);
    kept_.clear();
    for (std::size_t i = 0; i < n && kept_.size() < params.degree; ++i) {
        if (covered_[i] != 0) continue;
        kept_.push_back({tile_.unit() * static_cast<float>(own_[i]), candidates[i].id});
        cover(i, params.alpha);
    }
    return kept_;
}

// Marks what candidate `kept` covers.
void Pruner::cover(std::size_t kept, float alpha) {
    const Tile tile = tile_.tile();
    kernels().dot_tile(tile, kept, 1, tile, tile_.panel_count(), dots_.data(), dots_.size());
    const std::int32_t* norms = tile_.norms();
    const std::int32_t norm = norms[kept];
    const std::size_t n = tile_.size();
    for (std::size_t t = 0; t < n; ++t) {
        const auto apart = static_cast<float>(norm + norms[t] - 2 * dots_[t]);
        covered_[t] |= static_cast<std::uint8_t>(alpha * apart <= static_cast<float>(own_[t]));
    }
}

}  // namespace vecidx

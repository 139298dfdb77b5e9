// RobustPrune over packed tiles. See prune.hpp.
#include "vecidx/prune.hpp"

#include <algorithm>
#include <numeric>

namespace vecidx {
namespace {

constexpr std::size_t kRowBlock = 8;

// Greater than any key of a kept candidate, small enough that no key with it overflows.
constexpr std::int32_t kFarNorm = 1 << 30;

// Rounding to a frame's integers adds 1/12 a dimension to a squared distance; one of this much a dimension is
// good to a few per cent.
constexpr std::size_t kSharp = 4;

}  // namespace

bool Pruner::is_sharp(const PackedTile& tile, std::size_t lane) const {
    return static_cast<std::size_t>(tile.norms()[lane]) >= kSharp * center_.size();
}

std::span<Neighbor> Pruner::measure(const VectorArray& vectors, std::span<const std::uint32_t> members,
                                    std::span<const std::uint32_t> ids, std::size_t most) {
    center_.resize(vectors.padded);
    load_vector(vectors[members[0]], vectors.padded, center_.data());
    places_.resize(members.size() - 1);
    std::iota(places_.begin(), places_.end(), 1u);
    candidates_.clear();
    for (frame_count_ = 0;;) {
        members_.resize(places_.size());
        for (std::size_t i = 0; i < places_.size(); ++i) members_[i] = members[places_[i]];
        PackedTile& tile = tiles_[frame_count_];
        tile.pack_nearest(vectors, members_, center_.data(), most, near_);
        for (Neighbor& n : near_) n.id = places_[n.id];
        std::size_t first = 0;
        if (frame_count_ + 1 < kMostFrames)
            while (first < near_.size() && !is_sharp(tile, first)) ++first;
        if (first < 2 || tile.unit() == 0) first = 0;
        frames_[frame_count_++] = {first, 0};
        // The far frames' candidates follow the near ones'.
        candidates_.insert(candidates_.begin(), near_.begin() + static_cast<std::ptrdiff_t>(first),
                           near_.end());
        if (first == 0) break;
        places_.resize(first);
        for (std::size_t i = 0; i < first; ++i) places_[i] = near_[i].id;
    }
    std::size_t offset = 0;
    for (std::size_t f = frame_count_; f-- > 0;) {
        frames_[f].offset = offset;
        offset += tiles_[f].size() - frames_[f].first;
    }
    for (Neighbor& n : candidates_) n.id = ids[n.id];
    return candidates_;
}

std::span<const Neighbor> Pruner::prune(const PruneParams& params) {
    kept_.clear();
    for (std::size_t f = frame_count_; f-- > 0;) prune_frame(f, params);
    return kept_;
}

void Pruner::prune_frame(std::size_t frame, const PruneParams& params) {
    const PackedTile& packed = tiles_[frame];
    const auto [first_lane, offset] = frames_[frame];
    const std::size_t n = packed.size(), width = packed.panel_count() * kBlockLanes;
    const Tile tile = packed.tile();
    dots_.resize(kRowBlock * width);
    kept_norms_.assign(width, kFarNorm);
    for (std::size_t first = first_lane; first < n && kept_.size() < params.degree; first += kRowBlock) {
        const std::size_t count = std::min(kRowBlock, n - first);
        // Only what comes before a candidate can cover it.
        kernels().dot_tile(tile, first, count, tile, ceil_div(first + count, kBlockLanes), dots_.data(),
                           width);
        for (std::size_t i = first; i < first + count && kept_.size() < params.degree; ++i) {
            const NodeId id = candidates_[offset + i - first_lane].id;
            if (id == kNoNode) continue;
            if (covered(packed, i, dots_.data() + (i - first) * width, params.alpha)) continue;
            kept_norms_[i] = packed.norms()[i];
            kept_.push_back({packed.unit() * static_cast<float>(packed.norms()[i]), id});
        }
    }
}

// Whether a kept candidate covers candidate t, given the dot products of t. The tile is centred at x, so a
// norm is a distance from x.
bool Pruner::covered(const PackedTile& tile, std::size_t t, const std::int32_t* dots, float alpha) const {
    std::int32_t minima[kMinimaLanes];
    kernels().lane_minima(dots, kept_norms_.data(), t, minima);
    std::int32_t least = minima[0];
    for (const std::int32_t m : minima) least = std::min(least, m);
    if (least > kFarNorm / 2) return false;
    const std::int32_t norm = tile.norms()[t];
    return alpha * static_cast<float>(norm + least) <= static_cast<float>(norm);
}

}  // namespace vecidx

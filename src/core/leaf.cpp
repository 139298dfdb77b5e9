// All pairs of a leaf. See leaf.hpp.
#include "vecidx/leaf.hpp"

#include <algorithm>
#include <functional>
#include <limits>

namespace vecidx {
namespace {

constexpr std::size_t kRowBlock = 8;
constexpr std::size_t kMostLeafIds = 64;
constexpr std::size_t kNearBridges = 2;
constexpr std::size_t kSpread = 16;  // of the skeleton's members in a leaf

}  // namespace

void LeafCandidates::compare_cell(std::size_t turn) {
    const std::uint32_t cell = level_.turn[turn];
    const std::span<std::uint32_t> members = level_.members_of(cell);
    window_.use(members.data(), members.size_bytes());
    cell_.assign(members.begin(), members.end());
    std::sort(cell_.begin(), cell_.end());
    Random random(level_.params.seed + cell);
    splitter_.split(cell_, random, [&](std::span<const std::uint32_t> leaf) {
        progress_(phase_, turn, level_.state->cells);
        compare_leaf(leaf);
    });
}

void LeafCandidates::compare_leaf(std::span<const std::uint32_t> members) {
    if (!gather(members)) return;
    tile_.pack_around_mean(vectors_.array(), vectors_.members());
    find_nearest();
    turn_around();
    write_slots();
}

// Orders the members: of the skeleton, then others; those that are not settled together in the middle. False
// when all are settled.
bool LeafCandidates::gather(std::span<const std::uint32_t> members) {
    const unsigned shift = level_.choice_bits();
    const auto in_skeleton = [&](std::uint32_t m) {
        window_.use(level_.slot + (m >> shift), sizeof(std::uint32_t));
        return level_.slot[m >> shift] != Level::kNoSlot;
    };
    const auto settled = [&](std::uint32_t m) { return level_.settled[m >> shift] != kFresh; };
    members_.assign(members.begin(), members.end());
    const auto others = std::stable_partition(members_.begin(), members_.end(), in_skeleton);
    const auto fresh = std::stable_partition(members_.begin(), others, settled);
    const auto end = std::stable_partition(others, members_.end(), std::not_fn(settled));
    skeleton_ = static_cast<std::size_t>(others - members_.begin());
    first_fresh_ = static_cast<std::size_t>(fresh - members_.begin());
    end_fresh_ = static_cast<std::size_t>(end - members_.begin());
    if (first_fresh_ == end_fresh_) return false;
    rows_.resize(members_.size());
    for (std::size_t i = 0; i < members_.size(); ++i) rows_[i] = members_[i] >> shift;
    vectors_.gather(level_.vectors(), rows_, window_);
    return true;
}

void LeafCandidates::find_nearest() {
    const Kernels& k = kernels();
    const std::size_t n = rows_.size(), few = level_.params.per_leaf;
    most_forward_ = end_fresh_ - first_fresh_ < n ? few + few / 2 : few;
    const std::size_t width = tile_.panel_count() * kBlockLanes;
    const std::int32_t* norms = tile_.norms();
    dots_.resize(kRowBlock * width);
    forward_.resize(n * most_forward_);
    forward_count_.assign(n, 0);
    for (std::size_t first = first_fresh_; first < end_fresh_; first += kRowBlock) {
        const std::size_t count = std::min(kRowBlock, end_fresh_ - first);
        k.dot_tile(tile_.tile(), first, count, tile_.tile(), tile_.panel_count(), dots_.data(), width);
        for (std::size_t i = first; i < first + count; ++i) {
            const std::int32_t* dots = dots_.data() + (i - first) * width;
            nearest_.select(dots, norms, n, most_forward_, i);
            forward_count_[i] = static_cast<std::uint8_t>(nearest_.size());
            for (std::size_t j = 0; j < nearest_.size(); ++j)
                forward_[i * most_forward_ + j] = {static_cast<float>(norms[i] + nearest_.key(j)),
                                                   nearest_.index(j)};
            if (level_.member(rows_[i], 0) == members_[i]) write_bridges(i, dots);
        }
    }
}

// Members of the skeleton in the leaf, unless member i is one itself: the nearest, and the nearest of a few
// that are spread over the leaf. In a tight cluster the former are of the cluster, the latter lead out of it.
void LeafCandidates::write_bridges(std::size_t i, const std::int32_t* dots) {
    std::uint32_t* bridges = level_.bridges + rows_[i] * kBridges;
    window_.use_to_write(bridges, kBridges * sizeof(std::uint32_t));
    std::fill_n(bridges, kBridges, kNoNode);
    if (i < skeleton_) return;
    nearest_.select(dots, tile_.norms(), skeleton_, kNearBridges, kNoSelf);
    for (std::size_t j = 0; j < nearest_.size(); ++j) bridges[j] = rows_[nearest_.index(j)];
    const std::size_t step = std::max<std::size_t>(skeleton_ / kSpread, 1);
    constexpr std::size_t kFar = kBridges - kNearBridges;
    std::uint32_t* far = bridges + kNearBridges;
    std::int32_t keys[kFar];
    std::fill_n(keys, kFar, std::numeric_limits<std::int32_t>::max());
    for (std::size_t j = i % step; j < skeleton_; j += step) {
        const std::int32_t key = tile_.norms()[j] - 2 * dots[j];
        if (std::find(bridges, far, rows_[j]) != far || key >= keys[kFar - 1]) continue;
        std::size_t place = kFar - 1;
        for (; place > 0 && key < keys[place - 1]; --place) {
            keys[place] = keys[place - 1];
            far[place] = far[place - 1];
        }
        keys[place] = key;
        far[place] = rows_[j];
    }
}

bool LeafCandidates::is_forward(std::size_t i, std::size_t j) const {
    bool there = false;
    const Neighbor* list = forward_.data() + i * most_forward_;
    for (std::size_t at = 0; at < forward_near(i); ++at) there |= list[at].id == j;
    return there;
}

// Fills backward_ with those that have a member among their nearest but are not among its own.
void LeafCandidates::turn_around() {
    const std::size_t n = rows_.size(), few = level_.params.per_leaf;
    backward_.resize(n * few);
    backward_count_.assign(n, 0);
    for (auto i = static_cast<std::uint32_t>(first_fresh_); i < end_fresh_; ++i) {
        for (std::size_t at = 0; at < forward_near(i); ++at) {
            const Neighbor& to = forward_[i * most_forward_ + at];
            if (is_forward(to.id, i)) continue;
            Neighbor* list = backward_.data() + to.id * few;
            std::size_t size = backward_count_[to.id];
            const Neighbor from{to.distance, i};
            if (size == few) {
                if (!(from < list[few - 1])) continue;
                --size;
            }
            std::size_t place = size;
            for (; place > 0 && from < list[place - 1]; --place) list[place] = list[place - 1];
            list[place] = from;
            backward_count_[to.id] = static_cast<std::uint8_t>(size + 1);
        }
    }
}

void LeafCandidates::write_slots() {
    const std::size_t few = level_.params.per_leaf, ids = Level::leaf_ids(level_.params);
    const std::uint32_t choice_mask = (1U << level_.choice_bits()) - 1;
    std::uint32_t slot[kMostLeafIds];
    for (std::size_t i = first_fresh_; i < end_fresh_; ++i) {
        const Neighbor* forward = forward_.data() + i * most_forward_;
        std::size_t size = 0;
        for (std::size_t at = 0; at < forward_near(i); ++at) slot[size++] = rows_[forward[at].id];
        for (std::size_t at = 0; at < backward_count_[i]; ++at)
            slot[size++] = rows_[backward_[i * few + at].id];
        for (std::size_t at = few; at < forward_count_[i] && size < ids; ++at)
            slot[size++] = rows_[forward[at].id];
        std::fill(slot + size, slot + ids, kNoNode);
        std::byte* place = level_.leaf_slot(rows_[i], members_[i] & choice_mask);
        window_.copy_in(place, slot, ids * sizeof(std::uint32_t));
    }
}

}  // namespace vecidx

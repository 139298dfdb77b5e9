// Linking: pruned lists, reverse edges, the tree. See link.hpp.
#include "vecidx/link.hpp"

#include <algorithm>

#include "vecidx/team.hpp"

namespace vecidx {
namespace {

// Most candidates that a prune of incoming edges looks at: a hub may have thousands.
constexpr std::size_t kMostIncoming = 256;

}  // namespace

void Linker::collect_ids(const std::uint32_t* ids, std::size_t count, std::uint32_t row) {
    for (std::size_t i = 0; i < count; ++i)
        if (ids[i] != kNoNode && ids[i] != row && seen_.insert(ids[i])) ids_.push_back(ids[i]);
}

// The row's candidates, each once: of its leaves and bridges, or, where the level is small, all rows.
void Linker::collect(std::uint32_t row) {
    ids_.assign(1, row);
    if (level_.is_small()) {
        for (std::uint32_t i = 0; i < level_.rows(); ++i)
            if (i != row) ids_.push_back(i);
        return;
    }
    seen_.clear();
    slots_.resize(level_.state->fan_out * Level::leaf_ids(level_.params));
    std::memcpy(slots_.data(), level_.leaf_slot(row, 0), slots_.size() * sizeof(std::uint32_t));
    collect_ids(slots_.data(), slots_.size(), row);
    window_.use(level_.bridges + row * kBridges, kBridges * sizeof(std::uint32_t));
    collect_ids(level_.bridges + row * kBridges, kBridges, row);
}

std::span<Neighbor> Linker::measure_ids(std::size_t most) {
    vectors_.gather(level_.vectors(), ids_, window_);
    return pruner_.measure(vectors_.array(), vectors_.members(), ids_, most);
}

// Chooses the skeleton's edges that stay: those of its tree, and others up to half the degree. Half of those,
// where there are as many, are longer than the row's candidates `near`: out of a tight cluster only they
// lead. The others are the skeleton's own neighbourhood, where further long edges start.
void Linker::choose_pins(std::uint32_t row, std::span<const Neighbor> near) {
    pins_.clear();
    const std::uint32_t slot = level_.slot[row];
    if (slot == Level::kNoSlot) return;
    const std::span<const Neighbor> edges = skeleton_->edges().of(slot);
    merged_.assign(edges.begin(), edges.end());
    std::sort(merged_.begin(), merged_.end());
    const std::size_t room = level_.params.degree / 2;
    const float reach = near.empty() ? 0 : level_.params.alpha * near.back().distance;
    const auto first_long = static_cast<std::size_t>(
        std::upper_bound(merged_.begin(), merged_.end(), Neighbor{reach, kNoNode}) - merged_.begin());
    const std::size_t longs = merged_.size() - first_long;
    const std::size_t shorts_kept = std::min(first_long, std::max(room / 2, room - std::min(room, longs)));
    const std::size_t longs_kept = std::min(longs, room - shorts_kept);
    for (std::size_t i = 0; i < merged_.size(); ++i) {
        const bool chosen = i < shorts_kept || (i >= first_long && i < first_long + longs_kept);
        if (chosen || skeleton_->parent[merged_[i].id] == slot)
            pins_.push_back({merged_[i].distance, skeleton_->source[merged_[i].id]});
    }
}

// Writes the first `pins` of kept_ and then what the prune of the measured candidates keeps.
void Linker::keep(std::uint32_t row, std::size_t pins) {
    const std::span<const Neighbor> kept = pruner_.prune({level_.params.alpha, level_.params.degree - pins});
    kept_.resize(pins);
    kept_.insert(kept_.end(), kept.begin(), kept.end());
    level_.edges().assign(row, kept_);
}

void Linker::start_seen(std::span<const Neighbor> list) {
    seen_.clear();
    for (const Neighbor& n : list) seen_.insert(n.id);
}

std::span<Neighbor> Linker::measure(std::uint32_t row) {
    window_.use(level_.list_data + row * level_.stride, level_.stride);
    collect(row);
    return measure_ids(level_.is_small() ? kAllPairs : level_.params.candidates);
}

void Linker::prune_row(std::uint32_t row) {
    const std::span<Neighbor> near = measure(row);
    choose_pins(row, near);
    if (!pins_.empty()) {
        start_seen(pins_);
        for (Neighbor& n : near)
            if (seen_.contains(n.id)) n.id = kNoNode;
    }
    kept_.assign(pins_.begin(), pins_.end());
    keep(row, pins_.size());
    level_.pinned[row] = static_cast<std::uint16_t>(pins_.size());
    const std::uint32_t slot = level_.slot[row];
    if (slot != Level::kNoSlot)
        level_.parent[row] = skeleton_->source[skeleton_->parent[slot]];
    else
        level_.parent[row] = row == level_.state->medoid ? row : kNoNode;
    for (const Neighbor& n : level_.edges().of(row)) {
        window_.use_to_write(level_.incoming_end + n.id + 1, sizeof(std::uint64_t));
        add_shared(level_.incoming_end[n.id + 1], std::uint64_t{1});
    }
}

void Linker::send(std::uint32_t row) {
    window_.use(level_.list_data + row * level_.stride, level_.stride);
    for (const Neighbor& n : level_.edges().of(row)) {
        window_.use_to_write(level_.incoming_end + n.id + 1, sizeof(std::uint64_t));
        Neighbor* place = level_.incoming + add_shared(level_.incoming_end[n.id + 1], std::uint64_t{1});
        window_.use_to_write(place, sizeof(Neighbor));
        *place = {n.distance, row};
    }
}

void Linker::take_incoming(std::uint32_t row) {
    const std::uint64_t* end = level_.incoming_end + row;
    if (end[0] == end[1]) return;
    window_.use(level_.list_data + row * level_.stride, level_.stride);
    window_.use(level_.incoming + end[0], (end[1] - end[0]) * sizeof(Neighbor));
    const Lists lists = level_.edges();
    const std::span<const Neighbor> own = lists.of(row);
    start_seen(own);
    merged_.clear();
    for (std::uint64_t i = end[0]; i < end[1]; ++i)
        if (seen_.insert(level_.incoming[i].id)) merged_.push_back(level_.incoming[i]);
    if (own.size() + merged_.size() <= level_.params.degree) {
        std::sort(merged_.begin(), merged_.end());  // workers send in any order
        for (const Neighbor& n : merged_) lists.append(row, n);
        return;
    }
    if (merged_.size() > kMostIncoming) {
        std::nth_element(merged_.begin(), merged_.begin() + kMostIncoming, merged_.end());
        merged_.resize(kMostIncoming);
    }
    const std::size_t pins = level_.pinned[row];
    kept_.assign(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(pins));
    ids_.assign(1, row);
    for (const Neighbor& n : own.subspan(pins)) ids_.push_back(n.id);
    const auto first_incoming = static_cast<std::ptrdiff_t>(ids_.size());
    for (const Neighbor& n : merged_) ids_.push_back(n.id);
    std::sort(ids_.begin() + first_incoming, ids_.end());
    measure_ids(kMostIncoming);
    keep(row, pins);
}

void grow_trees(const Lists& lists, std::size_t first, std::size_t count, std::span<std::uint32_t> parent,
                std::pmr::memory_resource* memory) {
    struct Reached {
        Neighbor edge;
        std::uint32_t from;
    };
    const auto farther = [](const Reached& a, const Reached& b) { return b.edge < a.edge; };
    std::pmr::vector<Reached> heap(memory);
    std::pmr::vector<float> nearest(count, std::numeric_limits<float>::infinity(), memory);
    const auto offer_edges = [&](std::uint32_t row) {
        for (const Neighbor& n : lists.of(row)) {
            const std::size_t at = n.id - first;  // wraps below `first`
            if (at >= count || parent[n.id] != kNoNode || !(n.distance < nearest[at])) continue;
            nearest[at] = n.distance;
            heap.push_back({n, row});
            std::push_heap(heap.begin(), heap.end(), farther);
        }
    };
    for (std::size_t i = 0; i < count; ++i) {
        const auto row = static_cast<std::uint32_t>(first + i);
        if (parent[row] != kNoNode) offer_edges(row);
    }
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end(), farther);
        const Reached next = heap.back();
        heap.pop_back();
        if (parent[next.edge.id] != kNoNode) continue;
        parent[next.edge.id] = next.from;
        offer_edges(next.edge.id);
    }
}

namespace {

// Where an edge may go in a reached row's list: a free lane, or that of the farthest edge which the tree does
// without. The list's capacity when there is none.
std::size_t lane_for(const Lists& lists, std::span<const std::uint32_t> parent, std::uint32_t host,
                     std::size_t degree) {
    const std::span<const Neighbor> list = lists.of(host);
    if (list.size() < degree) return list.size();
    std::size_t best = lists.capacity();
    for (std::size_t lane = 0; lane < list.size(); ++lane) {
        if (parent[list[lane].id] == host) continue;
        if (best == lists.capacity() || list[best] < list[lane]) best = lane;
    }
    return best;
}

// A reached row that can take an edge to `row`: the nearest of its own neighbours, else any. There is one:
// the tree has fewer edges than reached rows.
Neighbor find_host(const Lists& lists, std::span<const std::uint32_t> parent, std::uint32_t row,
                   std::size_t degree, Random& random) {
    const auto takes = [&](std::uint32_t host) {
        return parent[host] != kNoNode && lane_for(lists, parent, host, degree) < lists.capacity();
    };
    Neighbor best{std::numeric_limits<float>::infinity(), kNoNode};
    for (const Neighbor& n : lists.of(row))
        if (n < best && takes(n.id)) best = n;
    if (best.id != kNoNode) return best;
    const auto count = static_cast<std::uint32_t>(lists.rows());
    std::uint32_t at = random.below(count);
    while (!takes(at)) at = (at + 1) % count;
    return {std::numeric_limits<float>::max(), at};
}

}  // namespace

void connect_rest(const Lists& lists, std::size_t degree, Random& random, std::span<std::uint32_t> parent,
                  Window& window, std::pmr::memory_resource* memory) {
    const auto rows = static_cast<std::uint32_t>(lists.rows());
    std::pmr::vector<std::uint32_t> reached(memory);
    const auto spread = [&](std::uint32_t from) {
        reached.assign(1, from);
        while (!reached.empty()) {
            const std::uint32_t row = reached.back();
            reached.pop_back();
            window.use(lists.of(row).data(), lists.of(row).size_bytes());
            for (const Neighbor& n : lists.of(row)) {
                if (parent[n.id] != kNoNode) continue;
                parent[n.id] = row;
                reached.push_back(n.id);
            }
        }
    };
    if (std::find(parent.begin(), parent.end(), kNoNode) == parent.end()) return;
    for (std::uint32_t row = 0; row < rows; ++row)
        if (parent[row] != kNoNode) spread(row);
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (parent[row] != kNoNode) continue;
        const Neighbor host = find_host(lists, parent, row, degree, random);
        const std::size_t lane = lane_for(lists, parent, host.id, degree);
        const Neighbor edge{host.distance, row};
        if (lane < lists.of(host.id).size())
            lists.edit(host.id)[lane] = edge;
        else
            lists.append(host.id, edge);
        parent[row] = host.id;
        spread(row);
    }
}

}  // namespace vecidx

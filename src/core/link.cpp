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
            if (i != row && level_.settled[i] != kBuried) ids_.push_back(i);
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
    if (level_.settled[row] != kFresh) return;
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
    if (level_.state->settled != 0)
        level_.parent[row] = kNoNode;  // the tree grows from the settled rows
    else if (slot != Level::kNoSlot)
        level_.parent[row] = skeleton_->source[skeleton_->parent[slot]];
    else
        level_.parent[row] = row == level_.state->medoid ? row : kNoNode;
    for (const Neighbor& n : level_.edges().of(row)) {
        window_.use_to_write(level_.incoming_end + n.id + 1, sizeof(std::uint64_t));
        add_shared(level_.incoming_end[n.id + 1], std::uint64_t{1});
    }
}

void Linker::send(std::uint32_t row) {
    if (level_.settled[row] != kFresh) return;
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
std::size_t lane_for(const Tree& tree, std::uint32_t host) {
    const std::span<const Neighbor> list = tree.lists.of(host);
    if (list.size() < tree.degree) return list.size();
    std::size_t best = tree.lists.capacity();
    for (std::size_t lane = 0; lane < list.size(); ++lane) {
        if (tree.parent[list[lane].id] == host) continue;
        if (best == tree.lists.capacity() || list[best] < list[lane]) best = lane;
    }
    return best;
}

// A reached row that can take an edge to `row`: the nearest of its own neighbours, else any. There is one:
// the tree has fewer edges than reached rows.
Neighbor find_host(const Tree& tree, std::uint32_t row, Random& random) {
    const auto takes = [&](std::uint32_t host) {
        return tree.parent[host] != kNoNode && !tree.is_buried(host) &&
               lane_for(tree, host) < tree.lists.capacity();
    };
    Neighbor best{std::numeric_limits<float>::infinity(), kNoNode};
    for (const Neighbor& n : tree.lists.of(row))
        if (n < best && takes(n.id)) best = n;
    if (best.id != kNoNode) return best;
    const auto count = static_cast<std::uint32_t>(tree.lists.rows());
    std::uint32_t at = random.below(count);
    while (!takes(at)) at = (at + 1) % count;
    return {std::numeric_limits<float>::max(), at};
}

// Gives rows a parent among their own neighbors, as far as one that has a parent leads back. True when none
// is left without.
bool attach_to_neighbors(const Tree& tree, Window& window, std::pmr::memory_resource* memory) {
    std::pmr::vector<std::uint32_t> left(memory);
    for (std::uint32_t row = 0; row < tree.parent.size(); ++row)
        if (tree.parent[row] == kNoNode) left.push_back(row);
    const auto leads_back = [&](std::uint32_t from, std::uint32_t row) {
        const std::span<const Neighbor> list = tree.lists.of(from);
        window.use(list.data(), list.size_bytes());
        return std::any_of(list.begin(), list.end(), [row](const Neighbor& n) { return n.id == row; });
    };
    const auto attach = [&](std::uint32_t row) {
        for (const Neighbor& n : tree.lists.of(row)) {
            if (tree.parent[n.id] == kNoNode || tree.is_buried(n.id) || !leads_back(n.id, row)) continue;
            tree.parent[row] = n.id;
            return true;
        }
        return false;
    };
    for (std::size_t before = left.size() + 1; !left.empty() && left.size() < before;) {
        before = left.size();
        left.erase(std::remove_if(left.begin(), left.end(), attach), left.end());
    }
    return left.empty();
}

}  // namespace

void connect_rest(const Tree& tree, Random& random, Window& window, std::pmr::memory_resource* memory) {
    if (attach_to_neighbors(tree, window, memory)) return;
    const Lists& lists = tree.lists;
    const auto rows = static_cast<std::uint32_t>(lists.rows());
    std::pmr::vector<std::uint32_t> reached(memory);
    const auto spread = [&](std::uint32_t from) {
        reached.assign(1, from);
        while (!reached.empty()) {
            const std::uint32_t row = reached.back();
            reached.pop_back();
            window.use(lists.of(row).data(), lists.of(row).size_bytes());
            for (const Neighbor& n : lists.of(row)) {
                if (tree.parent[n.id] != kNoNode) continue;
                tree.parent[n.id] = row;
                reached.push_back(n.id);
            }
        }
    };
    for (std::uint32_t row = 0; row < rows; ++row)
        if (tree.parent[row] != kNoNode) spread(row);
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (tree.parent[row] != kNoNode) continue;
        const Neighbor host = find_host(tree, row, random);
        const std::size_t lane = lane_for(tree, host.id);
        const Neighbor edge{host.distance, row};
        if (lane < lists.of(host.id).size())
            lists.edit(host.id)[lane] = edge;
        else
            lists.append(host.id, edge);
        tree.parent[row] = host.id;
        spread(row);
    }
}

}  // namespace vecidx

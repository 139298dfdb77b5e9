// Linking: pruned lists, reverse edges, reachability. See link.hpp.
#include "vecidx/link.hpp"

#include <algorithm>
#include <numeric>

namespace vecidx {
namespace {

constexpr std::size_t kReportEvery = 256;

// Most candidates that one prune looks at: a hub may have thousands of incoming edges.
constexpr std::size_t kMostCandidates = 256;

}  // namespace

// Prunes merged_ (sorted candidates) into the edges of the row at `at`.
void Linker::prune_one(Adjacency& lists, std::size_t at) {
    const std::span<const Neighbor> pinned = in_.pinned.of(at);
    const PruneParams params{in_.params.alpha, in_.params.degree - pinned.size()};
    const std::span<const Neighbor> kept = pruner_.prune(in_.vectors, in_.rows[at], merged_, params);
    kept_.assign(pinned.begin(), pinned.end());
    kept_.insert(kept_.end(), kept.begin(), kept.end());
    lists.assign(at, kept_);
}

void Linker::prune_all(Adjacency& lists) {
    for (std::size_t i = 0; i < in_.order.size(); ++i) {
        if (i % kReportEvery == 0) progress_(Phase::kPrune, i, in_.order.size());
        const std::size_t at = in_.position[in_.order[i]];
        const std::span<const Neighbor> pinned = in_.pinned.of(at), candidates = lists.of(at);
        merged_.clear();
        if (pinned.empty()) {
            merged_.assign(candidates.begin(), candidates.end());
        } else {
            start_seen(pinned);
            for (const Neighbor& n : candidates)
                if (seen_.insert(n.id)) merged_.push_back(n);
        }
        prune_one(lists, at);
    }
}

void Linker::start_seen(std::span<const Neighbor> list) {
    seen_.clear();
    for (const Neighbor& n : list) seen_.insert(n.id);
}

void Linker::take_reverse(Adjacency& lists, std::size_t at, std::span<const Neighbor> incoming) {
    const std::span<const Neighbor> own = lists.of(at);
    start_seen(own);
    merged_.clear();
    for (const Neighbor& n : incoming)
        if (seen_.insert(n.id)) merged_.push_back(n);
    if (own.size() + merged_.size() <= in_.params.degree) {
        for (const Neighbor& n : merged_) lists.append(at, n);
        return;
    }
    merged_.insert(merged_.end(), own.begin() + static_cast<std::ptrdiff_t>(in_.pinned.of(at).size()),
                   own.end());
    sort_.sort_front(merged_, kMostCandidates);
    if (merged_.size() > kMostCandidates) merged_.resize(kMostCandidates);
    prune_one(lists, at);
}

void Linker::add_reverse_edges(Adjacency& lists) {
    const std::size_t n = in_.rows.size();
    std::pmr::vector<std::size_t> offsets(n + 1, 0, memory_);
    for (std::size_t at = 0; at < n; ++at)
        for (const Neighbor& e : lists.of(at)) ++offsets[in_.position[e.id] + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    std::pmr::vector<Neighbor> incoming(offsets[n], memory_);
    std::pmr::vector<std::size_t> fill(offsets.begin(), offsets.end() - 1, memory_);
    for (std::size_t at = 0; at < n; ++at)
        for (const Neighbor& e : lists.of(at))
            incoming[fill[in_.position[e.id]]++] = {e.distance, in_.rows[at]};
    for (std::size_t i = 0; i < n; ++i) {
        if (i % kReportEvery == 0) progress_(Phase::kReverse, i, n);
        const std::size_t at = in_.position[in_.order[i]];
        take_reverse(lists, at, std::span(incoming).subspan(offsets[at], offsets[at + 1] - offsets[at]));
    }
}

namespace {

// What can be reached from the root, as a tree: each row but the root by one edge from its parent.
class Reach {
  public:
    Reach(const Adjacency& lists, std::pmr::memory_resource* memory)
        : lists_(lists), parents_(lists.rows(), kNoNode, memory), order_(memory) {}

    // Adds everything that can be reached from `row`, which is reached from `parent`.
    void spread(std::uint32_t row, std::uint32_t parent) {
        std::size_t at = order_.size();
        parents_[row] = parent;
        for (order_.push_back(row); at < order_.size(); ++at)
            for (const Neighbor& n : lists_.of(order_[at])) {
                if (reached(n.id)) continue;
                parents_[n.id] = order_[at];
                order_.push_back(n.id);
            }
    }

    bool reached(std::uint32_t row) const { return parents_[row] != kNoNode; }
    std::uint32_t parent(std::uint32_t row) const { return parents_[row]; }
    // Rows in the order in which they were reached.
    std::span<const std::uint32_t> order() const { return order_; }

  private:
    const Adjacency& lists_;
    std::pmr::vector<std::uint32_t> parents_;
    std::pmr::vector<std::uint32_t> order_;
};

// Where an edge may go in a reached row's list: a free lane, or that of the farthest edge which the tree does
// without. The list's capacity when there is none.
std::size_t lane_for(const Adjacency& lists, const Reach& reach, std::uint32_t host, std::size_t degree) {
    const std::span<const Neighbor> list = lists.of(host);
    if (list.size() < degree) return list.size();
    std::size_t best = lists.capacity();
    for (std::size_t lane = 0; lane < list.size(); ++lane) {
        if (reach.parent(list[lane].id) == host) continue;
        if (best == lists.capacity() || list[best] < list[lane]) best = lane;
    }
    return best;
}

// A reached row that can take an edge to `row`: the nearest of its own neighbours, else any. There is one:
// the tree has fewer edges than reached rows.
Neighbor find_host(const Adjacency& lists, const Reach& reach, std::uint32_t row, std::size_t degree,
                   Random& random) {
    const auto takes = [&](std::uint32_t host) {
        return lane_for(lists, reach, host, degree) < lists.capacity();
    };
    Neighbor best{std::numeric_limits<float>::infinity(), kNoNode};
    for (const Neighbor& n : lists.of(row))
        if (n < best && reach.reached(n.id) && takes(n.id)) best = n;
    if (best.id != kNoNode) return best;
    const std::span<const std::uint32_t> order = reach.order();
    const auto count = static_cast<std::uint32_t>(order.size());
    std::uint32_t at = random.below(count);
    while (!takes(order[at])) at = (at + 1) % count;
    return {std::numeric_limits<float>::max(), order[at]};
}

}  // namespace

void connect_all(Adjacency& lists, std::size_t degree, std::uint32_t root, Random& random,
                 const Progress& progress, std::pmr::memory_resource* memory) {
    Reach reach(lists, memory);
    reach.spread(root, root);
    const std::size_t rows = lists.rows();
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (row % kReportEvery == 0) progress(Phase::kRepair, row, rows);
        if (reach.reached(row)) continue;
        const Neighbor host = find_host(lists, reach, row, degree, random);
        const std::size_t lane = lane_for(lists, reach, host.id, degree);
        const Neighbor edge{host.distance, row};
        if (lane < lists.of(host.id).size())
            lists.edit(host.id)[lane] = edge;
        else
            lists.append(host.id, edge);
        reach.spread(row, host.id);
    }
}

void spanning_tree(const Adjacency& lists, std::uint32_t root, std::pmr::vector<std::uint32_t>& parent) {
    std::pmr::memory_resource* memory = parent.get_allocator().resource();
    const std::size_t rows = lists.rows();
    const auto farther = [](const Neighbor& a, const Neighbor& b) { return b < a; };
    std::pmr::vector<float> nearest(rows, std::numeric_limits<float>::infinity(), memory);
    std::pmr::vector<std::uint8_t> reached(rows, 0, memory);
    std::pmr::vector<Neighbor> edge_of(memory);  // a heap of rows by the shortest edge that leads to them
    parent.assign(rows, kNoNode);
    edge_of.push_back({0, root});
    while (!edge_of.empty()) {
        std::pop_heap(edge_of.begin(), edge_of.end(), farther);
        const NodeId row = edge_of.back().id;
        edge_of.pop_back();
        if (reached[row] != 0) continue;
        reached[row] = 1;
        for (const Neighbor& n : lists.of(row)) {
            const bool found = parent[n.id] != kNoNode;
            if (reached[n.id] != 0 || (found && !(n.distance < nearest[n.id]))) continue;
            nearest[n.id] = n.distance;
            parent[n.id] = row;
            edge_of.push_back(n);
            std::push_heap(edge_of.begin(), edge_of.end(), farther);
        }
    }
}

}  // namespace vecidx

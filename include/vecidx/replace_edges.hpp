// Giving a node another set of edges with few changes to its bytes, which are what is logged: edges that stay
// keep their lanes, new ones take the lanes of those that go.
#pragma once

#include <algorithm>
#include <span>

#include "vecidx/node.hpp"

namespace vecidx {

// Whether a node's edges lead to exactly the `wanted` nodes (distinct, sorted).
inline bool leads_to(const ConstNode& node, std::span<const NodeId> wanted) {
    const std::span<const NodeId> ids = node.neighbors();
    return ids.size() == wanted.size() && std::all_of(ids.begin(), ids.end(), [&](NodeId id) {
               return std::binary_search(wanted.begin(), wanted.end(), id);
           });
}

// Makes a node lead to the `wanted` nodes (distinct, sorted, at most R). `edge_to(id)` gives an edge that is
// new. Edges that stay keep their pin; new ones have none.
template <typename EdgeTo>
void replace_edges(const Node& node, std::span<const NodeId> wanted, EdgeTo edge_to) {
    const auto stays = [&](std::size_t lane) {
        return std::binary_search(wanted.begin(), wanted.end(), node.ids()[lane]);
    };
    std::size_t lane = 0;
    const std::size_t degree = node.degree();
    for (const NodeId id : wanted) {
        const std::span<const NodeId> ids(node.ids(), degree);
        if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
        while (lane < degree && stays(lane)) ++lane;
        if (lane == degree) node.header().degree++;
        node.write_edge(lane < degree ? lane++ : node.degree() - 1u, edge_to(id));
    }
    for (std::size_t last = node.degree(); lane < last;) {
        if (stays(lane)) {
            ++lane;
            continue;
        }
        --last;
        if (lane != last) node.move_edge(last, lane);
        node.header().degree = static_cast<std::uint16_t>(last);
    }
}

}  // namespace vecidx

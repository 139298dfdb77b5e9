// The vocabulary of the calm floor: node ids, metrics, half-precision storage and small arithmetic.
// Everything in include/vecidx and src/core uses the standard library only: no Postgres, no exceptions,
// no default-heap containers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

namespace vecidx {

// A node of a graph. On disk an id is arithmetic: block * nodes_per_page + slot.
using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = std::numeric_limits<NodeId>::max();

// IEEE 754 binary16, as stored. Arithmetic happens in float: see Kernels::to_f16 and from_f16.
using f16 = std::uint16_t;

// What ORDER BY orders by. The graph itself always lives in squared Euclidean space (see space.hpp).
enum class Metric : std::uint8_t { kL2 = 0, kInnerProduct = 1, kCosine = 2, kL1 = 3 };

// A node and how far it is from the query at hand (squared L2, possibly estimated).
struct Neighbor {
    float distance;
    NodeId id;

    // Total order: by distance, ties by id, so that results do not depend on the order of arrival.
    friend constexpr bool operator<(const Neighbor& a, const Neighbor& b) {
        return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
    }
    friend constexpr bool operator==(const Neighbor&, const Neighbor&) = default;
};

template <typename T>
constexpr T round_up(T value, T multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

template <typename T>
constexpr T ceil_div(T value, T divisor) {
    return (value + divisor - 1) / divisor;
}

}  // namespace vecidx

// Adding an edge to a node that has others, from what the node itself holds: no other node is read. Distances
// among the neighbors are estimated from their codes, with RobustPrune's rule:
//
//   x is left out when a nearer neighbor v covers it: alpha d(x, v) <= d(p, x);
//   otherwise farther neighbors that x covers make room: alpha d(x, v) <= d(p, v);
//   with no room still, x takes the place of the farthest neighbor if it is nearer.
//
// Pinned edges are never dropped, and a pinned x is never left out.
#pragma once

#include <memory_resource>
#include <vector>

#include "vecidx/node.hpp"
#include "vecidx/quantizer.hpp"

namespace vecidx {

enum class Pin : std::uint8_t { kNo = 0, kYes = 1 };

class ReverseLinker {
  public:
    ReverseLinker(const Codebook& book, float alpha, std::pmr::memory_resource* memory)
        : book_(book), alpha_(alpha), own_code_(memory), other_code_(memory), own_(memory), other_(memory) {}

    // Turns to node p, whose own vector is z (padded floats, valid until the next call). The node's bytes may
    // be changed by this linker only until then.
    void begin(Node p, const float* z);

    // Adds an edge to x at squared distance `distance`, x's vector being z. False when it was left out; with
    // a pin, only where all lanes are pinned already.
    bool add(const Edge& x, const float* z, float distance, Pin pin);

  private:
    void measure_own();
    bool is_covered(float distance) const;
    void drop_covered(float distance);
    void remove(std::size_t lane);
    void append(const Edge& x, float distance, Pin pin);
    std::size_t farthest() const;

    const Codebook& book_;
    float alpha_;
    QueryCode own_code_, other_code_;
    std::pmr::vector<float> own_;    // of each lane: distance from p, once measured
    std::pmr::vector<float> other_;  // of each lane: distance from x
    Node node_{};
    const float* z_ = nullptr;
    bool measured_ = false;
};

}  // namespace vecidx

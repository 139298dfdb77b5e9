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

// The look-up tables of many vectors, numbered from 0: a new node meets dozens of others.
class TableStore {
  public:
    TableStore(const Codebook& book, std::size_t count, std::pmr::memory_resource* memory);

    static std::size_t bytes_per_vector(std::size_t code_dims, std::size_t centroids);

    // Copies the table of vector i.
    void keep(std::size_t i, const QueryTable& table);

    // Valid as long as the store is.
    QueryTable operator[](std::size_t i) const;

  private:
    struct Scalars {
        float scale, offset;
    };
    std::size_t code_dims_, terms_each_;
    unsigned bits_;
    float rescale_unit_;
    std::pmr::vector<std::uint8_t> bytes_;
    std::pmr::vector<float> terms_;
    std::pmr::vector<Scalars> scalars_;
};

class ReverseLinker {
  public:
    ReverseLinker(const Codebook& book, float alpha, std::pmr::memory_resource* memory)
        : book_(book), alpha_(alpha), own_code_(memory), own_(memory), other_(memory) {}

    // Turns to node p, whose own vector is z (padded floats), or whose own vector's table is given (both
    // valid until the next call). The node's bytes may be changed by this linker only until then.
    void begin(Node p, const float* z);
    void begin(Node p, const QueryTable& own);

    // Adds an edge to x, of which `table` is, at squared distance `distance`. False when it was left out;
    // with a pin, only where all lanes are pinned already.
    bool add(const Edge& x, const QueryTable& table, float distance, Pin pin);

  private:
    void begin(Node p);
    void measure_own();
    bool is_covered(float distance) const;
    void drop_covered(float distance);
    void remove(std::size_t lane);
    void append(const Edge& x, float distance, Pin pin);
    std::size_t farthest() const;

    const Codebook& book_;
    float alpha_;
    QueryCode own_code_;
    QueryTable own_table_{};
    std::pmr::vector<float> own_;    // of each lane: distance from p, once measured
    std::pmr::vector<float> other_;  // of each lane: distance from x
    Node node_{};
    const float* z_ = nullptr;
    bool measured_ = false;
};

}  // namespace vecidx

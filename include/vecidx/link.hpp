// Turning candidates into a graph: prune every list, add the reverse edges in one round, and a tree that
// leads to every row.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/build_level.hpp"
#include "vecidx/gather.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/random.hpp"
#include "vecidx/rank_sort.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

// Makes edges of a level's candidates, a row at a time. Rows can be done in any order and at the same time.
class Linker {
  public:
    // `skeleton` is the next level, finished, or nullptr.
    Linker(const Level& level, const Level* skeleton, Window& window, std::pmr::memory_resource* memory)
        : level_(level),
          skeleton_(skeleton),
          window_(window),
          pruner_(memory),
          vectors_(memory),
          ids_(memory),
          slots_(memory),
          pins_(memory),
          merged_(memory),
          kept_(memory),
          seen_(memory, 256),
          sort_(memory) {}

    // Replaces a row's candidates by its edges: the pinned ones, then what RobustPrune keeps. Counts them at
    // the rows they lead to (incoming_end, one further), and sets the parent of rows of the skeleton.
    void prune_row(std::uint32_t row);

    // A row's nearest candidates, nearest first; valid until the next call.
    std::span<Neighbor> measure(std::uint32_t row);

    // Notes the edges of a row at the rows they lead to.
    void send(std::uint32_t row);

    // Adds the reverse of all edges that lead to a row; where that makes more than the degree, prunes again.
    void take_incoming(std::uint32_t row);

  private:
    void collect(std::uint32_t row);
    void collect_ids(const std::uint32_t* ids, std::size_t count, std::uint32_t row);
    void choose_pins(std::uint32_t row, std::span<const Neighbor> near);
    void start_seen(std::span<const Neighbor> list);
    std::span<Neighbor> measure_ids(std::size_t most);
    void keep(std::uint32_t row, std::size_t pins);

    const Level& level_;
    const Level* skeleton_;
    Window& window_;
    Pruner pruner_;
    GatheredVectors vectors_;
    std::pmr::vector<std::uint32_t> ids_;    // the row at hand, then its candidates
    std::pmr::vector<std::uint32_t> slots_;  // a copy of its leaf slots
    std::pmr::vector<Neighbor> pins_;
    std::pmr::vector<Neighbor> merged_;
    std::pmr::vector<Neighbor> kept_;
    Visited seen_;
    RankSort sort_;
};

// Grows trees over the rows first .. first + count - 1, along edges among them, from those that have a parent
// already, by the shortest edge at hand (Prim 1957). Short edges make trees deep and narrow, so that where a
// row is removed its few children fit in its parent's place. Rows that the edges do not reach keep no parent
// (kNoNode).
void grow_trees(const Lists& lists, std::size_t first, std::size_t count, std::span<std::uint32_t> parent,
                std::pmr::memory_resource* memory);

// A graph and the tree in it.
struct Tree {
    Lists lists;
    std::size_t degree;
    std::span<std::uint32_t> parent;
    const std::uint8_t* settled = nullptr;  // of each row (Settled); nullptr: all are fresh

    bool is_buried(std::size_t row) const { return settled != nullptr && settled[row] == kBuried; }
};

// Gives a parent to every row that has none: along edges where they lead there, else by a new edge: where a
// row that is not buried has fewer than `degree`, or in place of one that the tree does without. Some row
// must have a parent.
void connect_rest(const Tree& tree, Random& random, Window& window, std::pmr::memory_resource* memory);

}  // namespace vecidx

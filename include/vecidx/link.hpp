// Turning candidates into a graph: prune every list, add the reverse edges in one round, and connect what
// cannot be reached.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/adjacency.hpp"
#include "vecidx/progress.hpp"
#include "vecidx/prune.hpp"
#include "vecidx/random.hpp"
#include "vecidx/rank_sort.hpp"
#include "vecidx/tile.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

// Edges that some rows have from the start and keep. `slot` gives each position's list; kNoSlot where there
// is none.
struct PinnedEdges {
    static constexpr std::uint32_t kNoSlot = 0xffffffff;

    const Adjacency& lists;
    std::span<const std::uint32_t> slot;

    bool has(std::size_t at) const { return !slot.empty() && slot[at] != kNoSlot; }
    std::span<const Neighbor> of(std::size_t at) const {
        return has(at) ? lists.of(slot[at]) : std::span<const Neighbor>();
    }
};

// What is linked: `rows` of the vectors (list i belongs to rows[i]; neighbours are rows), with edges that
// stay.
struct LinkInput {
    const VectorArray& vectors;
    std::span<const std::uint32_t> rows;
    std::span<const std::uint32_t> position;  // of each row in `rows`
    std::span<const std::uint32_t> order;     // the rows so that near ones follow each other: for the cache
    PinnedEdges pinned;                       // by position
    PruneParams params;
};

class Linker {
  public:
    Linker(const LinkInput& input, std::pmr::memory_resource* memory, const Progress& progress)
        : in_(input),
          progress_(progress),
          pruner_(memory),
          merged_(memory),
          kept_(memory),
          seen_(memory, 256),
          sort_(memory),
          memory_(memory) {}

    // Replaces each list of candidates (sorted, without repetition) by the node's edges: the pinned first,
    // then what RobustPrune keeps.
    void prune_all(Adjacency& lists);

    // Adds y -> x for every x -> y; where that makes more than the degree, prunes again.
    void add_reverse_edges(Adjacency& lists);

  private:
    void start_seen(std::span<const Neighbor> list);
    void prune_one(Adjacency& lists, std::size_t at);
    void take_reverse(Adjacency& lists, std::size_t at, std::span<const Neighbor> incoming);

    LinkInput in_;
    const Progress& progress_;
    Pruner pruner_;
    std::pmr::vector<Neighbor> merged_;
    std::pmr::vector<Neighbor> kept_;
    Visited seen_;
    RankSort sort_;
    std::pmr::memory_resource* memory_;
};

// Makes every row reachable from `root` by adding edges: where a row has fewer than `degree`, else in place
// of an edge whose target stays reachable. Lists hold row numbers and at least `degree` edges fit.
void connect_all(Adjacency& lists, std::size_t degree, std::uint32_t root, Random& random,
                 const Progress& progress, std::pmr::memory_resource* memory);

// A tree over all rows, which must be reachable from `root`: grown from it by the shortest edge at hand (Prim
// 1957). Short edges make it deep and narrow, so that where a row is removed its few children fit in its
// parent's place.
void spanning_tree(const Adjacency& lists, std::uint32_t root, std::pmr::vector<std::uint32_t>& parent);

}  // namespace vecidx

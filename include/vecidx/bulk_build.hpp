// The bulk build: the graph of all vectors at once, without a search (after PiPNN, arXiv 2602.21247), by any
// number of workers.
//
//   1. Partition: every row joins the cells of its nearest leaders (partition.hpp), and rows are laid out in
//      the order of their first cells.
//   2. A skeleton: the same build of a random 1/16 of the rows, recursively; half of its edges are pinned. It
//      connects what the leaves of the whole set would leave apart (tight clusters).
//   3. Leaves: in each, all pairs; every row's few nearest, in both directions, are its candidates
//   (leaf.hpp).
//   4. RobustPrune of each row's candidates.
//   5. One round of reverse edges, pruned again where they exceed the degree.
//   6. A tree of edges from the medoid to every row: the skeleton's tree, and from the skeleton's rows within
//      each cell; edges are added to what is not reached.
//
// Every candidate has a place of its own, so there are no locks, and with one worker the graph is determined
// by the seed; with several, the order of rows within a cell is not.
//
// A graph is appended to in the same way: its rows take part as *settled* ones, which others find in the
// leaves, which take the reverse of the edges that lead to them, but keep their place in the tree and search
// for nothing. What a settled row costs is its share of stages 1 and 5; there is no search here either.
//
// Rows must be distinct vectors: equal ones fill leaves with copies, so the caller collapses them first.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include "vecidx/build_level.hpp"
#include "vecidx/gather.hpp"
#include "vecidx/progress.hpp"
#include "vecidx/random.hpp"
#include "vecidx/team.hpp"

namespace vecidx {

// What is built of.
struct BulkInput {
    VectorArray vectors;
    const std::uint8_t* left_out = nullptr;  // 1 for each vector that is no row; nullptr: all are
    std::size_t rows = 0;                    // vectors that are
    const std::uint8_t* settled = nullptr;   // of each vector (Settled); nullptr: all are fresh
};

// One worker's part of a build. All workers of the team make the same calls.
class BulkBuild {
  public:
    // The shared arrays are in the arena's block, of which the first `bytes_for` bytes are used. `window`
    // watches it.
    BulkBuild(const BulkInput& input, const BulkParams& params, Arena& arena, const Team& team,
              Window& window, std::pmr::memory_resource* memory, const Progress& progress);

    // Bytes of shared memory for at most `rows` rows of vectors like these, of which there are `like.count`.
    static std::size_t bytes_for(std::size_t rows, const VectorArray& like, const BulkParams& params,
                                 std::pmr::memory_resource* memory);

    // Stage 1. Afterwards the input's vectors are not needed any more.
    void partition();

    // When all workers have partitioned, before any links, for every settled row, by any worker: its edges,
    // of which the first `pins` are the tree's; or that it is the tree's root.
    void settle(std::uint32_t row, std::span<const std::uint32_t> edges, std::size_t pins);
    void settle_root(std::uint32_t row) { levels_[0].parent[row] = row; }

    // The other stages.
    void link();

    // After `partition`: the rows in their order, and which vectors of the input they are.
    VectorArray vectors() const { return levels_[0].vectors(); }
    std::span<const std::uint32_t> source() const { return {levels_[0].source, levels_[0].rows()}; }
    const Level& level() const { return levels_[0]; }

    // After `link`. `parent` has an edge to the row, and is the row itself for the medoid alone.
    Lists edges() const { return levels_[0].edges(); }
    std::span<const std::uint32_t> parent() const { return {levels_[0].parent, levels_[0].rows()}; }
    std::uint32_t medoid() const { return levels_[0].state->medoid; }
    bool is_fresh(std::size_t row) const { return levels_[0].settled[row] == kFresh; }

    // Stage 3 alone, for `nearest_in_leaves`.
    void compare_leaves();

  private:
    bool is_buried(const Level& level, std::size_t i) const;
    void choose_leaders(const Level& level, const VectorArray& from, const std::uint8_t* left_out);
    void assign(const Level& level, const VectorArray& from, const std::uint8_t* left_out);
    void lay_out_cells(const Level& level);
    void place(const Level& level, const VectorArray& from, const std::uint8_t* left_out);
    void split(const Level& level, const VectorArray& from, const std::uint8_t* left_out);
    void link_level(std::size_t depth);
    void make_skeleton(std::size_t depth);
    void choose_skeleton(const Level& level, const Level& next);
    void compare_leaves(std::size_t depth);
    void prune(std::size_t depth);
    void add_reverse_edges(std::size_t depth);
    void connect(std::size_t depth);
    std::size_t share_of(std::size_t total, std::size_t usual) const;
    Phase shown(std::size_t depth, Phase phase) const { return depth == 0 ? phase : Phase::kSkeleton; }
    Phase phase_of_split(const Level& level) const {
        return &level == &levels_[0] ? Phase::kPartition : Phase::kSkeleton;
    }
    const Level* skeleton_of(std::size_t depth) const {
        return levels_[depth].is_small() ? nullptr : &levels_[depth + 1];
    }

    BulkInput input_;
    const Team& team_;
    Window& window_;
    std::pmr::memory_resource* memory_;
    const Progress& progress_;
    std::pmr::vector<Level> levels_;
    std::pmr::vector<std::uint32_t> leader_rows_;
    std::pmr::vector<std::uint32_t> leaders_;  // in the order of their cells, as members of
    GatheredVectors leader_vectors_;
};

}  // namespace vecidx

// The processes of a build: its leader, which runs CREATE INDEX, and Postgres's parallel workers. What they
// have in common beside the temporary files (build_rows.hpp) is a few hundred bytes, so the smallest /dev/shm
// will do.
#pragma once

#include "pg/compat.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/team.hpp"

namespace vecidx {

// Everything that a build's processes tell each other. Zeros at the start.
struct BuildShared {
    // The leader's word, before workers start.
    Oid heap, index;
    bool concurrent;
    bool logged;          // the index's pages go to the WAL
    std::size_t memory;   // bytes for all processes together, of which each needs
    std::size_t scratch;  // beside what it maps
    std::uint64_t expected_rows;
    std::uint32_t extent_rows;
    char rows_path[MAXPGPATH];
    char entries_path[MAXPGPATH];

    // Meeting: how many take part (0: not known yet), how many have come, how often all have met.
    std::uint32_t team;
    std::uint32_t arrived;
    std::uint32_t meetings;
    ConditionVariable met;

    // Loading.
    std::uint32_t extents;        // taken
    std::uint32_t max_norm_bits;  // of the largest squared norm, a float
    std::uint64_t heap_rows;      // seen
    std::uint64_t loaded;
    std::uint64_t unindexed;
    std::uint64_t distinct;
    std::uint64_t mapped;             // bytes of rows_path, once allocated
    std::uint32_t broken_hot_chains;  // met by so many: older snapshots see rows that are not indexed

    // Shares of stages (vecidx/team.hpp).
    std::uint32_t collapse_taken, move_taken, encode_taken, write_taken;

    // The trained geometry, beside its floats.
    std::uint32_t centroid_count;
    float rescale_unit;
    double max_norm_squared;

    // Of each centroid the row nearest to it, below the bits of the distance; and where the nodes are.
    std::uint64_t nearest[kMaxCentroids];
    BlockNumber first_block;
};

// Bytes of mapped memory for each process.
std::size_t mapped_memory(const BuildShared& shared);

// One process's view of its team.
struct BuildTeam {
    BuildShared* shared;
    Team team;

    // Once `shared->team` is known.
    BuildTeam(BuildShared* s, unsigned worker) : shared(s), team{worker, s->team, meet, this} {}

  private:
    static void meet(void* context);
};

// What a build's leader does: `fill` sets up what all share; `lead` is called when the workers have started,
// and scans the heap by `scan` (nullptr: alone).
struct BuildWork {
    void (*fill)(BuildShared* shared, void* context);
    void (*lead)(BuildShared* shared, ParallelTableScanDesc scan, void* context);
    void* context;
};

// Runs a build with up to `workers` processes beside this one. Those that start call build_as_worker.
void run_build(Relation heap, int workers, bool concurrent, const BuildWork& work);

// Blocks of a table and of what is stored out of line for it: vectors of many dimensions.
BlockNumber blocks_in_all(Relation heap);

// Workers that a build of this index may ask for.
int plan_build_workers(Relation heap, Relation index, const IndexInfo* info);

// build.cpp: what a worker does, relations open.
void build_as_worker(Relation heap, Relation index, BuildShared* shared, unsigned worker,
                     ParallelTableScanDesc scan);

}  // namespace vecidx

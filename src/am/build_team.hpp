// The processes of a build: its leader, which runs CREATE INDEX, and Postgres's parallel workers. What they
// have in common beside the temporary files (build_rows.hpp) is a few hundred bytes, so the smallest /dev/shm
// will do.
#pragma once

#include "pg/compat.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/team.hpp"

namespace vecidx {

enum class BuildJob : std::uint32_t { kCreateIndex = 0, kMerge = 1 };

// Everything that a build's processes tell each other. Zeros at the start.
struct BuildShared {
    // The leader's word, before workers start.
    BuildJob job;
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

    // Of a merge: what it reads of the pending area, and VACUUM's count of sweeps before.
    struct {
        BlockNumber head;
        std::uint32_t sweeps, last_sequence;
        BlockNumber run_last;
        std::uint32_t run_pages;
    } merge;

    // Shares of stages (vecidx/team.hpp).
    std::uint32_t collapse_taken, move_taken, encode_taken, write_taken;
    std::uint32_t nodes_taken, hash_taken, number_taken, settle_taken, edges_taken;

    std::uint32_t tombstones;  // nodes that were written without a row

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

// Up to how many processes beside this one; and what they scan, or nullptr.
struct TeamPlan {
    Relation heap;
    int workers;
    bool concurrent;
};

// Runs a build or a merge. Workers that start call build_as_worker or merge_as_worker.
void run_team(const TeamPlan& plan, const BuildWork& work);

// Bytes that maintenance_work_mem allows to all processes together.
std::size_t memory_in_all();

// Blocks of a table and of what is stored out of line for it: vectors of many dimensions.
BlockNumber blocks_in_all(Relation heap);

// Workers that a build of this index may ask for.
int plan_build_workers(Relation heap, Relation index, const IndexInfo* info);

// Workers that a merge may ask for which is a build of vectors of so many bytes, the nodes' included, and
// would like so much memory.
int plan_merge_workers(Relation index, std::size_t vectors, std::size_t memory);

// With less than this part of what a build would like, a process does more harm to itself than good.
inline constexpr std::size_t kLeastPart = 8;

// build.cpp and bulk_merge.cpp: what a worker does, relations open.
void build_as_worker(Relation heap, Relation index, BuildShared* shared, unsigned worker,
                     ParallelTableScanDesc scan);
void merge_as_worker(Relation index, BuildShared* shared, unsigned worker);

}  // namespace vecidx

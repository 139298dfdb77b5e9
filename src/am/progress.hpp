// Progress of CREATE INDEX and of merges, as pg_stat_progress_create_index shows it. What is reported while
// another command runs, as VACUUM, is not shown.
#pragma once

#include "pg/compat.hpp"
#include "vecidx/progress.hpp"

namespace vecidx {

enum class BuildPhase : std::int64_t {
    kInitialize = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE,
    kLoad = 2,
    kTrain = 3,
    kGraph = 4,  // and on: one for each Phase of the calm floor
    kEncode = 10,
    kWrite = 11,
    kEdges = 12,
    kSearch = 13,
};

void enter_phase(BuildPhase phase, std::size_t total);

// Rows done of the phase's total.
void show_done(std::size_t rows);

// A merge that is a command of its own: shown from here on, unless it is part of another.
void begin_merge_progress(Relation index);
void end_merge_progress();

// Polls for interrupts and passes what the bulk build reports on.
Progress build_progress();

// Polls for interrupts only, and for vacuum's delay, as the other does.
Progress quiet_progress();

char* vamana_build_phase_name(int64 phase);

}  // namespace vecidx

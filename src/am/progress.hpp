// Phases of CREATE INDEX as pg_stat_progress_create_index shows them.
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
};

void enter_phase(BuildPhase phase, std::size_t total);

// Rows done of the phase's total.
void show_done(std::size_t rows);

// Polls for interrupts and passes what the bulk build reports on.
Progress build_progress();

// Polls for interrupts only.
Progress quiet_progress();

char* vamana_build_phase_name(int64 phase);

}  // namespace vecidx

// Progress of CREATE INDEX. See progress.hpp.
#include "am/progress.hpp"

namespace vecidx {
namespace {

void report(void*, Phase phase, std::size_t done, std::size_t total) {
    CHECK_FOR_INTERRUPTS();
    const int columns[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
                           PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {static_cast<int64>(BuildPhase::kGraph) + static_cast<int64>(phase),
                            static_cast<int64>(total), static_cast<int64>(done)};
    pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

constexpr const char* kPhaseNames[] = {
    "initializing",  "loading rows",         "training codes",
    "partitioning",  "building skeleton",    "comparing within leaves",
    "pruning edges", "adding reverse edges", "connecting",
    "encoding",      "writing nodes",        "writing edges",
};
static_assert(lengthof(kPhaseNames) == static_cast<std::size_t>(BuildPhase::kEdges));

}  // namespace

void enter_phase(BuildPhase phase, std::size_t total) {
    const int columns[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
                           PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {static_cast<int64>(phase), static_cast<int64>(total), 0};
    pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

void show_done(std::size_t rows) {
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(rows));
}

Progress quiet_progress() {
    return {[](void*, Phase, std::size_t, std::size_t) { CHECK_FOR_INTERRUPTS(); }, nullptr};
}

Progress build_progress() {
    return {report, nullptr};
}

char* vamana_build_phase_name(int64 phase) {
    if (phase < 1 || phase > static_cast<int64>(lengthof(kPhaseNames))) return nullptr;
    return pstrdup(kPhaseNames[phase - 1]);
}

}  // namespace vecidx

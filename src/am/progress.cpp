// Progress of CREATE INDEX. See progress.hpp.
#include "am/progress.hpp"

namespace vecidx {
namespace {

bool is_shown() {
    return MyBEEntry != nullptr && MyBEEntry->st_progress_command == PROGRESS_COMMAND_CREATE_INDEX;
}

void show(std::int64_t phase, std::size_t done, std::size_t total) {
    if (!is_shown()) return;
    const int columns[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_TOTAL,
                           PROGRESS_CREATEIDX_TUPLES_DONE};
    const int64 values[] = {phase, static_cast<int64>(total), static_cast<int64>(done)};
    pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

void report(void*, Phase phase, std::size_t done, std::size_t total) {
    vacuum_delay();
    show(static_cast<std::int64_t>(BuildPhase::kGraph) + static_cast<std::int64_t>(phase), done, total);
}

constexpr const char* kPhaseNames[] = {
    "initializing",  "loading rows",         "training codes",
    "partitioning",  "building skeleton",    "comparing within leaves",
    "pruning edges", "adding reverse edges", "connecting",
    "encoding",      "writing nodes",        "writing edges",
    "searching",
};
static_assert(lengthof(kPhaseNames) == static_cast<std::size_t>(BuildPhase::kSearch));

}  // namespace

void enter_phase(BuildPhase phase, std::size_t total) {
    show(static_cast<std::int64_t>(phase), 0, total);
}

void show_done(std::size_t rows) {
    if (is_shown()) pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(rows));
}

void begin_merge_progress(Relation index) {
    if (MyBEEntry == nullptr || MyBEEntry->st_progress_command != PROGRESS_COMMAND_INVALID) return;
    pgstat_progress_start_command(PROGRESS_COMMAND_CREATE_INDEX, index->rd_index->indrelid);
    const int columns[] = {PROGRESS_CREATEIDX_INDEX_OID, PROGRESS_CREATEIDX_ACCESS_METHOD_OID,
                           PROGRESS_CREATEIDX_PHASE};
    const int64 values[] = {RelationGetRelid(index), index->rd_rel->relam, PROGRESS_CREATEIDX_PHASE_BUILD};
    pgstat_progress_update_multi_param(lengthof(columns), columns, values);
}

void end_merge_progress() {
    if (is_shown()) pgstat_progress_end_command();
}

Progress quiet_progress() {
    return {[](void*, Phase, std::size_t, std::size_t) { vacuum_delay(); }, nullptr};
}

Progress build_progress() {
    return {report, nullptr};
}

char* vamana_build_phase_name(int64 phase) {
    if (phase < 1 || phase > static_cast<int64>(lengthof(kPhaseNames))) return nullptr;
    return pstrdup(kPhaseNames[phase - 1]);
}

}  // namespace vecidx

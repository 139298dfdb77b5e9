// The access method's face: what it can do, and its callbacks.
#include "am/callbacks.hpp"
#include "am/type_support.hpp"

namespace vecidx {
namespace {

IndexAmRoutine* routine() {
    IndexAmRoutine* am = makeNode(IndexAmRoutine);
    am->amstrategies = 0;
    am->amsupport = kSupportFunction;
    am->amoptsprocnum = 0;
    am->amcanorder = false;
    am->amcanorderbyop = true;
    am->amcanbackward = false;
    am->amcanunique = false;
    am->amcanmulticol = false;
    am->amoptionalkey = true;  // a scan needs no WHERE clause
    am->amsearcharray = false;
    am->amsearchnulls = false;
    am->amstorage = false;
    am->amclusterable = false;
    am->ampredlocks = false;
    am->amcanparallel = false;
    am->amcaninclude = false;
    allow_parallel_build(am);
    am->amusemaintenanceworkmem = true;
    am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_COND_CLEANUP;
    am->amkeytype = InvalidOid;

    am->ambuild = vamana_build;
    am->ambuildempty = vamana_build_empty;
    am->aminsert = vamana_insert;
    call_at_statement_end(am, vamana_insert_cleanup);
    am->ambulkdelete = vamana_bulk_delete;
    am->amvacuumcleanup = vamana_vacuum_cleanup;
    am->amcostestimate = vamana_cost_estimate;
    am->amoptions = vamana_options;
    am->ambuildphasename = vamana_build_phase_name;
    am->amvalidate = vamana_validate;
    am->ambeginscan = vamana_begin_scan;
    am->amrescan = vamana_rescan;
    am->amgettuple = vamana_get_tuple;
    am->amendscan = vamana_end_scan;
    return am;
}

}  // namespace
}  // namespace vecidx

extern "C" {
PG_FUNCTION_INFO_V1(vecidx_vamana_handler);
PGDLLEXPORT Datum vecidx_vamana_handler(PG_FUNCTION_ARGS) {
    (void)fcinfo;
    PG_RETURN_POINTER(vecidx::routine());
}
}

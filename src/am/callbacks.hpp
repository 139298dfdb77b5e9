// The access method's callbacks, one family a file. See IndexAmRoutine in Postgres's access/amapi.h for their
// contracts.
#pragma once

#include "pg/compat.hpp"

namespace vecidx {

// build.cpp
IndexBuildResult* vamana_build(Relation heap, Relation index, IndexInfo* info);
void vamana_build_empty(Relation index);

// insert.cpp
bool vamana_insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap,
                   IndexUniqueCheck unique, bool unchanged, IndexInfo* info);
void vamana_insert_cleanup(Relation index, IndexInfo* info);

// vacuum.cpp
IndexBulkDeleteResult* vamana_bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                          IndexBulkDeleteCallback callback, void* state);
IndexBulkDeleteResult* vamana_vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

// scan_callbacks.cpp
IndexScanDesc vamana_begin_scan(Relation index, int keys, int orderbys);
void vamana_rescan(IndexScanDesc scan, ScanKey keys, int key_count, ScanKey orderbys, int orderby_count);
bool vamana_get_tuple(IndexScanDesc scan, ScanDirection direction);
void vamana_end_scan(IndexScanDesc scan);

// cost.cpp
void vamana_cost_estimate(PlannerInfo* root, IndexPath* path, double loops, Cost* startup_cost,
                          Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages);

// validate.cpp
bool vamana_validate(Oid opclass);

// options.cpp
bytea* vamana_options(Datum reloptions, bool validate);

// progress.cpp
char* vamana_build_phase_name(int64 phase);

}  // namespace vecidx

// stub for the first run
#include "am/callbacks.hpp"
#include "am/merge.hpp"
namespace vecidx {
IndexBulkDeleteResult* vamana_bulk_delete(IndexVacuumInfo*, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback, void*) { return stats; }
IndexBulkDeleteResult* vamana_vacuum_cleanup(IndexVacuumInfo*, IndexBulkDeleteResult* stats) { return stats; }
}

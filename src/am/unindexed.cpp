// A pass over the heap for rows without an index entry. See unindexed.hpp.
#include "am/unindexed.hpp"

#include "am/type_support.hpp"

namespace vecidx {
namespace {

struct Pass {
    const UnindexedSearch& search;
    const TypeSupport& support;
    MemoryContext scratch;
    std::pmr::vector<HeapTid>& rows;
};

bool is_zero_vector(const TypeSupport& support, Datum value) {
    const VectorView v = support.view(value);
    return std::all_of(v.begin(), v.end(), [](float x) { return x == 0; });
}

bool wanted(const Pass& pass, Datum value, bool isnull) {
    if (isnull || pass.search.kind == Unindexed::kNull) return isnull && pass.search.kind == Unindexed::kNull;
    const MemoryContext old = MemoryContextSwitchTo(pass.scratch);
    const bool zero = is_zero_vector(pass.support, value);
    MemoryContextSwitchTo(old);
    MemoryContextReset(pass.scratch);
    return zero;
}

void add_row(Relation, ItemPointer tid, Datum* values, bool* isnull, bool, void* context) {
    auto* pass = static_cast<Pass*>(context);
    const HeapTid row = heap_tid(*tid);
    if (pass->rows.size() >= pass->search.most || row.key() <= pass->search.after.key()) return;
    if (wanted(*pass, values[0], isnull[0])) pass->rows.push_back(row);
}

}  // namespace

void find_unindexed(const UnindexedSearch& search, std::pmr::vector<HeapTid>& rows) {
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana unindexed rows", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    Pass pass{search, type_support(search.index),
              AllocSetContextCreate(context, "vamana unindexed row", ALLOCSET_DEFAULT_SIZES), rows};
    IndexInfo* info = BuildIndexInfo(search.index);
    info->ii_Unique = false;
    info->ii_Concurrent = true;  // rows that the snapshot sees, no others
    const TableScanDesc scan = table_beginscan_strat(search.heap, search.snapshot, 0, nullptr, true, false);
    table_index_build_scan(search.heap, search.index, info, true, false, add_row, &pass, scan);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
}

}  // namespace vecidx

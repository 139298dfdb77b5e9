// The scan callbacks: an index scan gives heap rows in the exact order of their distance. See scan.hpp and
// exact_order.hpp.
#include "am/callbacks.hpp"
#include "am/exact_order.hpp"

namespace vecidx {
namespace {

struct ScanState {
    MemoryContext context;
    MemoryContext scratch;  // of one query
    VamanaScan* scan;
    ExactOrder* order;
    HeapDistance* heap;  // made with the first query
    bool ready;          // a query was given
};

void start(IndexScanDesc scan, ScanState& state) {
    if (scan->numberOfOrderBys == 0)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot scan vamana index without order"));
    // See scan.hpp: without a pin only an MVCC snapshot tells whether a remembered row is still the same.
    if (!IsMVCCSnapshot(scan->xs_snapshot))
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("non-MVCC snapshots are not supported with vamana"));
    count_index_scan(scan);
    const ScanKey order = &scan->orderByData[0];
    const bool null = (order->sk_flags & SK_ISNULL) != 0;
    MemoryContextReset(state.scratch);
    const MemoryContext old = MemoryContextSwitchTo(state.context);
    if (state.heap == nullptr)
        state.heap =
            make_in<HeapDistance>(state.context, scan->heapRelation, scan->indexRelation, state.context);
    MemoryContextSwitchTo(state.scratch);
    const Datum argument = null ? Datum{0} : PointerGetDatum(PG_DETOAST_DATUM(order->sk_argument));
    VectorView query;
    if (!null) query = type_support(scan->indexRelation).view(argument);
    state.scan->restart(null ? nullptr : &query, scan->heapRelation, scan->xs_snapshot);
    state.heap->restart(scan->xs_snapshot, order, argument);
    state.order->restart();
    MemoryContextSwitchTo(old);
    state.ready = true;
}

// Hands a row to the executor. Further distances to order by are for it to compute.
void store(IndexScanDesc scan, const FoundRow& row) {
    scan->xs_heaptid = item_pointer(row.tid);
    scan->xs_recheck = false;
    scan->xs_recheckorderby = scan->numberOfOrderBys > 1;
    for (int i = 0; i < scan->numberOfOrderBys; ++i) {
        scan->xs_orderbyvals[i] = Float8GetDatum(-std::numeric_limits<double>::infinity());
        scan->xs_orderbynulls[i] = false;
    }
    const double known = row.known == Distance::kNaN ? std::numeric_limits<double>::quiet_NaN() : row.bound;
    scan->xs_orderbyvals[0] = Float8GetDatum(known);
    scan->xs_orderbynulls[0] = row.known == Distance::kNull;
}

}  // namespace

IndexScanDesc vamana_begin_scan(Relation index, int keys, int orderbys) {
    const IndexScanDesc scan = RelationGetIndexScan(index, keys, orderbys);
    auto* state = static_cast<ScanState*>(palloc0(sizeof(ScanState)));
    state->context = AllocSetContextCreate(CurrentMemoryContext, "vamana scan", ALLOCSET_DEFAULT_SIZES);
    state->scratch = AllocSetContextCreate(state->context, "vamana query", ALLOCSET_SMALL_SIZES);
    state->scan = make_in<VamanaScan>(state->context, index, state->context);
    state->order =
        make_in<ExactOrder>(state->context, make_in<ContextResource>(state->context, state->context));
    scan->opaque = state;
    const auto count = static_cast<std::size_t>(std::max(orderbys, 1));
    scan->xs_orderbyvals = static_cast<Datum*>(palloc0(sizeof(Datum) * count));
    scan->xs_orderbynulls = static_cast<bool*>(palloc0(sizeof(bool) * count));
    return scan;
}

void vamana_rescan(IndexScanDesc scan, ScanKey keys, int key_count, ScanKey orderbys, int orderby_count) {
    if (keys != nullptr && key_count > 0) std::copy_n(keys, key_count, scan->keyData);
    if (orderbys != nullptr && orderby_count > 0) std::copy_n(orderbys, orderby_count, scan->orderByData);
    static_cast<ScanState*>(scan->opaque)->ready = false;
}

bool vamana_get_tuple(IndexScanDesc scan, ScanDirection) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    if (!state->ready) start(scan, *state);
    FoundRow row;
    if (!state->order->next(*state->scan, *state->heap, &row)) return false;
    store(scan, row);
    return true;
}

void vamana_end_scan(IndexScanDesc scan) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    if (state->heap != nullptr) state->heap->close();
    MemoryContextDelete(state->context);
    pfree(state);
    scan->opaque = nullptr;
}

}  // namespace vecidx

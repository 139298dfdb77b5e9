// Distances of heap rows, and the rows that wait for their place. See exact_order.hpp.
#include "am/exact_order.hpp"

namespace vecidx {

HeapDistance::HeapDistance(Relation heap, Relation index, MemoryContext context)
    : scratch_(AllocSetContextCreate(context, "vamana heap distance", ALLOCSET_SMALL_SIZES)),
      fetch_(table_index_fetch_begin(heap)),
      slot_(table_slot_create(heap, nullptr)),
      column_(index->rd_index->indkey.values[0]),
      info_(column_ == 0 ? BuildIndexInfo(index) : nullptr),
      state_(column_ == 0 ? CreateExecutorState() : nullptr) {}

void HeapDistance::restart(Snapshot snapshot, ScanKey order, Datum query) {
    snapshot_ = snapshot;
    order_ = order;
    query_ = query;
}

Datum HeapDistance::key_of_slot(bool* isnull) {
    if (column_ != 0) return slot_getattr(slot_, column_, isnull);
    ExprContext* context = GetPerTupleExprContext(state_);
    ResetExprContext(context);
    context->ecxt_scantuple = slot_;
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    FormIndexDatum(info_, slot_, state_, values, nulls);
    *isnull = nulls[0];
    return values[0];
}

bool HeapDistance::measure(HeapTid tid, double* distance) {
    ItemPointerData pointer = item_pointer(tid);
    bool more = false, dead = false, isnull = true;
    if (table_index_fetch_tuple(fetch_, &pointer, snapshot_, slot_, &more, &dead)) {
        const MemoryContext old = MemoryContextSwitchTo(scratch_);
        const Datum key = key_of_slot(&isnull);
        if (!isnull)
            *distance =
                DatumGetFloat8(FunctionCall2Coll(&order_->sk_func, order_->sk_collation, key, query_));
        MemoryContextSwitchTo(old);
        MemoryContextReset(scratch_);
    }
    ExecClearTuple(slot_);
    table_index_fetch_reset(fetch_);
    return !isnull;
}

void HeapDistance::close() {
    ExecDropSingleTupleTableSlot(slot_);
    table_index_fetch_end(fetch_);
    if (state_ != nullptr) FreeExecutorState(state_);
}

namespace {

bool later(const FoundRow& a, const FoundRow& b) {
    return a.bound != b.bound ? a.bound > b.bound : a.tid.key() > b.tid.key();
}

}  // namespace

void ExactOrder::wait(const FoundRow& row) {
    waiting_.push_back(row);
    std::push_heap(waiting_.begin(), waiting_.end(), later);
}

bool ExactOrder::next(VamanaScan& scan, HeapDistance& heap, FoundRow* row) {
    for (;;) {
        if (!waiting_.empty() && (ended_ || waiting_.front().bound <= reached_)) {
            std::pop_heap(waiting_.begin(), waiting_.end(), later);
            *row = waiting_.back();
            waiting_.pop_back();
            return true;
        }
        if (ended_) return false;
        if (!scan.next(row)) {
            ended_ = true;
            continue;
        }
        reached_ = row->bound;
        if (row->known == Distance::kExact) {
            row->bound = row->distance;
        } else if (row->known == Distance::kLowerBound) {
            if (!heap.measure(row->tid, &row->bound)) continue;
            scan.learn(*row, row->bound);
        } else if (waiting_.empty()) {
            return true;
        }
        wait(*row);
    }
}

}  // namespace vecidx

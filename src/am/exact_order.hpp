// The last step of a scan: rows in the exact order of the operator's distance. A scan gives them by lower
// bounds; where a row's place is uncertain, the distance is computed from the heap row, once for all rows
// with the same fingerprint, and the row waits until no other can be nearer.
//
// The executor could do this (xs_recheckorderby), but it would compute the distance of every row, and rows
// that pass through its queue lose their ctid, so SELECT ... FOR UPDATE fails on them.
#pragma once

#include "am/scan.hpp"

namespace vecidx {

// Computes distances of heap rows as the query's operator does. Holds no pin between calls.
class HeapDistance {
  public:
    // `order` is the scan's ORDER BY key, `query` its argument, detoasted. Both outlive this.
    HeapDistance(Relation heap, Relation index, MemoryContext context);
    void restart(Snapshot snapshot, ScanKey order, Datum query);

    // False when the snapshot does not see the row.
    bool measure(HeapTid tid, double* distance);

    void close();

  private:
    Datum key_of_slot(bool* isnull);

    MemoryContext scratch_;
    IndexFetchTableData* fetch_;
    TupleTableSlot* slot_;
    AttrNumber column_;  // 0: an expression, evaluated by `info_`
    IndexInfo* info_;
    EState* state_;
    Snapshot snapshot_ = nullptr;
    ScanKey order_ = nullptr;
    Datum query_ = 0;
};

class ExactOrder {
  public:
    explicit ExactOrder(std::pmr::memory_resource* memory) : waiting_(memory) {}

    void restart() {
        waiting_.clear();
        reached_ = -std::numeric_limits<double>::infinity();
        ended_ = false;
    }

    // The next row of the scan in exact order; its bound is what orders it. False when there are no more.
    bool next(VamanaScan& scan, HeapDistance& heap, FoundRow* row);

  private:
    void wait(const FoundRow& row);

    std::pmr::vector<FoundRow> waiting_;  // a heap, nearest on top; `bound` is the distance
    double reached_ = 0;                  // rows that the scan has yet to give are not nearer
    bool ended_ = false;
};

}  // namespace vecidx

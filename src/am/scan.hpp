// Index scans. A scan answers in rounds, each complete in itself: a search with the list size, then, as the
// executor wants more rows, with four times that, then a sweep over all nodes, and at last the heap rows that
// are not indexed, so that every row is returned before the scan ends. Rows come in the order of a lower
// bound of their distance; exact_order.hpp makes it the exact order.
//
// A scan holds no pin and no lock between calls. Heap rows that it remembers may be removed and their places
// reused by rows that its snapshot does not see: that is why it must have an MVCC snapshot.
#pragma once

#include "am/known_distances.hpp"
#include "am/options.hpp"
#include "am/query.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

// A row found, or the rest of a node's rows (posting != kNoPosting), to be read when its turn comes.
struct Result {
    Bounds bounds;  // of the operator's distance; where that is known, both are the distance
    std::uint32_t posting;
    NodeId owner;
    std::uint16_t version;
    HeapTid tid;  // of a rest: kAfterRows
    std::uint64_t fingerprint;

    // Nearest first; ties by row, so that a sweep can go on where it stopped, and the rest of a node's rows
    // is read after those that are as near.
    friend bool operator<(const Result& a, const Result& b) {
        if (a.bounds.lower != b.bounds.lower) return a.bounds.lower < b.bounds.lower;
        return a.tid.key() < b.tid.key();
    }
};
inline bool farther(const Result& a, const Result& b) {
    return b < a;
}

inline constexpr HeapTid kAfterRows{0xffff, 0xffff, 0xffff};

// What an index scan knows of a row's distance. kPlace: a lower bound, and that the row's place in the order
// is certain, because its bounds overlap no other row's. kExact: the distance too, because a row with the
// same vector was measured. kNaN and kNull come after all others.
enum class Distance { kLowerBound, kPlace, kExact, kNaN, kNull };

// A row as a scan returns it.
struct FoundRow {
    HeapTid tid;
    Distance known;
    double bound;  // infinite for kNaN and kNull
    std::uint64_t fingerprint = kNoFingerprint;
    double distance = 0;  // for kExact
};

class VamanaScan {
  public:
    VamanaScan(Relation index, MemoryContext context);

    // Starts over with a query; nullptr for SQL's NULL, to which every row is equally far.
    // `heap` and `snapshot` are those of the scan.
    void restart(const VectorView* query, Relation heap, Snapshot snapshot);

    // The next row. False when every row was returned.
    bool next(FoundRow* row);

    // Tells the scan the exact distance of a row that it returned.
    void learn(const FoundRow& row, double distance) { known_.add(row.fingerprint, distance); }

  private:
    // The rounds, in their order. kLate: all indexed rows that were not returned, those dropped as late among
    // them.
    enum class Stage { kSearch, kGrow, kSweep, kLate, kZeroVectors, kNulls, kDone };

    bool undefined() const { return no_query_ || query_.query.undefined; }
    FoundRow found(const Result& result) const;
    Bounds narrowed(Bounds bounds, std::uint64_t fingerprint) const;
    bool postpone(const Result& result);
    void put_back(const Result& result);
    bool is_certain(const Result& result) const;
    bool refill();
    bool refill_indexed();
    bool grow();
    bool sweep_on();
    void start_sweep(Stage stage, double from);
    bool refill_unindexed();
    void prepare(const Meta& meta);
    void search(std::size_t list_size);
    bool search_graph(const Meta& meta, std::size_t list_size);
    bool sweep();
    void sweep_nodes(std::uint32_t last);
    void sweep_page(Page page, BlockNumber block, std::uint32_t last, std::pmr::vector<Result>& chains);
    void sweep_chain(const Result& chain);
    Meta collect_pending();
    void keep_window(const Result& result);
    Bounds bounds_of(const StoredVector& own, float l2, float error, float norm_squared,
                     const float* relative_to) const;
    void push_node(NodeId id, const ConstNode& node, Bounds bounds);
    void push(const Result& result);
    bool pop(Result* result);
    void read_chain(const Result& chain);
    bool may_visit(std::size_t nodes) const;

    Relation index_;
    Relation heap_relation_ = nullptr;
    Snapshot snapshot_ = nullptr;
    ContextResource memory_;
    IndexShape shape_;
    const TypeSupport& support_;
    PreparedQuery query_;
    Beam beam_;
    std::pmr::vector<Result> heap_;  // results not returned yet: a heap, nearest on top
    IdSet<std::uint64_t> seen_;      // heap rows that were returned
    KnownDistances known_;
    Stage stage_ = Stage::kSearch;
    bool no_query_ = false;
    std::pmr::vector<float> raw_{&memory_};  // the query as it was given
    std::uint32_t prepared_for_ = 0;         // the training that query_ was prepared for
    bool prepared_ = false;
    std::size_t list_size_ = 0;
    std::size_t budget_ = 0;   // results that this round may still return
    std::size_t visited_ = 0;  // nodes, over all rounds
    double last_bound_ = 0;
    double last_upper_ = 0;      // the largest upper bound of all rows returned
    bool complete_ = false;      // the last search met every indexed row
    Result sweep_from_{};        // sweeps keep what follows this
    HeapTid unindexed_after_{};  // the last row returned of those that are not indexed
    std::size_t window_ = 0;     // results that a sweep keeps
    bool whole_ = false;         // the last sweep kept all that it could
};

}  // namespace vecidx

// Index scans. A scan answers in rounds, each complete in itself: a search with the list size, then, as the
// executor wants more rows, with four times that, and at last a sweep over all nodes, so that every row is
// returned before the scan ends. Rows come in the order of a lower bound of their distance; the executor
// fetches them anyway, computes the true distance and puts the last few in exact order (xs_recheckorderby).
//
// A scan holds no pin and no lock between calls. Heap rows that it remembers may be removed and their places
// reused by rows that its snapshot does not see: that is why it must have an MVCC snapshot.
#pragma once

#include "am/options.hpp"
#include "am/query.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

// A row found, or the rest of a node's rows (posting != kNoPosting), to be read when its turn comes.
struct Result {
    double bound;
    std::uint32_t posting;
    NodeId owner;
    std::uint16_t version;
    HeapTid tid;

    // Nearest first; ties by row, so that a sweep can go on where it stopped.
    friend bool operator<(const Result& a, const Result& b) {
        return a.bound != b.bound ? a.bound < b.bound : a.tid.key() < b.tid.key();
    }
};

class VamanaScan {
  public:
    VamanaScan(Relation index, MemoryContext context);

    // Starts over with a query; nullptr for SQL's NULL, to which every row is equally far.
    void restart(const VectorView* query);

    // The next row and the lower bound of its distance. False when every row was returned.
    bool next(HeapTid* tid, double* bound);

    bool undefined() const { return no_query_ || query_.bounds.undefined; }

  private:
    enum class Stage { kSearch, kGrow, kSweep, kLate, kDone };

    bool refill();
    void prepare(const Meta& meta);
    void search(std::size_t list_size);
    bool sweep();
    void sweep_nodes();
    void sweep_page(Page page, BlockNumber block, std::pmr::vector<Result>& chains);
    Meta collect_pending();
    void keep_window(const Result& result);
    double bound_of(const StoredVector& own, float l2, float error, float norm_squared,
                    const float* relative_to) const;
    void push_node(NodeId id, const ConstNode& node, double bound);
    void push(const Result& result);
    bool pop(Result* result);
    void read_chain(const Result& chain);
    bool may_go_on() const;

    Relation index_;
    ContextResource memory_;
    IndexShape shape_;
    const TypeSupport& support_;
    PreparedQuery query_;
    Beam beam_;
    std::pmr::vector<Result> heap_;  // results not returned yet: a heap, nearest on top
    IdSet<std::uint64_t> seen_;      // heap rows that were returned
    Stage stage_ = Stage::kSearch;
    bool no_query_ = false;
    std::pmr::vector<float> raw_{&memory_};  // the query as it was given
    std::uint32_t prepared_for_ = 0;         // the training that query_ was prepared for
    bool prepared_ = false;
    std::size_t list_size_ = 0;
    std::size_t budget_ = 0;   // results that this round may still return
    std::size_t visited_ = 0;  // nodes, over all rounds
    double last_bound_ = 0;
    Result sweep_from_{};  // sweeps keep what follows this
    std::size_t window_ = 0;
    bool whole_ = false;  // the last sweep kept all that it could
};

}  // namespace vecidx

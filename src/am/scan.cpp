// Rounds of a scan. See scan.hpp.
#include "am/scan.hpp"

#include "am/disk_graph.hpp"
#include "am/gathering.hpp"
#include "am/row_embedder.hpp"
#include "am/unindexed.hpp"
#include "storage/pending.hpp"
#include "storage/posting.hpp"
#include "vecidx/search.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kGrowth = 4;      // of the list size, from round to round
constexpr std::size_t kSweepShare = 8;  // a list of more than 1/8 of all nodes costs more than a sweep
constexpr std::size_t kNoBudget = std::numeric_limits<std::size_t>::max() / 2;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

void poll() {
    CHECK_FOR_INTERRUPTS();
}

// Error where the index leads to a heap row that cannot be: the heap would take an impossible block for a
// request to grow.
void check_tid(Relation index, const HeapTid& tid) {
    const ItemPointerData pointer = item_pointer(tid);
    if (ItemPointerGetBlockNumberNoCheck(&pointer) != InvalidBlockNumber && tid.offset != InvalidOffsetNumber)
        return;
    ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("index \"%s\" leads to an impossible heap row", RelationGetRelationName(index)),
            errhint("Please REINDEX it."));
}

}  // namespace

VamanaScan::VamanaScan(Relation index, MemoryContext context)
    : index_(index),
      memory_(context),
      shape_(read_meta(index).shape),
      support_(type_support(index)),
      query_(shape_, &memory_),
      beam_(&memory_),
      heap_(&memory_),
      seen_(&memory_, 64),
      known_(&memory_) {}

void VamanaScan::restart(const VectorView* query, Relation heap, Snapshot snapshot) {
    heap_relation_ = heap;
    snapshot_ = snapshot;
    heap_.clear();
    seen_.clear();
    known_.clear();
    stage_ = Stage::kSearch;
    visited_ = 0;
    complete_ = false;
    unindexed_after_ = {};
    last_bound_ = last_upper_ = -kInfinity;
    prepared_ = false;
    window_ = std::max<std::size_t>(1000, static_cast<std::size_t>(work_mem) * 1024 / sizeof(Result) / 2);
    no_query_ = query == nullptr;
    if (no_query_) return;
    check_dims(shape_.dims, query->size());
    raw_.assign(query->begin(), query->end());
}

// Once a query, and again when the index was trained meanwhile.
void VamanaScan::prepare(const Meta& meta) {
    if (no_query_ || (prepared_ && prepared_for_ == meta.trained)) return;
    query_.prepare(raw_.data(), meta.trained > 0 ? &index_cache(index_, meta)->geometry : nullptr);
    prepared_for_ = meta.trained;
    prepared_ = true;
}

bool VamanaScan::next(FoundRow* row) {
    const bool strict = settings().iterative_scan == static_cast<int>(IterativeScan::kStrictOrder);
    for (;;) {
        Result result;
        while (pop(&result)) {
            if (postpone(result)) continue;
            if (result.posting != kNoPosting) {
                read_chain(result);
                continue;
            }
            // Too late for its place: it comes after all others.
            if (strict && result.bounds.lower < last_bound_ && stage_ < Stage::kLate) continue;
            if (!seen_.insert(result.tid.key())) continue;
            check_tid(index_, result.tid);
            *row = found(result);
            last_bound_ = std::max(last_bound_, result.bounds.lower);
            last_upper_ = std::max(last_upper_, result.bounds.upper);
            return true;
        }
        if (!refill()) return false;
    }
}

FoundRow VamanaScan::found(const Result& result) const {
    if (no_query_ || stage_ == Stage::kNulls) return {result.tid, Distance::kNull, kInfinity};
    if (undefined() || stage_ == Stage::kZeroVectors) return {result.tid, Distance::kNaN, kInfinity};
    FoundRow row{result.tid, Distance::kLowerBound, result.bounds.lower, result.fingerprint, 0};
    if (const double* distance = known_.find(result.fingerprint)) {
        row.known = Distance::kExact;
        row.distance = *distance;
    } else if (is_certain(result)) {
        row.known = Distance::kPlace;
    }
    return row;
}

// The distance itself where it is known.
Bounds VamanaScan::narrowed(Bounds bounds, std::uint64_t fingerprint) const {
    const double* distance = known_.find(fingerprint);
    if (distance == nullptr) return bounds;
    const double place = std::max(bounds.lower, *distance);
    return {place, place};
}

// Where the distance has become known since the result was found, puts it where it belongs. Not in a sweep:
// what the next one brings may come before.
bool VamanaScan::postpone(const Result& result) {
    if (stage_ >= Stage::kSweep) return false;
    Result narrow = result;
    narrow.bounds = narrowed(result.bounds, result.fingerprint);
    if (!(narrow.bounds.lower > result.bounds.lower)) return false;
    put_back(narrow);
    return true;
}

// After a round's last row nothing is known of the next one.
bool VamanaScan::is_certain(const Result& result) const {
    return last_upper_ < result.bounds.lower && budget_ > 0 && !heap_.empty() &&
           result.bounds.upper < heap_.front().bounds.lower;
}

// Whether the settings allow so many nodes more.
bool VamanaScan::may_visit(std::size_t nodes) const {
    if (settings().iterative_scan == static_cast<int>(IterativeScan::kOff)) return false;
    const int most = settings().max_scan_tuples;
    return most == 0 || visited_ + nodes <= static_cast<std::size_t>(most);
}

// The next round's results. False when there are no more rounds.
bool VamanaScan::refill() {
    heap_.clear();
    if (stage_ < Stage::kZeroVectors && refill_indexed()) return true;
    return stage_ != Stage::kDone && refill_unindexed();
}

// Of the rows that are indexed. When there are none left, the stage says what follows.
bool VamanaScan::refill_indexed() {
    if (stage_ == Stage::kSearch && !no_query_) {
        list_size_ = static_cast<std::size_t>(search_list_size(index_));
        stage_ = Stage::kGrow;
        search(list_size_);
        return true;
    }
    if (stage_ == Stage::kGrow && grow()) return true;
    const bool may_sweep = stage_ != Stage::kGrow || may_visit(read_meta(index_).node_count);
    if (may_sweep && sweep_on()) return true;
    const Stage next = shape_.metric == Metric::kCosine ? Stage::kZeroVectors : Stage::kNulls;
    stage_ = may_sweep || complete_ ? next : Stage::kDone;
    return false;
}

// A larger search, while that is cheaper than a sweep.
bool VamanaScan::grow() {
    const std::size_t larger = list_size_ * kGrowth;
    if (larger > read_meta(index_).node_count / kSweepShare || !may_visit(larger)) return false;
    list_size_ = larger;
    search(list_size_);
    return true;
}

// Sweeps from where the last one ended; rows that came late follow when there are no others.
bool VamanaScan::sweep_on() {
    const bool strict = settings().iterative_scan == static_cast<int>(IterativeScan::kStrictOrder);
    if (stage_ < Stage::kSweep) start_sweep(Stage::kSweep, strict ? last_bound_ : -kInfinity);
    if (stage_ == Stage::kSweep) {
        if (sweep()) return true;
        whole_ = false;
    }
    // What was too late for its place, and what a merge gave another bound between two sweeps.
    start_sweep(Stage::kLate, -kInfinity);
    return !whole_ && sweep();
}

void VamanaScan::start_sweep(Stage stage, double from) {
    stage_ = stage;
    sweep_from_ = {{from, from}, kNoPosting, 0, 0, {}, kNoFingerprint};
}

// Rows that the index does not hold: those whose distance is NaN, then those where it is NULL.
bool VamanaScan::refill_unindexed() {
    if (read_meta(index_).unindexed == 0) stage_ = Stage::kDone;
    while (stage_ != Stage::kDone) {
        std::pmr::vector<HeapTid> rows(&memory_);
        const Unindexed kind = stage_ == Stage::kZeroVectors ? Unindexed::kZeroVector : Unindexed::kNull;
        find_unindexed({heap_relation_, index_, snapshot_, kind, unindexed_after_, window_}, rows);
        for (const HeapTid tid : rows)
            heap_.push_back({{kInfinity, kInfinity}, kNoPosting, 0, 0, tid, kNoFingerprint});
        std::make_heap(heap_.begin(), heap_.end(), farther);
        budget_ = heap_.size();
        if (!rows.empty()) {
            unindexed_after_ = rows.back();
            return true;
        }
        stage_ = stage_ == Stage::kZeroVectors ? Stage::kNulls : Stage::kDone;
        unindexed_after_ = {};
    }
    return false;
}

// One best-first search, and the pending area, into the heap.
void VamanaScan::search(std::size_t list_size) {
    const Meta meta = collect_pending();
    complete_ = meta.trained == 0 || search_graph(meta, list_size);
    budget_ = complete_ ? kNoBudget : list_size;
    std::make_heap(heap_.begin(), heap_.end(), farther);
}

// True when it met every node: none was crowded out of the list. Nodes of batches that were not finished when
// the pending area had been read are passed over: their rows were met there, and their geometry may be
// another.
bool VamanaScan::search_graph(const Meta& meta, std::size_t list_size) {
    IndexCache* cache = index_cache(index_, meta);
    const auto sink = [this, &meta](const Visit& v) {
        const float* relative_to =
            shape_.layout.own_place == OwnPlace::kApart ? query_.embedded : query_.graph.vector;
        const NodeHeader& h = v.node.header();
        if (v.node.live() && h.batch <= meta.batch)
            push_node(v.id, v.node, bounds_of(v.own, v.own_distance, h.error, h.norm_squared, relative_to));
    };
    DiskGraph graph(index_, cache, query_, sink);
    beam_.reset(list_size);
    visited_ += search_from_entries(meta, query_, graph, beam_, poll);
    return beam_.size() < list_size;
}

Bounds VamanaScan::bounds_of(const StoredVector& own, float l2, float error, float norm_squared,
                             const float* relative_to) const {
    return undefined() ? Bounds{0, 0} : query_.bounds_of(own, l2, error, norm_squared, relative_to);
}

// Pending rows before the graph: a row that a merge moves meanwhile is met at least once. Returns the
// metapage as it is afterwards, which may lead to a graph that was not there before.
Meta VamanaScan::collect_pending() {
    write_gathered(index_);
    const Meta meta = read_meta(index_);
    prepare(meta);
    for_each_pending(
        index_, meta,
        [&](BlockNumber, const PendingPage& page) {
            for (std::size_t i = 0; i < page.count(); ++i) {
                const PendingEntry& e = page.entry(i);
                StoredVector own = page.vector(i);
                Bounds bounds{0, 0};
                if (!no_query_) {
                    if (e.own_block != kNoOwnBlock) {
                        read_apart(index_, shape_.layout, e.own_block, query_.apart);
                        own = {query_.apart, e.unit, OwnFormat::kF16};
                    }
                    const float l2 = l2_squared(kernels(), query_.embedded, own, shape_.layout.padded);
                    bounds = bounds_of(own, l2, e.error, e.norm_squared, query_.embedded);
                }
                push({narrowed(bounds, e.fingerprint), kNoPosting, 0, 0, e.tid, e.fingerprint});
            }
        },
        poll);
    const Meta after = read_meta(index_);
    prepare(after);
    return after;
}

void VamanaScan::push_node(NodeId id, const ConstNode& node, Bounds bounds) {
    const NodeHeader& h = node.header();
    bounds = narrowed(bounds, h.fingerprint);
    for (std::size_t i = 0; i < h.tid_count; ++i)
        push({bounds, kNoPosting, id, h.version, h.tids[i], h.fingerprint});
    if (h.posting != kNoPosting) push({bounds, h.posting, id, h.version, kAfterRows, h.fingerprint});
}

// In a search everything is kept; in a sweep the nearest `window_` that follow sweep_from_.
void VamanaScan::push(const Result& result) {
    if (stage_ == Stage::kSweep || stage_ == Stage::kLate) return keep_window(result);
    heap_.push_back(result);
}

bool VamanaScan::pop(Result* result) {
    if (heap_.empty() || budget_ == 0) return false;
    std::pop_heap(heap_.begin(), heap_.end(), farther);
    *result = heap_.back();
    heap_.pop_back();
    --budget_;
    return true;
}

void VamanaScan::put_back(const Result& result) {
    heap_.push_back(result);
    std::push_heap(heap_.begin(), heap_.end(), farther);
    ++budget_;
}

// Replaces a node's chain by the rows of its first record, and the rest of the chain. Where a vacuum took the
// record away, the chain is read from its start again: rows that were returned are not returned again.
void VamanaScan::read_chain(const Result& chain) {
    const PostingOwner owner{chain.owner, chain.version};
    PostingRecord record;
    if (!read_posting(index_, chain.posting, owner, &record)) {
        record = PostingRecord{};
        record.next = reread_chain(index_, index_cache(index_, read_meta(index_)), chain.posting, owner);
    }
    Result result = chain;
    result.posting = kNoPosting;
    for (std::size_t i = 0; i < record.count; ++i) {
        result.tid = record.tids[i];
        put_back(result);
    }
    result.posting = record.next;
    result.tid = kAfterRows;
    if (record.next != kNoPosting) put_back(result);
}

}  // namespace vecidx

// The merge worker and who starts it. See background.hpp.
#include "am/background.hpp"

#include "am/graph_build.hpp"
#include "am/merge.hpp"
#include "am/merge_lock.hpp"
#include "am/options.hpp"
#include "storage/pending.hpp"

namespace vecidx {
namespace {

// What the worker is told, in bgw_extra.
struct Order {
    Oid database;
    Oid index;
};
static_assert(sizeof(Order) <= BGW_EXTRALEN);

// Rows that an inserter merges itself where no worker can start.
constexpr std::size_t kSliceRows = 256;

bool register_worker(Relation index) {
    BackgroundWorker worker{};
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    strlcpy(worker.bgw_library_name, "vecidx", sizeof worker.bgw_library_name);
    strlcpy(worker.bgw_function_name, "vecidx_merge_worker", sizeof worker.bgw_function_name);
    strlcpy(worker.bgw_name, "vecidx merge worker", sizeof worker.bgw_name);
    strlcpy(worker.bgw_type, "vecidx merge worker", sizeof worker.bgw_type);
    const Order order{MyDatabaseId, RelationGetRelid(index)};
    std::memcpy(worker.bgw_extra, &order, sizeof order);
    return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

// Starts a worker unless this backend has just done so, and it may not have had its turn yet. False when
// there is no room for one.
bool start_worker(Relation index) {
    constexpr int kPatience = 1000;  // ms
    const TimestampTz now = GetCurrentTimestamp();
    IndexCache* cache = index_cache(index, read_meta(index));
    if (!TimestampDifferenceExceeds(cache->worker_started, now, kPatience)) return true;
    if (!register_worker(index)) return false;
    cache->worker_started = now;
    return true;
}

// A worker sees what is committed: not an index that this transaction has made, nor a temporary one.
bool worker_can_see(Relation index) {
    return index->rd_rel->relpersistence != RELPERSISTENCE_TEMP &&
           index->rd_createSubid == InvalidSubTransactionId &&
           relation_file_subid(index) == InvalidSubTransactionId;
}

// Rows outside the graph from which a merge is due.
std::size_t pending_limit(Relation index, const NodeLayout& layout) {
    constexpr std::size_t kBytes = 1 << 20;  // of vectors, which a scan looks at in some 0.2 ms
    const int option = options_of(index).pending_limit;
    if (option > 0) return static_cast<std::size_t>(option);
    return std::max(kBytes / stored_bytes(OwnFormat::kF16, layout.padded), least_graph_rows(layout));
}

// Rows that come at a great rate, as by COPY, had better be merged together: waits while they do, and while
// the pending area is smaller than the graph, or, beside a small one, than what a scan looks at in some
// milliseconds.
void let_grow(Relation index) {
    constexpr long kLook = 20;                 // ms
    constexpr std::size_t kLeastGrowth = 200;  // rows in that time: about what a merge does in it
    constexpr int kMostLooks = 500;
    constexpr std::size_t kFew = std::size_t{16} << 20;  // bytes of vectors
    const Meta first = read_meta(index);
    const NodeLayout& layout = first.shape.layout;
    const std::size_t per_page = pending_entries_per_page(layout);
    const std::size_t few = kFew / stored_bytes(OwnFormat::kF16, layout.padded);
    std::size_t before = first.pending_pages * per_page;
    for (int look = 0; look < kMostLooks; ++look) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, kLook, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        const Meta meta = read_meta(index);
        const std::size_t now = meta.pending_pages * per_page;
        if (now < before + kLeastGrowth || now >= std::max<std::size_t>(meta.node_count, few)) return;
        before = now;
    }
}

}  // namespace

void merge_while_due(Relation index) {
    double merged = 1;
    while (merged > 0 && is_merge_due(index)) {
        let_grow(index);
        PushActiveSnapshot(GetTransactionSnapshot());  // parallel workers are given one
        merged = merge_as_command(index);
        PopActiveSnapshot();
    }
}

bool is_merge_due(Relation index) {
    const Meta meta = read_meta(index);
    const NodeLayout& layout = meta.shape.layout;
    return meta.pending_pages * pending_entries_per_page(layout) >= pending_limit(index, layout);
}

void merge_if_due(Relation index) {
    if (!is_merge_due(index)) return;
    if (worker_can_see(index)) {
        // Somebody who merges already goes on until the area is below its limit.
        if (!try_with_lock(index, IndexLock::kTurn, [] {})) return;
        if (start_worker(index)) return;
    }
    merge_slice(index, kSliceRows);
}

}  // namespace vecidx

extern "C" {
PGDLLEXPORT void vecidx_merge_worker(Datum argument);

void vecidx_merge_worker(Datum) {
    vecidx::Order order;
    std::memcpy(&order, MyBgworkerEntry->bgw_extra, sizeof order);
    // A background worker's own handler would end it in the middle of anything, a critical section included.
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    // As nobody in particular, as autovacuum is: no function of a user is called here.
    BackgroundWorkerInitializeConnectionByOid(order.database, InvalidOid, 0);
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    pgstat_report_activity(STATE_RUNNING, "merging pending rows of a vamana index");
    const Oid heap = IndexGetRelation(order.index, true);
    if (OidIsValid(heap)) {
        LockRelationOid(heap, RowExclusiveLock);
        const Relation index = try_relation_open(order.index, RowExclusiveLock);
        if (index != nullptr) {
            // One worker an index; others were started before this one had its turn.
            vecidx::try_with_lock(index, vecidx::IndexLock::kTurn,
                                  [index] { vecidx::merge_while_due(index); });
            relation_close(index, RowExclusiveLock);
        }
    }
    CommitTransactionCommand();
    pgstat_report_activity(STATE_IDLE, nullptr);
}
}

// Starting, meeting and ending of a build's workers. See build_team.hpp.
#include "am/build_team.hpp"

namespace vecidx {
namespace {

// Keys of the workers' table of contents.
constexpr std::uint64_t kSharedKey = 0x7665636900000001;
constexpr std::uint64_t kScanKey = 0x7665636900000002;
constexpr std::uint64_t kQueryKey = 0x7665636900000003;
constexpr std::uint64_t kWalKey = 0x7665636900000004;
constexpr std::uint64_t kBufferKey = 0x7665636900000005;

constexpr std::size_t kLeastMemory = std::size_t{8} << 20;  // of mapped memory, a process
constexpr long kPatience = 1000;                            // ms between looks, should a wake-up be missed

std::uint32_t load(std::uint32_t& value) {
    return std::atomic_ref<std::uint32_t>(value).load(std::memory_order_acquire);
}

template <typename Done>
void wait_until(BuildShared* shared, Done done) {
    ConditionVariablePrepareToSleep(&shared->met);
    while (!done())
        ConditionVariableTimedSleep(&shared->met, kPatience, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
    ConditionVariableCancelSleep();
}

void announce_team(BuildShared* shared, std::uint32_t size) {
    std::atomic_ref<std::uint32_t>(shared->team).store(size, std::memory_order_release);
    ConditionVariableBroadcast(&shared->met);
}

BuildShared* set_up(void* memory, const BuildWork& work) {
    auto* shared = static_cast<BuildShared*>(memory);
    std::memset(shared, 0, sizeof *shared);
    ConditionVariableInit(&shared->met);
    work.fill(shared, work.context);
    return shared;
}

ParallelTableScanDesc make_scan(shm_toc* toc, Relation heap, Snapshot snapshot) {
    auto* scan = static_cast<ParallelTableScanDesc>(
        shm_toc_allocate(toc, table_parallelscan_estimate(heap, snapshot)));
    table_parallelscan_initialize(heap, scan, snapshot);
    shm_toc_insert(toc, kScanKey, scan);
    return scan;
}

// Room for what each worker counts.
template <typename Usage>
Usage* make_usage(shm_toc* toc, std::uint64_t key, int workers) {
    auto* usage =
        static_cast<Usage*>(shm_toc_allocate(toc, sizeof(Usage) * static_cast<std::size_t>(workers)));
    shm_toc_insert(toc, key, usage);
    return usage;
}

void make_query(shm_toc* toc) {
    if (debug_query_string == nullptr) return;
    const std::size_t bytes = std::strlen(debug_query_string) + 1;
    auto* query = static_cast<char*>(shm_toc_allocate(toc, bytes));
    std::memcpy(query, debug_query_string, bytes);
    shm_toc_insert(toc, kQueryKey, query);
}

void estimate(ParallelContext* context, Relation heap, Snapshot snapshot, int workers) {
    const std::size_t chunks[] = {
        sizeof(BuildShared),
        heap != nullptr ? table_parallelscan_estimate(heap, snapshot) : 1,
        sizeof(WalUsage) * static_cast<std::size_t>(workers),
        sizeof(BufferUsage) * static_cast<std::size_t>(workers),
        debug_query_string != nullptr ? std::strlen(debug_query_string) + 1 : 1,
    };
    for (const std::size_t bytes : chunks) shm_toc_estimate_chunk(&context->estimator, bytes);
    shm_toc_estimate_keys(&context->estimator, lengthof(chunks));
}

}  // namespace

std::size_t mapped_memory(const BuildShared& shared) {
    const std::size_t each = shared.memory / shared.team;
    return each > shared.scratch + kLeastMemory ? each - shared.scratch : kLeastMemory;
}

void BuildTeam::meet(void* context) {
    BuildShared* shared = static_cast<BuildTeam*>(context)->shared;
    CHECK_FOR_INTERRUPTS();
    const std::uint32_t meeting = load(shared->meetings);
    const std::atomic_ref<std::uint32_t> arrived(shared->arrived);
    if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 < load(shared->team)) {
        wait_until(shared, [&] { return load(shared->meetings) != meeting; });
        return;
    }
    arrived.store(0, std::memory_order_relaxed);
    std::atomic_ref<std::uint32_t>(shared->meetings).store(meeting + 1, std::memory_order_release);
    ConditionVariableBroadcast(&shared->met);
}

void run_team(const TeamPlan& plan, const BuildWork& work) {
    if (plan.workers == 0) {  // not in parallel mode, which not every expression allows
        BuildShared* shared = set_up(palloc(sizeof(BuildShared)), work);
        announce_team(shared, 1);
        return work.lead(shared, nullptr, work.context);
    }
    EnterParallelMode();
    ParallelContext* context = CreateParallelContext("vecidx", "vecidx_build_worker", plan.workers);
    const Snapshot snapshot = plan.concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
    estimate(context, plan.heap, snapshot, plan.workers);
    InitializeParallelDSM(context);
    BuildShared* shared = set_up(shm_toc_allocate(context->toc, sizeof(BuildShared)), work);
    shm_toc_insert(context->toc, kSharedKey, shared);
    const ParallelTableScanDesc scan =
        plan.heap != nullptr ? make_scan(context->toc, plan.heap, snapshot) : nullptr;
    auto* wal = make_usage<WalUsage>(context->toc, kWalKey, plan.workers);
    auto* buffers = make_usage<BufferUsage>(context->toc, kBufferKey, plan.workers);
    make_query(context->toc);
    LaunchParallelWorkers(context);
    const int launched = context->nworkers_launched;
    if (launched > 0) WaitForParallelWorkersToAttach(context);
    announce_team(shared, static_cast<std::uint32_t>(launched) + 1);

    work.lead(shared, scan, work.context);

    WaitForParallelWorkersToFinish(context);
    for (int i = 0; i < launched; ++i) InstrAccumParallelQuery(&buffers[i], &wal[i]);
    if (plan.concurrent) UnregisterSnapshot(snapshot);
    DestroyParallelContext(context);
    ExitParallelMode();
}

std::size_t memory_in_all() {
    return static_cast<std::size_t>(maintenance_work_mem) * 1024;
}

namespace {

// Whether a worker may compute the index's expressions.
bool is_safe(const IndexInfo* info) {
    PlannerInfo* root = makeNode(PlannerInfo);
    root->glob = makeNode(PlannerGlobal);
    root->glob->maxParallelHazard = PROPARALLEL_RESTRICTED;
    return is_parallel_safe(root, reinterpret_cast<Node*>(info->ii_Expressions)) &&
           is_parallel_safe(root, reinterpret_cast<Node*>(info->ii_Predicate));
}

}  // namespace

BlockNumber blocks_in_all(Relation heap) {
    BlockNumber blocks = RelationGetNumberOfBlocks(heap);
    if (!OidIsValid(heap->rd_rel->reltoastrelid)) return blocks;
    const Relation toast = table_open(heap->rd_rel->reltoastrelid, AccessShareLock);
    blocks += RelationGetNumberOfBlocks(toast);
    table_close(toast, AccessShareLock);
    return blocks;
}

// The planner's own rule (plan_create_index_workers) looks at the table without its TOAST table, and takes
// a build for a scan; this one is work on every row. Memory is shared out, so there is enough for any number.
int plan_build_workers(Relation heap, Relation index, const IndexInfo* info) {
    const int most = max_parallel_maintenance_workers;
    if (most <= 0 || !IsNormalProcessingMode() || IsInParallelMode() || RelationUsesLocalBuffers(index) ||
        !is_safe(info))
        return 0;
    const int wanted = RelationGetParallelWorkers(heap, -1);
    if (wanted >= 0) return std::min(wanted, most);
    return blocks_in_all(heap) < static_cast<BlockNumber>(min_parallel_table_scan_size) ? 0 : most;
}

int plan_merge_workers(Relation index, std::size_t vectors, std::size_t memory) {
    constexpr std::size_t kShare = std::size_t{4} << 20;  // of a process: less is done before it has started
    if (!IsNormalProcessingMode() || IsInParallelMode() || RelationUsesLocalBuffers(index) ||
        !ActiveSnapshotSet())
        return 0;
    const auto fit =
        static_cast<int>(std::min(vectors / kShare, memory_in_all() * kLeastPart / (memory + 1)));
    return std::clamp(fit - 1, 0, max_parallel_maintenance_workers);
}

}  // namespace vecidx

extern "C" {
PGDLLEXPORT void vecidx_build_worker(dsm_segment* segment, shm_toc* toc);

void vecidx_build_worker(dsm_segment*, shm_toc* toc) {
    using namespace vecidx;
    auto* shared = static_cast<BuildShared*>(shm_toc_lookup(toc, kSharedKey, false));
    auto* scan = static_cast<ParallelTableScanDesc>(shm_toc_lookup(toc, kScanKey, true));
    debug_query_string = static_cast<char*>(shm_toc_lookup(toc, kQueryKey, true));
    pgstat_report_activity(STATE_RUNNING, debug_query_string);
    const bool creates = shared->job == BuildJob::kCreateIndex;
    const LOCKMODE heap_lock = !creates             ? AccessShareLock
                               : shared->concurrent ? ShareUpdateExclusiveLock
                                                    : ShareLock;
    const LOCKMODE index_lock = creates && !shared->concurrent ? AccessExclusiveLock : RowExclusiveLock;
    const Relation heap = table_open(shared->heap, heap_lock);
    const Relation index = index_open(shared->index, index_lock);
    InstrStartParallelQuery();
    wait_until(shared, [&] { return load(shared->team) > 0; });
    const unsigned worker = static_cast<unsigned>(ParallelWorkerNumber) + 1;
    if (creates)
        build_as_worker(heap, index, shared, worker, scan);
    else
        merge_as_worker(index, shared, worker);
    auto* wal = static_cast<WalUsage*>(shm_toc_lookup(toc, kWalKey, false));
    auto* buffers = static_cast<BufferUsage*>(shm_toc_lookup(toc, kBufferKey, false));
    InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);
    index_close(index, index_lock);
    table_close(heap, heap_lock);
}
}

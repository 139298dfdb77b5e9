// The list of this backend's gatherings, and when they are written. See gathering.hpp.
#include "am/gathering.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kPages = 2;  // what a record takes beside metapage and tail
constexpr int kMost = 1024;        // 16 MB

Gathering* open_gatherings = nullptr;
int open_count = 0;
ExecutorStart_hook_type next_executor_start = nullptr;

void write_all() {
    for (Gathering* g = open_gatherings; g != nullptr; g = g->next()) {
        if (g->empty()) continue;
        const Relation index = index_open(g->index(), RowExclusiveLock);
        g->write(index);
        index_close(index, NoLock);
    }
}

void at_executor_start(QueryDesc* query, int flags) {
    if (query->plannedstmt->parallelModeNeeded) write_all();
    if (next_executor_start != nullptr)
        next_executor_start(query, flags);
    else
        standard_ExecutorStart(query, flags);
}

void at_transaction_event(XactEvent event, void*) {
    if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) write_all();
}

}  // namespace

Gathering::Gathering(Relation index, const NodeLayout& layout, MemoryContext context)
    : index_(RelationGetRelid(index)),
      layout_(layout),
      width_(pending_entry_bytes(layout)),
      capacity_(kPages * pending_entries_per_page(layout)),
      rows_(static_cast<std::byte*>(MemoryContextAlloc(context, capacity_ * width_))),
      next_(open_gatherings),
      link_(&open_gatherings) {
    if (next_ != nullptr) next_->link_ = &next_;
    open_gatherings = this;
    ++open_count;
    at_reset_.func = forget;
    at_reset_.arg = this;
    MemoryContextRegisterResetCallback(context, &at_reset_);
}

void Gathering::forget(void* gathering) {
    auto* g = static_cast<Gathering*>(gathering);
    *g->link_ = g->next_;
    if (g->next_ != nullptr) g->next_->link_ = g->link_;
    --open_count;
    if (!g->empty() && IsTransactionState())
        elog(ERROR, "a statement ended before its rows were in index %u", g->index_);
}

void Gathering::add(const PendingRow& row) {
    pack(layout_, row, rows_ + count_ * width_);
    ++count_;
}

Appended Gathering::write(Relation index) {
    const Appended appended = append_pending(index, {rows_, count_});
    count_ = 0;
    return appended;
}

bool may_gather() {
    return open_count < kMost;
}

void write_gathered(Relation index) {
    for (Gathering* g = open_gatherings; g != nullptr; g = g->next())
        if (g->index() == RelationGetRelid(index) && !g->empty()) g->write(index);
}

void watch_gatherings() {
    next_executor_start = ExecutorStart_hook;
    ExecutorStart_hook = at_executor_start;
    RegisterXactCallback(at_transaction_event, nullptr);
}

}  // namespace vecidx

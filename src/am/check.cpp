// vamana_check, and the part of a check that is about pages and lists. See check.hpp.
#include "am/check.hpp"

#include "am/admin.hpp"
#include "am/merge_lock.hpp"
#include "am/row_embedder.hpp"
#include "storage/node_store.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kFloatsPerPage = kPageBytes / sizeof(float);

const char* kind_name(PageKind kind) {
    constexpr const char* kNames[] = {"empty",   "meta",    "codebook", "node",
                                      "pending", "posting", "vector",   "free"};
    const auto i = static_cast<std::size_t>(kind);
    return i < std::size(kNames) ? kNames[i] : "unknown";
}

std::uint16_t allowed_flags(PageKind kind) {
    if (kind == PageKind::kPending) return kPendingClosed;
    return kind == PageKind::kNode || kind == PageKind::kPosting ? kInFreeList : 0;
}

bool all_finite(const float* floats, std::size_t count) {
    return std::all_of(floats, floats + count, [](float f) { return std::isfinite(f); });
}

}  // namespace

IndexCheck::IndexCheck(Relation index, MemoryContext context)
    : index_(index),
      memory_(context),
      meta_(read_meta(index)),
      shape_(meta_.shape),
      layout_(shape_.layout),
      space_(shape_.metric, shape_.dims),
      replayed_(RecoveryInProgress() ? GetXLogReplayRecPtr(nullptr) : InvalidXLogRecPtr),
      block_count_(RelationGetNumberOfBlocks(index)),
      strategy_(GetAccessStrategy(BAS_BULKREAD)),
      floats_(&memory_),
      z_(layout_.padded, &memory_),
      other_z_(layout_.padded, &memory_),
      page_(BLCKSZ, &memory_),
      chain_page_(BLCKSZ, &memory_),
      halves_(stored_bytes(OwnFormat::kF16, layout_.padded), &memory_),
      code_(layout_.code_bytes(), &memory_),
      targets_(&memory_),
      blocks_(block_count_, &memory_),
      slots_(&memory_),
      fingerprints_(&memory_),
      parents_(&memory_),
      further_pins_(&memory_),
      rows_(&memory_),
      postings_(&memory_),
      apart_(&memory_) {}

void IndexCheck::check_structure() {
    check_meta();
    check_codebook();
    const std::size_t slots = static_cast<std::size_t>(block_count_) * shape_.nodes_per_page;
    slots_.resize(slots);
    fingerprints_.resize(slots);
    parents_.assign(slots, kNoNode);
    check_pages();
    check_free_list(&Meta::free_nodes, PageKind::kNode);
    check_free_list(&Meta::free_postings, PageKind::kPosting);
    check_all_edges();
    check_entries();
    check_tree();
    check_counters();
    check_pending();
    check_duplicates();
}

// On a standby: whether a page of the index was written since the check began.
bool IndexCheck::replayed_since_start() {
    if (replayed_ == InvalidXLogRecPtr) return false;
    const BlockNumber count = RelationGetNumberOfBlocks(index_);
    for (BlockNumber block = 0; block < count; ++block) {
        CHECK_FOR_INTERRUPTS();
        const Buffer buffer = ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const XLogRecPtr written = PageGetLSN(BufferGetPage(buffer));
        UnlockReleaseBuffer(buffer);
        if (written > replayed_) return true;
    }
    return false;
}

void IndexCheck::fail(BlockNumber block, const char* detail) {
    if (replayed_since_start())
        ereport(ERROR, errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                errmsg("index \"%s\" was changed by replay while it was checked",
                       RelationGetRelationName(index_)),
                errhint("Check again, or pause replay with pg_wal_replay_pause() meanwhile."));
    report_corruption(index_, block, detail);
}

// Copies a page, checked for itself; a page that is new stays all zero.
Page IndexCheck::read(BlockNumber block, std::byte* into) {
    CHECK_FOR_INTERRUPTS();
    if (block >= block_count_ && block >= RelationGetNumberOfBlocks(index_))
        fail(block, "Another page leads to it, but it is past the end of the index.");
    const Buffer buffer = ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    std::memcpy(into, BufferGetPage(buffer), BLCKSZ);
    UnlockReleaseBuffer(buffer);
    const Page page = reinterpret_cast<Page>(into);
    if (!PageIsNew(page)) check_tail(block, page);
    return page;
}

// The same, for a page that another page says to be of a kind.
Page IndexCheck::read(BlockNumber block, std::byte* into, PageKind kind) {
    const Page page = read(block, into);
    const PageKind found = PageIsNew(page) ? PageKind{} : page_kind(page);
    if (found != kind)
        fail(block, psprintf("Another page leads to it as a %s page, but it is %s.", kind_name(kind),
                             kind_name(found)));
    return page;
}

void IndexCheck::check_tail(BlockNumber block, Page page) {
    if (PageGetSpecialSize(page) != MAXALIGN(sizeof(PageTail)) || page_tail(page).page_id != kPageId)
        fail(block, "The page is not one of a vamana index.");
    const PageTail& tail = page_tail(page);
    if (tail.kind < PageKind::kMeta || tail.kind > PageKind::kFree ||
        (tail.kind == PageKind::kMeta) != (block == kMetaBlock))
        fail(block,
             psprintf("The page is of kind %u, which it cannot be.", static_cast<unsigned>(tail.kind)));
    if ((tail.flags & ~allowed_flags(tail.kind)) != 0)
        fail(block, psprintf("The page has flags %u, which a %s page cannot have.", tail.flags,
                             kind_name(tail.kind)));
    std::size_t used = kPageBytes;
    if (tail.kind == PageKind::kNode) used = node_page_bytes(shape_);
    if (tail.kind == PageKind::kMeta) used = sizeof(Meta);
    if (tail.kind == PageKind::kFree) used = 0;
    if (tail.kind == PageKind::kCodebook || tail.kind == PageKind::kVector) used = tail.count;
    if (tail.kind == PageKind::kPending) used = tail.count * pending_entry_bytes(layout_);
    if (used > kPageBytes)
        fail(block, psprintf("The page says that it holds %u things, which do not fit.", tail.count));
    const auto lower = reinterpret_cast<PageHeader>(page)->pd_lower;
    // A batch that was interrupted leaves pages without their slots.
    if (tail.kind == PageKind::kNode && lower == MAXALIGN(SizeOfPageHeaderData)) used = 0;
    if (lower != MAXALIGN(SizeOfPageHeaderData) + used)
        fail(block, psprintf("The used part of the page ends at byte %u, but its contents at %zu.", lower,
                             MAXALIGN(SizeOfPageHeaderData) + used));
}

// What read_meta does not check of it.
void IndexCheck::check_meta() {
    read(kMetaBlock, page_.data());
    const Meta& m = meta_;
    if (m.merging != 0 && m.merging != m.batch + 1)
        fail(kMetaBlock, "The merge that is under way is not the next one.");
    if (m.tombstones > m.node_count) fail(kMetaBlock, "There are more tombstones than nodes.");
    const bool graph = m.medoid != kNoNode, codebook = m.codebook != InvalidBlockNumber;
    if ((m.trained > 0) != graph || (m.trained > 0) != codebook || (m.trained > 0) != (m.centroid_count > 0))
        fail(kMetaBlock, "It is not clear whether the index has a graph.");
    if (!std::isfinite(m.rescale_unit) || !std::isfinite(m.max_norm_squared) || m.max_norm_squared < 0 ||
        (m.trained > 0 && m.rescale_unit <= 0) || !std::isfinite(shape_.alpha) || shape_.build_list_size == 0)
        fail(kMetaBlock, "A number in it is out of range.");
}

void IndexCheck::check_codebook() {
    if (meta_.trained == 0) return;
    const std::size_t count = geometry_floats(layout_.padded, meta_.centroid_count);
    floats_.resize(count);
    BlockNumber block = meta_.codebook, last = kMetaBlock;
    for (std::size_t at = 0; at < count; at += kFloatsPerPage) {
        if (block == InvalidBlockNumber) fail(last, "The codebook's chain ends too early.");
        const Page page = read(block, page_.data(), PageKind::kCodebook);
        const std::size_t n = std::min(kFloatsPerPage, count - at);
        if (page_tail(page).count != n * sizeof(float))
            fail(block, "The page of the codebook has the wrong length.");
        std::memcpy(floats_.data() + at, page_contents(page), n * sizeof(float));
        if (!all_finite(floats_.data() + at, n)) fail(block, "The codebook has a value that is not finite.");
        last = block;
        block = page_tail(page).next;
    }
    if (block != InvalidBlockNumber) fail(last, "The codebook's chain does not end.");
    book_ = {layout_.padded,
             layout_.code_dims,
             layout_.bits,
             meta_.centroid_count,
             floats_.data() + 2 * layout_.padded,
             meta_.rescale_unit};
}

// Every page by itself, and every node by itself.
void IndexCheck::check_pages() {
    for (BlockNumber block = kMetaBlock + 1; block < block_count_; ++block) {
        const Page page = read(block, page_.data());
        if (PageIsNew(page)) continue;  // added by an extension of the file that a crash cut short
        const PageTail& tail = page_tail(page);
        blocks_[block] = static_cast<std::uint8_t>(tail.kind);
        if ((tail.flags & allowed_flags(tail.kind) & kInFreeList) != 0) blocks_[block] |= kFlagged;
        const bool listable = tail.kind == PageKind::kNode || tail.kind == PageKind::kPosting;
        if (listable && (blocks_[block] & kFlagged) == 0 && tail.next != InvalidBlockNumber)
            fail(block, "The page is on no free list, but leads to a next page.");
        if (tail.kind == PageKind::kNode) check_node_page(block, page);
        if (tail.kind == PageKind::kPosting) check_posting_page(block, page);
    }
}

void IndexCheck::check_posting_page(BlockNumber block, Page page) {
    const PostingRecord* records = page_contents<PostingRecord>(page);
    std::size_t in_use = 0;
    for (std::size_t i = 0; i < kPostingsPerPage; ++i) {
        if (records[i].count == kPostingFree) continue;
        ++in_use;
        if (records[i].count > kPostingTids)
            fail(block, psprintf("Posting record %zu says that it has %u rows, at most %zu fit.", i,
                                 records[i].count, kPostingTids));
    }
    if (in_use != page_tail(page).count)
        fail(block, psprintf("%zu posting records are in use, but the page says %u.", in_use,
                             page_tail(page).count));
}

// A list holds just the pages that say so, each once. Merges and vacuums alone change it, but that inserters
// take records off the first of the posting pages, and with the last one the page off the list.
void IndexCheck::check_free_list(BlockNumber Meta::*list, PageKind kind) {
    if (is_dropping()) return;
    const auto flagged = [&](BlockNumber block) {
        return (page_tail(read(block, page_.data(), kind)).flags & kInFreeList) != 0;
    };
    BlockNumber head = read_meta(index_).*list;
    for (BlockNumber block = head; block != InvalidBlockNumber;) {
        if (!flagged(block)) {
            const BlockNumber now = read_meta(index_).*list;
            if (now == head) fail(block, "The page is on a free list, but does not say so.");
            block = head = now;
            continue;
        }
        if (block < block_count_) {
            if ((blocks_[block] & kListed) != 0) fail(block, "The page is twice on a free list.");
            blocks_[block] |= kListed;
        }
        block = page_tail(reinterpret_cast<Page>(page_.data())).next;
    }
    for (BlockNumber block = 0; block < block_count_; ++block)
        if (kind_of(block) == kind && (blocks_[block] & (kFlagged | kListed)) == kFlagged && flagged(block))
            fail(block, "The page says that it is on a free list, but is not.");
}

namespace {

struct HeapCheck {
    IndexCheck* check;
    MemoryContext scratch;
};

void check_row(Relation, ItemPointer tid, Datum* values, bool* isnull, bool, void* context) {
    if (isnull[0]) return;
    auto* state = static_cast<HeapCheck*>(context);
    const MemoryContext old = MemoryContextSwitchTo(state->scratch);
    state->check->check_heap_row(heap_tid(*tid), values[0]);
    MemoryContextSwitchTo(old);
    MemoryContextReset(state->scratch);
}

// A snapshot for which every row is in the index, taken before the index is looked at.
Snapshot heap_snapshot(Relation index) {
    const Snapshot snapshot = RegisterSnapshot(GetTransactionSnapshot());
    if (IsolationUsesXactSnapshot() && index->rd_index->indcheckxmin &&
        !TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), snapshot->xmin))
        ereport(
            ERROR, errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
            errmsg("index \"%s\" is too new for the transaction's snapshot", RelationGetRelationName(index)));
    return snapshot;
}

// Looks for every row of the table. Expressions and predicates of the index run as the table's owner.
void check_heap(const OpenIndex& open, Snapshot snapshot, IndexCheck* check, MemoryContext context) {
    Oid user;
    int security;
    GetUserIdAndSecContext(&user, &security);
    SetUserIdAndSecContext(open.heap->rd_rel->relowner, security | SECURITY_RESTRICTED_OPERATION);
    const int nest_level = NewGUCNestLevel();
    restrict_search_path();

    HeapCheck state{check, AllocSetContextCreate(context, "vamana check row", ALLOCSET_DEFAULT_SIZES)};
    IndexInfo* info = BuildIndexInfo(open.index);
    info->ii_Concurrent = true;
    info->ii_Unique = false;
    const TableScanDesc scan = table_beginscan_strat(open.heap, snapshot, 0, nullptr, true, true);
    table_index_build_scan(open.heap, open.index, info, true, false, check_row, &state, scan);
    elog(DEBUG1, "found %llu rows of table \"%s\" in index \"%s\"",
         static_cast<unsigned long long>(check->heap_rows()), RelationGetRelationName(open.heap),
         RelationGetRelationName(open.index));

    AtEOXact_GUC(false, nest_level);
    SetUserIdAndSecContext(user, security);
}

void check_index(Oid oid, bool heapallindexed) {
    const OpenIndex open = open_index(oid, AccessShareLock, Allowed::kOwner);
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana check", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    without_merges(open.index, [&] {
        const Snapshot snapshot = heapallindexed ? heap_snapshot(open.index) : nullptr;
        auto* check = make_in<IndexCheck>(context, open.index, context);
        check->check_structure();
        if (snapshot == nullptr) return;
        check_heap(open, snapshot, check, context);
        UnregisterSnapshot(snapshot);
    });
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
    close_index(open);
}

}  // namespace
}  // namespace vecidx

extern "C" {
PG_FUNCTION_INFO_V1(vecidx_vamana_check);
PGDLLEXPORT Datum vecidx_vamana_check(PG_FUNCTION_ARGS) {
    vecidx::check_index(PG_GETARG_OID(0), PG_GETARG_BOOL(1));
    PG_RETURN_VOID();
}
}

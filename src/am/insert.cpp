// INSERT: rows go to the pending area, with no look at the graph; now and then a nudge to merge. What a
// statement's rows have in common is kept from the first to the last of them. An UPDATE that leaves the
// vector alone looks for its node.
#include "am/background.hpp"
#include "am/callbacks.hpp"
#include "am/equal_node.hpp"
#include "am/gathering.hpp"
#include "am/row_embedder.hpp"
#include "storage/node_store.hpp"

namespace vecidx {
namespace {

// Of one statement and one index, in IndexInfo::ii_AmCache.
struct Inserts {
    Inserts(Relation index, Relation heap, const IndexInfo* info, const IndexShape& shape)
        : layout(shape.layout),
          embedder(shape, type_support(index)),
          row_context(AllocSetContextCreate(info->ii_Context, "vamana insert", ALLOCSET_SMALL_SIZES)),
          may_gather(kStatementsEnd && !info->ii_Concurrent && layout.own_place == OwnPlace::kInline &&
                     heap->rd_rel->relam == HEAP_TABLE_AM_OID) {}

    NodeLayout layout;
    RowEmbedder embedder;
    MemoryContext row_context;  // for the embedding of a row
    Gathering* gathering = nullptr;
    Buffer heap_hint = InvalidBuffer;
    bool may_gather;
    bool appended = false;         // a row
    bool noted_unindexed = false;  // that there is one
};

Inserts& inserts_of(Relation index, Relation heap, IndexInfo* info) {
    if (info->ii_AmCache == nullptr) {
        const MemoryContext old = MemoryContextSwitchTo(info->ii_Context);
        const IndexCache* cache = peek_cache(index);
        if (cache == nullptr) cache = index_cache(index, read_meta(index));
        info->ii_AmCache = make_in<Inserts>(info->ii_Context, index, heap, info, IndexShape(cache->shape));
        MemoryContextSwitchTo(old);
    }
    return *static_cast<Inserts*>(info->ii_AmCache);
}

bool embed(Inserts& inserts, Datum value) {
    const MemoryContext old = MemoryContextSwitchTo(inserts.row_context);
    const bool indexed = inserts.embedder.embed(value);
    MemoryContextSwitchTo(old);
    MemoryContextReset(inserts.row_context);
    return indexed;
}

// Whether a heap row may be taken back while its transaction goes on.
bool is_speculative(Relation heap, ItemPointer tid, Buffer* hint) {
    const Buffer buffer = pin_with_hint(heap, ItemPointerGetBlockNumber(tid), hint);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    const ItemId item = PageGetItemId(page, ItemPointerGetOffsetNumber(tid));
    const bool speculative =
        HeapTupleHeaderIsSpeculative(reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item)));
    UnlockReleaseBuffer(buffer);
    return speculative;
}

// Where the row is to be gathered, or nullptr.
Gathering* gathering_for(Inserts& inserts, Relation index, Relation heap, ItemPointer tid, IndexInfo* info) {
    const bool first = !std::exchange(inserts.appended, true);
    if (first || !inserts.may_gather || is_speculative(heap, tid, &inserts.heap_hint)) return nullptr;
    if (inserts.gathering == nullptr && may_gather())
        inserts.gathering = make_in<Gathering>(info->ii_Context, index, inserts.layout, info->ii_Context);
    return inserts.gathering;
}

}  // namespace

bool vamana_insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap,
                   IndexUniqueCheck, bool unchanged, IndexInfo* info) {
    if (unchanged && !isnull[0] && add_to_equal_node(index, values[0], heap_tid(*tid))) return false;
    Inserts& inserts = inserts_of(index, heap, info);
    if (isnull[0] || !embed(inserts, values[0])) {
        if (!std::exchange(inserts.noted_unindexed, true)) note_unindexed(index);
        return false;
    }
    PendingRow row{inserts.embedder.entry(), inserts.embedder.halves()};
    row.entry.tid = heap_tid(*tid);
    if (inserts.layout.own_place == OwnPlace::kApart)
        row.entry.own_block = write_apart(index, inserts.layout, row.vector);
    Appended appended = Appended::kOnOldPage;
    if (Gathering* gathering = gathering_for(inserts, index, heap, tid, info)) {
        gathering->add(row);
        if (gathering->full()) appended = gathering->write(index);
    } else {
        appended = append_pending(index, row);
    }
    if (appended == Appended::kOnNewPage) merge_if_due(index);
    return false;
}

void vamana_insert_cleanup(Relation index, IndexInfo* info) {
    const auto* inserts = static_cast<const Inserts*>(info->ii_AmCache);
    if (inserts == nullptr || inserts->gathering == nullptr) return;
    if (inserts->gathering->write(index) == Appended::kOnNewPage) merge_if_due(index);
}

}  // namespace vecidx

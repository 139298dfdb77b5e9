// INSERT: one append to the pending area, no look at the graph; now and then a nudge to merge. An UPDATE that
// leaves the vector alone looks for its node.
#include "am/background.hpp"
#include "am/callbacks.hpp"
#include "am/equal_node.hpp"
#include "am/row_embedder.hpp"
#include "storage/node_store.hpp"
#include "storage/pending.hpp"

namespace vecidx {

bool vamana_insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation, IndexUniqueCheck,
                   bool unchanged, IndexInfo*) {
    if (isnull[0]) {
        note_unindexed(index);
        return false;
    }
    if (unchanged && add_to_equal_node(index, values[0], heap_tid(*tid))) return false;
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana insert", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    IndexCache* cache = peek_cache(index);
    if (cache == nullptr) cache = index_cache(index, read_meta(index));
    const IndexShape shape = cache->shape;
    RowEmbedder embedder(shape, type_support(index));
    if (embedder.embed(values[0])) {
        PendingEntry entry = embedder.entry();
        entry.tid = heap_tid(*tid);
        if (shape.layout.own_place == OwnPlace::kApart)
            entry.own_block = write_apart(index, shape.layout, embedder.halves());
        if (append_pending(index, {entry, embedder.halves()}) == Appended::kOnNewPage) merge_if_due(index);
    } else {
        note_unindexed(index);
    }
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
    return false;
}

}  // namespace vecidx

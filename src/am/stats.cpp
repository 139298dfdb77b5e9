// vamana_stats: what is in an index, counted by one pass over it.
#include "am/admin.hpp"
#include "storage/node_store.hpp"
#include "storage/pending.hpp"

namespace vecidx {
namespace {

struct Counts {
    std::int64_t nodes = 0, tombstones = 0, rows = 0, pending_rows = 0, free_slots = 0, posting_pages = 0,
                 edges = 0;
};

void count_node_page(const IndexShape& shape, Page page, Counts& counts) {
    for (std::size_t slot = 0; slot < shape.nodes_per_page; ++slot) {
        const ConstNode node = node_in(shape, page, slot);
        if (!node.used()) {
            ++counts.free_slots;
            continue;
        }
        ++(node.live() ? counts.nodes : counts.tombstones);
        counts.rows += node.header().tid_count;
        counts.edges += node.header().degree;
    }
}

void count_posting_page(Page page, Counts& counts) {
    ++counts.posting_pages;
    const PostingRecord* records = page_contents<PostingRecord>(page);
    for (std::size_t i = 0; i < kPostingsPerPage; ++i)
        if (records[i].count != kPostingFree) counts.rows += records[i].count;
}

Counts count_all(Relation index, const Meta& meta, BlockNumber blocks) {
    Counts counts;
    const BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
    for (BlockNumber block = kMetaBlock + 1; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const Buffer buffer = ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_NORMAL, strategy);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const Page page = BufferGetPage(buffer);
        if (!PageIsNew(page)) {
            check_page(index, block, page);
            if (page_kind(page) == PageKind::kNode) count_node_page(meta.shape, page, counts);
            if (page_kind(page) == PageKind::kPosting) count_posting_page(page, counts);
        }
        UnlockReleaseBuffer(buffer);
    }
    FreeAccessStrategy(strategy);
    for_each_pending(
        index, meta,
        [&counts](BlockNumber, const PendingPage& page) {
            counts.pending_rows += static_cast<std::int64_t>(page.count());
        },
        [] { CHECK_FOR_INTERRUPTS(); });
    return counts;
}

const char* metric_name(Metric metric) {
    switch (metric) {
        case Metric::kL2:
            return "l2";
        case Metric::kInnerProduct:
            return "ip";
        case Metric::kCosine:
            return "cosine";
        case Metric::kL1:
            return "l1";
    }
    return "unknown";
}

const char* own_vector_name(const NodeLayout& layout) {
    if (layout.own_place == OwnPlace::kApart) return "apart";
    return layout.own_format == OwnFormat::kF16 ? "f16" : "i8";
}

// The values of the row, in the order of its declaration.
Datum make_row(TupleDesc columns, const Meta& meta, const Counts& counts, BlockNumber blocks) {
    const NodeLayout& layout = meta.shape.layout;
    const std::int64_t used = counts.nodes + counts.tombstones;
    Datum values[] = {
        CStringGetTextDatum(metric_name(meta.shape.metric)),
        Int32GetDatum(static_cast<std::int32_t>(meta.shape.dims)),
        Int32GetDatum(static_cast<std::int32_t>(meta.version)),
        Int32GetDatum(layout.degree),
        Int32GetDatum(layout.bits),
        CStringGetTextDatum(own_vector_name(layout)),
        Int64GetDatum(counts.nodes),
        Int64GetDatum(counts.tombstones),
        Int64GetDatum(counts.rows),
        Int64GetDatum(counts.pending_rows),
        Int32GetDatum(static_cast<std::int32_t>(meta.pending_pages)),
        Int64GetDatum(static_cast<std::int64_t>(blocks)),
        Int64GetDatum(counts.free_slots),
        Int64GetDatum(counts.posting_pages),
        Float8GetDatum(used > 0 ? static_cast<double>(counts.edges) / static_cast<double>(used) : 0),
        Int32GetDatum(static_cast<std::int32_t>(meta.centroid_count)),
        Int32GetDatum(static_cast<std::int32_t>(layout.size)),
        Int32GetDatum(meta.shape.nodes_per_page),
    };
    bool nulls[std::size(values)] = {};
    if (columns->natts != static_cast<int>(std::size(values)))
        ereport(ERROR, errcode(ERRCODE_DATATYPE_MISMATCH),
                errmsg("vamana_stats is declared with another number of columns than the library has"),
                errhint("Run ALTER EXTENSION vecidx UPDATE."));
    return HeapTupleGetDatum(heap_form_tuple(columns, values, nulls));
}

Datum stats_of(FunctionCallInfo fcinfo) {
    TupleDesc columns;
    if (get_call_result_type(fcinfo, nullptr, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    columns = BlessTupleDesc(columns);
    const OpenIndex open = open_index(PG_GETARG_OID(0), AccessShareLock, Allowed::kStatistics);
    const Meta meta = read_meta(open.index);
    const BlockNumber blocks = RelationGetNumberOfBlocks(open.index);
    const Counts counts = count_all(open.index, meta, blocks);
    close_index(open);
    return make_row(columns, meta, counts, blocks);
}

}  // namespace
}  // namespace vecidx

extern "C" {
PG_FUNCTION_INFO_V1(vecidx_vamana_stats);
PGDLLEXPORT Datum vecidx_vamana_stats(PG_FUNCTION_ARGS) {
    return vecidx::stats_of(fcinfo);
}
}

// The part of a check that is about heap rows: in posting chains, in the pending area, and in the heap. See
// check.hpp.
#include "am/check.hpp"
#include "am/row_embedder.hpp"
#include "storage/posting.hpp"

namespace vecidx {
namespace {

constexpr HeapTid tid_of(std::uint64_t key) {
    return {static_cast<std::uint16_t>(key >> 32), static_cast<std::uint16_t>(key >> 16),
            static_cast<std::uint16_t>(key)};
}

const char* shown(const HeapTid& tid) {
    const ItemPointerData pointer = item_pointer(tid);
    return psprintf("(%u,%u)", ItemPointerGetBlockNumberNoCheck(&pointer),
                    ItemPointerGetOffsetNumberNoCheck(&pointer));
}

// Whether a stored vector is where its error bound says. Roundings of sums in another order are forgiven.
bool within(const Space& space, const float* exact, const StoredVector& stored, float error) {
    constexpr float kSlack = 1.001f;
    return space.storage_error(exact, stored) <= error * kSlack;
}

}  // namespace

void IndexCheck::add_row(BlockNumber block, const HeapTid& tid, std::uint32_t where, std::uint32_t entry) {
    const ItemPointerData pointer = item_pointer(tid);
    if (!OffsetNumberIsValid(tid.offset) || !BlockNumberIsValid(ItemPointerGetBlockNumberNoCheck(&pointer)))
        fail(block, psprintf("%s is no place of a heap row.", shown(tid)));
    rows_.push_back({tid.key(), where, entry});
}

// Notes the rows of a node whose rows count. A tombstone keeps its records until it is freed.
void IndexCheck::check_chain(NodeId id, const NodeHeader& header) {
    const bool counted = slots_[id] == kUsed;
    const PostingOwner owner{id, header.version};
    for (std::uint32_t record = header.posting; record != kNoPosting;) {
        const BlockNumber block = posting_block(record);
        const PostingRecord& r = posting_in(read(block, chain_page_.data(), PageKind::kPosting), record);
        if (!is_of(r, owner))
            fail_node(id, psprintf("has a posting chain with record %u, which is not its own", record));
        if (r.count > kPostingTids)
            fail(block, psprintf("Posting record %u says that it has %u rows.", record, r.count));
        if (!postings_.insert(record))
            fail_node(id, psprintf("has a posting chain with record %u twice", record));
        for (std::size_t i = 0; counted && i < r.count; ++i) add_row(block, r.tids[i], id, kInGraph);
        record = r.next;
    }
}

// Reads an own vector kept apart, to which `block` leads, into halves_.
void IndexCheck::read_own_apart(BlockNumber block, BlockNumber first) {
    const std::size_t total = halves_.size();
    BlockNumber at_block = first;
    for (std::size_t at = 0; at < total; at += kPageBytes) {
        if (at_block == InvalidBlockNumber) fail(block, "The chain of a vector's pages ends too early.");
        const Page page = read(at_block, chain_page_.data(), PageKind::kVector);
        const std::size_t n = std::min(kPageBytes, total - at);
        if (page_tail(page).count != n) fail(at_block, "The page of a vector has the wrong length.");
        std::memcpy(halves_.data() + at, page_contents(page), n);
        at_block = page_tail(page).next;
    }
    if (at_block != InvalidBlockNumber) fail(block, "The chain of a vector's pages does not end.");
}

void IndexCheck::claim_apart(BlockNumber block, BlockNumber first) {
    if (!apart_.insert(first)) fail(block, psprintf("The vector at block %u has another owner too.", first));
}

// The chain grows while it is walked; what it was at its end lies between the metapage before and after.
void IndexCheck::check_pending() {
    const Meta before = read_meta(index_);
    BlockNumber block = before.pending_head, last = InvalidBlockNumber;
    std::uint32_t pages = 0, sequence = 0;
    while (block != InvalidBlockNumber) {
        const Page page = read(block, page_.data(), PageKind::kPending);
        const PageTail tail = page_tail(page);
        if (pages > 0 && tail.sequence != sequence + 1)
            fail(block, psprintf("Pending page %u follows page %u.", tail.sequence, sequence));
        check_pending_page(block, page);
        sequence = tail.sequence;
        last = block;
        block = tail.next;
        ++pages;
    }
    const Meta after = read_meta(index_);
    if (pages < before.pending_pages || pages > after.pending_pages)
        fail(kMetaBlock,
             psprintf("There are %u pending pages, but the metapage says %u.", pages, after.pending_pages));
    if (pages > 0 && (sequence < before.pending_sequence || sequence > after.pending_sequence))
        fail(kMetaBlock, psprintf("The last pending page is number %u, but the metapage says %u.", sequence,
                                  after.pending_sequence));
    if (pages == after.pending_pages && last != after.pending_tail)
        fail(kMetaBlock, psprintf("The pending area ends at block %d, but the metapage says %d.",
                                  static_cast<int>(last), static_cast<int>(after.pending_tail)));
}

void IndexCheck::check_pending_page(BlockNumber block, Page page) {
    const PendingPage pending(layout_, page);
    for (std::size_t i = 0; i < pending.count(); ++i) check_pending_entry(block, pending, i);
}

void IndexCheck::check_pending_entry(BlockNumber block, const PendingPage& page, std::size_t i) {
    const PendingEntry& e = page.entry(i);
    StoredVector own = page.vector(i);
    if ((e.own_block != kNoOwnBlock) != (layout_.own_place == OwnPlace::kApart))
        fail(block, psprintf("Pending row %zu has its vector in the wrong place.", i));
    if (e.own_block != kNoOwnBlock) {
        claim_apart(block, e.own_block);
        read_own_apart(block, e.own_block);
        own = {halves_.data(), e.unit, OwnFormat::kF16};
    }
    load_vector(own, layout_.padded, z_.data());
    if (!std::isfinite(e.unit) || e.unit <= 0 || !std::isfinite(e.error) || e.error < 0 ||
        !(e.norm_squared >= 0) || !finite(z_.data()))
        fail(block, psprintf("Pending row %zu has a number out of range.", i));
    add_row(block, e.tid, block, static_cast<std::uint32_t>(i));
}

// A heap row is in one place; while a merge is unfinished it may be both pending and in a node that it
// joined.
void IndexCheck::check_duplicates() {
    std::sort(rows_.begin(), rows_.end());
    for (std::size_t i = 1; i < rows_.size(); ++i) {
        const RowPlace &a = rows_[i - 1], &b = rows_[i];
        if (a.key != b.key || (meta_.merging != 0 && a.in_graph() != b.in_graph())) continue;
        const BlockNumber block = b.in_graph() ? block_of(shape_, b.where) : b.where;
        const BlockNumber other = a.in_graph() ? block_of(shape_, a.where) : a.where;
        fail(block, psprintf("Heap row %s is in the index twice, in blocks %u and %u.", shown(tid_of(a.key)),
                             other, block));
    }
}

void IndexCheck::check_heap_row(const HeapTid& tid, Datum value) {
    CHECK_FOR_INTERRUPTS();
    const TypeSupport& support = type_support(index_);
    RowEmbedder embedder(shape_, support);
    if (!embedder.embed(value)) return;
    ++heap_rows_;
    auto* embedded = static_cast<float*>(palloc(layout_.padded * sizeof(float)));
    space_.embed(support.view(value).data(), embedded);
    auto place = std::lower_bound(rows_.begin(), rows_.end(), RowPlace{tid.key(), 0, 0});
    if (place == rows_.end() || place->key != tid.key())
        fail(kMetaBlock, psprintf("Row %s of the table is not in the index.", shown(tid)));
    for (; place != rows_.end() && place->key == tid.key(); ++place)
        check_place(*place, tid, embedded, embedder.entry());
}

void IndexCheck::check_place(const RowPlace& place, const HeapTid& tid, const float* embedded,
                             const PendingEntry& entry) {
    const BlockNumber block = place.in_graph() ? block_of(shape_, place.where) : place.where;
    const Page page = read(block, page_.data(), place.in_graph() ? PageKind::kNode : PageKind::kPending);
    std::copy_n(embedded, layout_.padded, z_.data());
    StoredVector stored;
    float error;
    BlockNumber apart;
    bool known;  // by its fingerprint
    if (place.in_graph()) {
        const ConstNode node = node_in(shape_, page, slot_of(shape_, place.where));
        stored = node.vector();
        error = node.header().error;
        apart = node.header().own_block;
        known = node.header().fingerprint == kNoFingerprint || node.header().fingerprint == entry.fingerprint;
        if (apart == kNoOwnBlock) to_graph_space(z_.data(), entry.norm_squared);
    } else {
        const PendingPage pending(layout_, page);
        stored = pending.vector(place.entry);
        error = pending.entry(place.entry).error;
        apart = pending.entry(place.entry).own_block;
        known = pending.entry(place.entry).fingerprint == entry.fingerprint;
    }
    if (apart != kNoOwnBlock) {
        read_own_apart(block, apart);
        stored = {halves_.data(), stored.unit, OwnFormat::kF16};
    }
    if (!known || !within(space_, z_.data(), stored, error))
        fail(block,
             psprintf("The vector of row %s of the table is not the one that is stored here.", shown(tid)));
}

}  // namespace vecidx

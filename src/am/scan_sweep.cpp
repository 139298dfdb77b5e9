// Sweeps of a scan: every row is looked at, and the nearest window is kept. See scan.hpp.
#include "am/scan.hpp"

#include "storage/posting.hpp"

namespace vecidx {

// Looks at every row. Keeps, as the next results, the nearest that follow sweep_from_ and were not returned.
// False when there are none.
bool VamanaScan::sweep() {
    const Meta meta = collect_pending();
    if (meta.trained > 0) sweep_nodes(meta.batch);
    whole_ = heap_.size() < window_;
    if (heap_.empty()) return false;
    sweep_from_ = *std::max_element(heap_.begin(), heap_.end());
    budget_ = heap_.size();
    std::make_heap(heap_.begin(), heap_.end(), farther);
    return true;
}

// Nodes of later batches than `last` are of rows that were met as pending ones, and perhaps of another
// geometry.
void VamanaScan::sweep_nodes(std::uint32_t last) {
    const BlockNumber blocks = RelationGetNumberOfBlocks(index_);
    std::pmr::vector<Result> chains(&memory_);
    for (BlockNumber block = kMetaBlock + 1; block < blocks; ++block) {
        CHECK_FOR_INTERRUPTS();
        const Buffer buffer = ReadBuffer(index_, block);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const Page page = BufferGetPage(buffer);
        if (!PageIsNew(page)) {
            check_page(index_, block, page);
            if (page_kind(page) == PageKind::kNode) sweep_page(page, block, last, chains);
        }
        UnlockReleaseBuffer(buffer);
        for (const Result& chain : chains) sweep_chain(chain);
        chains.clear();
    }
}

void VamanaScan::sweep_chain(const Result& chain) {
    const PostingOwner owner{chain.owner, chain.version};
    for (std::uint32_t at = chain.posting; at != kNoPosting;) {
        PostingRecord record;
        if (!read_posting(index_, at, owner, &record)) {
            at = reread_chain(index_, index_cache(index_, read_meta(index_)), at, owner);
            continue;
        }
        for (std::size_t i = 0; i < record.count; ++i)
            keep_window({chain.bounds, kNoPosting, 0, 0, record.tids[i], chain.fingerprint});
        at = record.next;
    }
}

void VamanaScan::sweep_page(Page page, BlockNumber block, std::uint32_t last,
                            std::pmr::vector<Result>& chains) {
    for (std::size_t slot = 0; slot < shape_.nodes_per_page; ++slot) {
        const ConstNode node = node_in(shape_, page, slot);
        if (!node.live() || node.header().batch > last) continue;
        check_node(index_, block, node);
        ++visited_;
        const NodeHeader& h = node.header();
        Bounds bounds{0, 0};
        if (!no_query_) {
            const bool apart = shape_.layout.own_place == OwnPlace::kApart;
            StoredVector own = node.vector();
            const float* relative_to = query_.graph.vector;
            if (apart) {
                read_apart(index_, shape_.layout, h.own_block, query_.apart);
                own = {query_.apart, h.unit, OwnFormat::kF16};
                relative_to = query_.embedded;
            }
            const float l2 = l2_squared(kernels(), relative_to, own, shape_.layout.padded);
            bounds = bounds_of(own, l2, h.error, h.norm_squared, relative_to);
        }
        bounds = narrowed(bounds, h.fingerprint);
        for (std::size_t i = 0; i < h.tid_count; ++i)
            keep_window({bounds, kNoPosting, 0, 0, h.tids[i], h.fingerprint});
        if (h.posting != kNoPosting)
            chains.push_back(
                {bounds, h.posting, node_id(shape_, block, slot), h.version, kAfterRows, h.fingerprint});
    }
}

// A max-heap of the nearest `window_` results.
void VamanaScan::keep_window(const Result& result) {
    if (!(sweep_from_ < result) || seen_.contains(result.tid.key())) return;
    if (heap_.size() == window_) {
        if (!(result < heap_.front())) return;
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.back() = result;
    } else {
        heap_.push_back(result);
    }
    std::push_heap(heap_.begin(), heap_.end());
}

}  // namespace vecidx

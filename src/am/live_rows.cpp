// Looking again at pending rows. See live_rows.hpp.
#include "am/live_rows.hpp"

namespace vecidx {

void LiveRows::refresh() {
    const Meta meta = read_meta(index_);
    if (meta.sweeps == seen_.sweeps || seen_.run.pages == 0) return;
    seen_.sweeps = meta.sweeps;
    looked_ = true;
    tids_.clear();
    for (BlockNumber block = seen_.head; block != InvalidBlockNumber;) {
        CHECK_FOR_INTERRUPTS();
        const BlockNumber next = with_read(index_, block, [&](Page page) {
            check_pending_page(index_, meta.shape.layout, block, page);
            const PendingPage pending(meta.shape.layout, page);
            for (std::size_t i = 0; i < pending.count(); ++i) tids_.push_back(pending.entry(i).tid.key());
            return page_tail(page).next;
        });
        block = block == seen_.run.last ? InvalidBlockNumber : next;
    }
    std::sort(tids_.begin(), tids_.end());
}

}  // namespace vecidx

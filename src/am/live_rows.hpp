// Which of the pending rows that a merge has read are still there when it writes them: VACUUM removes dead
// ones from the pending area meanwhile, and their TIDs may have been given to other rows.
#pragma once

#include <algorithm>
#include <vector>

#include "storage/pending.hpp"

namespace vecidx {

class LiveRows {
  public:
    // What was read, which stays on the chain, and the metapage's `sweeps` before it was read.
    struct Seen {
        BlockNumber head;
        std::uint32_t sweeps;
        PendingRun run;
    };
    LiveRows(Relation index, const Seen& seen, std::pmr::memory_resource* memory)
        : index_(index), seen_(seen), tids_(memory) {}

    // Under the row lock, before rows are written: looks again if a sweep has begun since.
    void refresh();

    // True until the row lock is released.
    bool is_live(HeapTid tid) const {
        return !looked_ || std::binary_search(tids_.begin(), tids_.end(), tid.key());
    }

  private:
    Relation index_;
    Seen seen_;
    bool looked_ = false;
    std::pmr::vector<std::uint64_t> tids_;
};

}  // namespace vecidx

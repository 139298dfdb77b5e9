// Truncation. See truncate.hpp.
#include "am/truncate.hpp"

#include "storage/buffer.hpp"

namespace vecidx {
namespace {

// As for tables: so many pages, or this share of the file.
constexpr BlockNumber kLeastPages = 1000;
constexpr BlockNumber kLeastShare = 16;

bool is_free(Relation index, BlockNumber block) {
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    const Page page = BufferGetPage(buffer);
    bool free = PageIsNew(page);
    if (!free) {
        check_page(index, block, page);
        free = page_kind(page) == PageKind::kFree;
    }
    UnlockReleaseBuffer(buffer);
    return free;
}

// Where the index would end without the free pages at its end.
BlockNumber end_of_used(Relation index) {
    BlockNumber end = RelationGetNumberOfBlocks(index);
    for (; end > kMetaBlock + 1 && is_free(index, end - 1); --end) vacuum_delay();
    return end;
}

bool is_worth_it(Relation index, BlockNumber end) {
    const BlockNumber blocks = RelationGetNumberOfBlocks(index), free = blocks - end;
    return free > 0 && (free >= kLeastPages || free >= blocks / kLeastShare);
}

}  // namespace

void truncate_free_end(Relation index) {
    if (IsInParallelMode() || !is_worth_it(index, end_of_used(index))) return;
    if (!ConditionalLockRelation(index, AccessExclusiveLock)) return;
    // Nobody else is here now, but was before.
    const BlockNumber end = end_of_used(index);
    if (is_worth_it(index, end)) RelationTruncate(index, end);
    UnlockRelation(index, AccessExclusiveLock);
}

}  // namespace vecidx

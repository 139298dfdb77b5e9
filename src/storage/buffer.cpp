// Loans of buffers and the shape of pages. See buffer.hpp.
#include "storage/buffer.hpp"

namespace vecidx {

void report_corruption(Relation index, BlockNumber block, const char* detail) {
    ereport(ERROR, errcode(ERRCODE_INDEX_CORRUPTED),
            errmsg("index \"%s\" is corrupted at block %u", RelationGetRelationName(index), block),
            errdetail("%s", detail), errhint("Please REINDEX it."));
    pg_unreachable();
}

void check_page(Relation index, BlockNumber block, Page page) {
    if (PageIsNew(page)) report_corruption(index, block, "The page is empty.");
    if (PageGetSpecialSize(page) != MAXALIGN(sizeof(PageTail)) || page_tail(page).page_id != kPageId)
        report_corruption(index, block, "The page is not one of a vamana index.");
    if (page_kind(page) < PageKind::kMeta || page_kind(page) > PageKind::kFree)
        report_corruption(index, block, "The page is of no kind that there is.");
}

void check_kind(Relation index, BlockNumber block, Page page, PageKind kind) {
    check_page(index, block, page);
    if (page_kind(page) != kind)
        report_corruption(index, block, "The page is of another kind than its place tells.");
}

void init_page(Page page, PageKind kind) {
    PageInit(page, BLCKSZ, sizeof(PageTail));
    PageTail& tail = page_tail(page);
    tail = PageTail{};
    tail.next = InvalidBlockNumber;
    tail.kind = kind;
    tail.page_id = kPageId;
    set_used(page, kPageBytes);
}

void set_used(Page page, std::size_t bytes) {
    reinterpret_cast<PageHeader>(page)->pd_lower =
        static_cast<LocationIndex>(MAXALIGN(SizeOfPageHeaderData) + std::min(bytes, kPageBytes));
}

namespace {

// As allocate_page, but InvalidBuffer where the free space map has no page.
Buffer find_free_page(Relation index) {
    for (BlockNumber block; (block = GetFreeIndexPage(index)) != InvalidBlockNumber;) {
        const Buffer buffer = ReadBuffer(index, block);
        // Somebody may have taken it since the map was read.
        if (ConditionalLockBuffer(buffer)) {
            const Page page = BufferGetPage(buffer);
            if (PageIsNew(page) || (PageGetSpecialSize(page) == MAXALIGN(sizeof(PageTail)) &&
                                    page_tail(page).page_id == kPageId && page_kind(page) == PageKind::kFree))
                return buffer;
            LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
        }
        ReleaseBuffer(buffer);
    }
    return InvalidBuffer;
}

}  // namespace

PageChange::PageChange(Relation index) : index_(index), state_(GenericXLogStart(index)) {}

Page PageChange::edit(BlockNumber block, PageKind kind) {
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    check_kind(index_, block, BufferGetPage(buffer), kind);
    return adopt(buffer);
}

Page PageChange::open(BlockNumber block, PageKind kind) {
    const Buffer buffer = ReadBuffer(index_, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    if (PageIsNew(BufferGetPage(buffer))) return make_anew(buffer, kind);
    check_kind(index_, block, BufferGetPage(buffer), kind);
    return adopt(buffer);
}

// All of the page is logged.
Page PageChange::make_anew(Buffer buffer, PageKind kind) {
    buffers_[count_++] = buffer;
    const Page page = GenericXLogRegisterBuffer(state_, buffer, GENERIC_XLOG_FULL_IMAGE);
    init_page(page, kind);
    return page;
}

Page PageChange::adopt(Buffer buffer) {
    buffers_[count_++] = buffer;
    return GenericXLogRegisterBuffer(state_, buffer, 0);
}

Page PageChange::create(PageKind kind, BlockNumber* block) {
    const Buffer buffer = allocate_page(index_);
    *block = BufferGetBlockNumber(buffer);
    return make_anew(buffer, kind);
}

Page PageChange::create_from_free(PageKind kind, BlockNumber* block) {
    const Buffer buffer = find_free_page(index_);
    if (!BufferIsValid(buffer)) return nullptr;
    *block = BufferGetBlockNumber(buffer);
    return make_anew(buffer, kind);
}

void PageChange::commit() {
    GenericXLogFinish(state_);
    release();
}

void PageChange::cancel() {
    GenericXLogAbort(state_);
    release();
}

void PageChange::release() {
    for (int i = 0; i < count_; ++i) UnlockReleaseBuffer(buffers_[i]);
    count_ = 0;
}

Buffer allocate_page(Relation index) {
    const Buffer free = find_free_page(index);
    if (BufferIsValid(free)) return free;
    const bool shared = !RELATION_IS_LOCAL(index);
    if (shared) LockRelationForExtension(index, ExclusiveLock);
    const Buffer buffer = ReadBuffer(index, P_NEW);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    if (shared) UnlockRelationForExtension(index, ExclusiveLock);
    return buffer;
}

void free_page(Relation index, BlockNumber block) {
    PageChange change(index);
    const Buffer buffer = ReadBuffer(index, block);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, block, BufferGetPage(buffer));
    const Page page = change.adopt(buffer);
    init_page(page, PageKind::kFree);
    set_used(page, 0);
    change.commit();
    RecordFreeIndexPage(index, block);
}

Buffer pin_with_hint(Relation index, BlockNumber block, Buffer* hint) {
    if (BufferIsValid(*hint) && ReadRecentBuffer(relation_locator(index), MAIN_FORKNUM, block, *hint))
        return *hint;
    const Buffer buffer = ReadBuffer(index, block);
    // Local buffers (temporary tables) are few and cheap to find; hints name shared ones.
    *hint = BufferIsLocal(buffer) ? InvalidBuffer : buffer;
    return buffer;
}

}  // namespace vecidx

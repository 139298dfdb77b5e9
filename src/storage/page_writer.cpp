// Bulk writes: Postgres's own where it has them, since 17; before, the same in small. See page_writer.hpp.
#include "storage/page_writer.hpp"

namespace vecidx {

BlockNumber reserve_blocks(Relation index, std::size_t count) {
    const bool shared = !RELATION_IS_LOCAL(index);
    if (shared) LockRelationForExtension(index, ExclusiveLock);
    const SMgrRelation smgr = RelationGetSmgr(index);
    const BlockNumber first = smgrnblocks(smgr, MAIN_FORKNUM);
    if (count > MaxBlockNumber - first)
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("index \"%s\" would have too many pages", RelationGetRelationName(index)),
                errhint("Partition the table."));
    extend_with_zeros(smgr, MAIN_FORKNUM, first, static_cast<BlockNumber>(count));
    if (shared) UnlockRelationForExtension(index, ExclusiveLock);
    return first;
}

#if __has_include("storage/bulk_write.h")

struct PageWriter::State {
    BulkWriteState* bulk;
    BulkWriteBuffer buffer;
    BlockNumber block;
};

PageWriter::PageWriter(Relation index, bool logged) : state_(static_cast<State*>(palloc0(sizeof(State)))) {
    state_->bulk = smgr_bulk_start_smgr(RelationGetSmgr(index), MAIN_FORKNUM, logged);
}

Page PageWriter::next(BlockNumber block) {
    state_->block = block;
    state_->buffer = smgr_bulk_get_buf(state_->bulk);
    return state_->buffer->data;
}

void PageWriter::done() {
    smgr_bulk_write(state_->bulk, state_->block, state_->buffer, true);
}

void PageWriter::finish() {
    smgr_bulk_finish(state_->bulk);
}

#else

struct PageWriter::State {
    static constexpr int kPages = XLR_MAX_BLOCK_ID;

    void flush();

    Relation index;
    bool logged;
    XLogRecPtr redo;  // where a recovery would begin when the writing began
    int count;
    BlockNumber blocks[kPages];
    PGAlignedBlock pages[kPages];
};

PageWriter::PageWriter(Relation index, bool logged) : state_(static_cast<State*>(palloc(sizeof(State)))) {
    state_->index = index;
    state_->logged = logged;
    state_->redo = GetRedoRecPtr();
    state_->count = 0;
}

Page PageWriter::next(BlockNumber block) {
    state_->blocks[state_->count] = block;
    return state_->pages[state_->count].data;
}

void PageWriter::done() {
    if (++state_->count == State::kPages) state_->flush();
}

// Each write tells the checkpointer what to sync.
void PageWriter::State::flush() {
    char* data[kPages];
    for (int i = 0; i < count; ++i) data[i] = pages[i].data;
    auto locator = relation_locator(index);
    if (logged && count > 0) log_newpages(&locator, MAIN_FORKNUM, count, blocks, data, true);
    for (int i = 0; i < count; ++i) {
        PageSetChecksumInplace(data[i], blocks[i]);
        smgrwrite(RelationGetSmgr(index), MAIN_FORKNUM, blocks[i], data[i], false);
    }
    count = 0;
}

// A checkpoint that began meanwhile may have missed pages whose WAL a recovery from it would not read.
void PageWriter::finish() {
    state_->flush();
    if (state_->logged && !RelationUsesLocalBuffers(state_->index) && state_->redo != GetRedoRecPtr())
        smgrimmedsync(RelationGetSmgr(state_->index), MAIN_FORKNUM);
}

#endif

}  // namespace vecidx

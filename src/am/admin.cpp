// Opening indexes by OID, and vamana_merge. See admin.hpp.
#include "am/admin.hpp"

#include "am/callbacks.hpp"
#include "am/gathering.hpp"
#include "am/merge.hpp"

namespace vecidx {
namespace {

void check_relation(Relation index) {
    const char* name = RelationGetRelationName(index);
    if (index->rd_rel->relkind != RELKIND_INDEX || index->rd_indam->aminsert != vamana_insert)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not a vamana index", name));
    if (RELATION_IS_OTHER_TEMP(index))
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot access temporary indexes of other sessions"));
    if (!index->rd_index->indisvalid)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("index \"%s\" is not valid", name));
    if (RecoveryInProgress() && !RelationIsPermanent(index))
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot access temporary or unlogged relations during recovery"));
}

void check_allowed(Relation index, Allowed allowed) {
    if (owns_relation(RelationGetRelid(index))) return;
    if (allowed == Allowed::kStatistics && has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES)) return;
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
}

std::int64_t merge_index(Oid oid) {
    if (RecoveryInProgress())
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("recovery is in progress"),
                errhint("A vamana index cannot be merged during recovery."));
    const OpenIndex open = open_index(oid, RowExclusiveLock, Allowed::kOwner);
    const double rows = merge_as_command(open.index);
    close_index(open);
    return static_cast<std::int64_t>(rows);
}

}  // namespace

OpenIndex open_index(Oid index, LOCKMODE mode, Allowed allowed) {
    OpenIndex open{nullptr, nullptr, mode};
    // The table first, as everywhere. Either may be gone: REINDEX CONCURRENTLY changes OIDs.
    const Oid heap = IndexGetRelation(index, true);
    if (OidIsValid(heap)) open.heap = try_relation_open(heap, AccessShareLock);
    open.index = try_relation_open(index, mode);
    if (open.index == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("index with OID %u does not exist", index));
    check_relation(open.index);
    check_allowed(open.index, allowed);
    if (open.heap == nullptr || heap != IndexGetRelation(index, false))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE),
                errmsg("could not open parent table of index \"%s\"", RelationGetRelationName(open.index)));
    write_gathered(open.index);
    return open;
}

void close_index(const OpenIndex& open) {
    index_close(open.index, open.mode);
    table_close(open.heap, AccessShareLock);
}

}  // namespace vecidx

extern "C" {
PG_FUNCTION_INFO_V1(vecidx_vamana_merge);
PGDLLEXPORT Datum vecidx_vamana_merge(PG_FUNCTION_ARGS) {
    PG_RETURN_INT64(vecidx::merge_index(PG_GETARG_OID(0)));
}
}

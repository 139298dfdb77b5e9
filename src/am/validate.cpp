// amvalidate: what an operator class for vamana must bring: one ordering operator that returns float8 and
// sorts by a btree family, and the support function that describes the type and the metric.
#include "am/callbacks.hpp"
#include "am/type_support.hpp"

namespace vecidx {
namespace {

// Complaints are INFO, as in Postgres's own access methods, so that amvalidate() in SQL tells all of them at
// once.
bool complain(const char* opfamily, const char* problem) {
    ereport(INFO, errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
            errmsg("operator family \"%s\" of access method vamana %s", opfamily, problem));
    return false;
}

bool valid_operator(const FormData_pg_amop& op, const char* family) {
    if (op.amopstrategy != kDistanceStrategy)
        return complain(family, "contains an operator with an invalid strategy number");
    if (op.amoppurpose != AMOP_ORDER)
        return complain(family, "contains an operator that is not an ordering operator");
    if (get_op_rettype(op.amopopr) != FLOAT8OID ||
        !opfamily_can_sort_type(op.amopsortfamily, get_op_rettype(op.amopopr)))
        return complain(family, "contains an operator whose result is not a sortable double precision");
    if (!check_amop_signature(op.amopopr, get_op_rettype(op.amopopr), op.amoplefttype, op.amoprighttype))
        return complain(family, "contains an operator with the wrong signature");
    return true;
}

bool valid_procedure(const FormData_pg_amproc& proc, const char* family) {
    if (proc.amprocnum != kSupportFunction)
        return complain(family, "contains a function with an invalid support number");
    if (!check_amproc_signature(proc.amproc, INTERNALOID, true, 1, 1, INTERNALOID))
        return complain(family, "contains a support function with the wrong signature");
    return true;
}

}  // namespace

bool vamana_validate(Oid opclass) {
    const HeapTuple class_tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
    if (!HeapTupleIsValid(class_tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
    const auto* form = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(class_tuple));
    const Oid family_oid = form->opcfamily;
    const Oid type = form->opcintype;
    const HeapTuple family_tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family_oid));
    if (!HeapTupleIsValid(family_tuple))
        elog(ERROR, "cache lookup failed for operator family %u", family_oid);
    const char* family = NameStr(reinterpret_cast<Form_pg_opfamily>(GETSTRUCT(family_tuple))->opfname);

    bool valid = true, has_operator = false, has_support = false;
    CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family_oid));
    for (int i = 0; i < operators->n_members; ++i) {
        const auto* op = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&operators->members[i]->tuple));
        valid = valid_operator(*op, family) && valid;
        has_operator |= op->amoplefttype == type;
    }
    CatCList* procedures = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family_oid));
    for (int i = 0; i < procedures->n_members; ++i) {
        const auto* proc = reinterpret_cast<Form_pg_amproc>(GETSTRUCT(&procedures->members[i]->tuple));
        valid = valid_procedure(*proc, family) && valid;
        has_support |= proc->amproclefttype == type;
    }
    if (!has_operator) valid = complain(family, "is missing its distance operator");
    if (!has_support) valid = complain(family, "is missing support function 1");
    ReleaseCatCacheList(procedures);
    ReleaseCatCacheList(operators);
    ReleaseSysCache(family_tuple);
    ReleaseSysCache(class_tuple);
    return valid;
}

}  // namespace vecidx

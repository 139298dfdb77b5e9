// What the functions that look after an index share: opening it by its OID, with the checks that each needs.
#pragma once

#include "pg/compat.hpp"

namespace vecidx {

// Who may call.
enum class Allowed {
    kOwner,       // the index's owner and superusers
    kStatistics,  // also members of pg_stat_scan_tables
};

struct OpenIndex {
    Relation heap;
    Relation index;
    LOCKMODE mode;
};

// Opens a vamana index under `mode`, after its table under AccessShareLock. ERROR when it is another kind of
// relation, is not valid, is temporary and another session's, cannot be read during recovery, or the user is
// not allowed to.
OpenIndex open_index(Oid index, LOCKMODE mode, Allowed allowed);

// Closes both and gives the locks back.
void close_index(const OpenIndex& open);

}  // namespace vecidx

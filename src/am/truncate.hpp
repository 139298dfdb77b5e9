// Giving the end of an index back to the file system.
#pragma once

#include "pg/compat.hpp"

namespace vecidx {

// Cuts off the free pages at the end of an index, if they are worth it. Somebody who uses the index may
// remember a block behind the new end, so it takes an exclusive lock, and if that is not to be had at once it
// does nothing; nor does it in a parallel vacuum, where a transaction cannot be given the number that the
// lock's WAL record needs.
void truncate_free_end(Relation index);

}  // namespace vecidx

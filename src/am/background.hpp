// Merges in the background: a worker is started on demand when an index's pending area has passed its limit,
// works until it has not, and ends. No preloading, no launcher. Where no worker can start, the inserter
// merges a little itself.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// Merges until the pending area is below its limit: what the worker does.
void merge_while_due(Relation index);

// Called by an inserter that has added a page to the pending area; does nothing below the limit.
void merge_if_due(Relation index);

// Whether more rows are pending than the index's pending_limit allows.
bool is_merge_due(Relation index);

}  // namespace vecidx

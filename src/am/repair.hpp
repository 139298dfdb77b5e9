// Taking dead nodes out of the graph: their neighbors' edges are replaced from the dead nodes' own, then
// their slots are freed.
#pragma once

#include "storage/meta.hpp"

namespace vecidx {

// Removes all tombstones that there are when it is called, except the medoid. Takes the graph lock in slices;
// `poll` is called between pages.
void repair_graph(Relation index, void (*poll)());

}  // namespace vecidx

// Appending many rows to the graph at once, without a search: the bulk build once more, in which the graph's
// nodes take part as settled rows (vecidx/bulk_build.hpp). Every node is read, so it is for batches of more
// than a few per cent of the graph; of a node nothing changes but edges. All processes of a team run it at
// once.
#pragma once

#include "am/graph_work.hpp"
#include "am/live_rows.hpp"

namespace vecidx {

// Reads the graph's nodes as rows, this process its share, before the pending rows are loaded.
void load_nodes(Relation index, const Meta& meta, BuildTeam& team, BuildRows& rows);

// Links the loaded rows and ends the merge: they leave the pending area. The caller holds the graph lock, and
// the metapage says that a batch is being written.
void append_to_graph(const GraphTask& task, LiveRows& live);

}  // namespace vecidx

// What building a graph and appending to one have in common: loaded rows in mapped files, the way into the
// graph's space, and codes. All processes of a team run it at once.
#pragma once

#include "am/build_arrays.hpp"
#include "am/build_rows.hpp"
#include "storage/pending.hpp"
#include "vecidx/bulk_build.hpp"
#include "vecidx/space.hpp"

namespace vecidx {

struct GraphTask {
    Relation index;
    BuildRows& rows;  // loaded by all processes, and mapped by this; the caller closes them
    BuildTeam& team;
    PendingRun merged;  // what leaves the pending area by the change that leads to the graph
};

// Bytes of mapped memory for a graph of `rows` rows, beside the rows; `node_ids` as in BuildArrays.
std::size_t arena_bytes(const IndexShape& shape, std::size_t rows, std::size_t node_ids);

// Parameters of the bulk build for an index.
BulkParams params_for(const IndexShape& shape);

class GraphWork {
  public:
    static constexpr std::size_t kChunk = 512;  // rows of a share

    GraphWork(const GraphTask& task, std::size_t node_ids);

  protected:
    // Has the book's numbers from `shared_`, and its floats from the arrays.
    void set_book();

    // Moves every row that is not settled: lifts it and takes it relative to the mean. Meets at the end.
    void move_to_graph_space();

    // Codes of all rows that are not settled, and of each centroid the row nearest to it. A code is of the
    // vector as the node stores it.
    void encode_all(const BulkBuild& graph);

    // Frees own vectors kept apart of rows that joined another.
    void free_spares();

    Relation index_;
    BuildRows& rows_;
    BuildShared* shared_;
    const Team& team_;
    PendingRun merged_;
    Meta meta_;
    NodeLayout layout_;
    Space space_;
    ContextResource memory_;
    Window window_;
    Arena arena_;
    BuildArrays arrays_;
    Progress progress_;
    Codebook book_;
    std::pmr::vector<float> z_;

  private:
    Arena map_files(std::size_t node_ids);
    void move_row(std::size_t row);
    void note_entry(std::uint8_t centroid, std::uint32_t row);
};

// Runs fn() in a memory context of its own.
template <typename Fn>
void in_context(const char* name, Fn fn) {
    const MemoryContext context =
        AllocSetContextCreateInternal(CurrentMemoryContext, name, ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    fn(context);
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
}

}  // namespace vecidx

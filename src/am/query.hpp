// A query made ready for an index: embedded, moved into the graph's space, with its look-up table.
#pragma once

#include "pg/memory.hpp"
#include "storage/meta.hpp"
#include "vecidx/expand.hpp"
#include "vecidx/space.hpp"

namespace vecidx {

struct PreparedQuery {
    // Memory for queries of an index of this shape, from `memory`.
    PreparedQuery(const IndexShape& shape, std::pmr::memory_resource* memory);

    // Makes the query q (dims floats) ready; without a geometry, for the pending area alone.
    void prepare(const float* q, const Geometry* geometry);

    // The same for a vector that is in the graph's space already (a row that a merge links).
    void prepare_in_graph(const float* z, const Geometry& geometry);

    // What the inner product's extra dimension adds to a squared distance from a vector that was stored
    // without it.
    float lift_squared(float norm_squared) const {
        return max_norm_squared > norm_squared ? static_cast<float>(max_norm_squared - norm_squared) : 0;
    }

    // Bounds of the operator's distance for a stored vector at squared distance `l2` from the query in its
    // own space, in which the query is `relative_to`.
    Bounds bounds_of(const StoredVector& own, float l2, float error, float norm_squared,
                     const float* relative_to) const;

    Space space;
    SpaceQuery query{};
    double max_norm_squared = 0;
    const float* embedded = nullptr;  // as pending rows and vectors kept apart are stored
    GraphQuery graph{};
    void* apart = nullptr;  // room for an own vector kept apart

  private:
    void prepare_table(const Geometry& geometry);

    QueryCode code_;
    std::pmr::vector<float> embedded_, shifted_, estimates_;
    std::pmr::vector<std::byte> apart_;
};

}  // namespace vecidx

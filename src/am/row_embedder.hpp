// From a column's value to what the index stores of it: checked, embedded, in halves.
#pragma once

#include "am/type_support.hpp"
#include "pg/memory.hpp"
#include "storage/layout.hpp"
#include "vecidx/space.hpp"

namespace vecidx {

class RowEmbedder {
  public:
    // Buffers live in the current memory context.
    RowEmbedder(const IndexShape& shape, const TypeSupport& support)
        : support_(support),
          space_(shape.metric, shape.dims),
          y_(static_cast<float*>(palloc(space_.padded * sizeof(float)))),
          halves_(palloc(stored_bytes(OwnFormat::kF16, space_.padded))) {}

    // Embeds a value. False when it is not indexed (a zero vector under cosine). ERROR when it has another
    // number of dimensions or its norm is out of range.
    bool embed(Datum value);

    // Of the last value: its halves, and an entry without a row (own_block is kNoOwnBlock).
    const void* halves() const { return halves_; }
    const PendingEntry& entry() const { return entry_; }

    const Space& space() const { return space_; }

  private:
    const TypeSupport& support_;
    Space space_;
    float* y_;
    void* halves_;
    PendingEntry entry_{};
};

// Checks a query or a row against the index's dimensions.
void check_dims(std::size_t expected, std::size_t found);

}  // namespace vecidx

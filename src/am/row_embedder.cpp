// Embedding of rows. See row_embedder.hpp.
#include "am/row_embedder.hpp"

#include "vecidx/sum.hpp"

namespace vecidx {
namespace {

// Squares of distances between vectors up to this norm stay finite in float.
constexpr double kLargestNorm = 1e18;

}  // namespace

void check_dims(std::size_t expected, std::size_t found) {
    if (expected == found) return;
    ereport(ERROR, errcode(ERRCODE_DATA_EXCEPTION),
            errmsg("expected %zu dimensions, not %zu", expected, found));
}

bool RowEmbedder::embed(Datum value) {
    const VectorView x = support_.view(value);
    check_dims(space_.dims, x.size());
    const double norm_squared = space_.embed(x.data(), y_);
    if (space_.metric == Metric::kCosine) {
        if (norm_squared == 0) return false;
    } else if (norm_squared > kLargestNorm * kLargestNorm) {
        ereport(ERROR, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                errmsg("vector is too long for a vamana index"),
                errdetail("Its norm is %g, the largest that can be indexed is %g.", std::sqrt(norm_squared),
                          kLargestNorm));
    }
    entry_ = PendingEntry{};
    entry_.unit = store_vector(OwnFormat::kF16, y_, space_.padded, halves_);
    const StoredVector stored{halves_, entry_.unit, OwnFormat::kF16};
    entry_.error = space_.storage_error(y_, stored);
    entry_.own_block = kNoOwnBlock;
    entry_.fingerprint = fingerprint_of(x.data(), x.size());
    load_vector(stored, space_.padded, y_);
    entry_.norm_squared = static_cast<float>(squared_norm(y_, space_.padded));
    return true;
}

}  // namespace vecidx

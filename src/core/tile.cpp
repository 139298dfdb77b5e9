// Packing of tiles. See tile.hpp.
#include "vecidx/tile.hpp"

#include <algorithm>
#include <cstring>

namespace vecidx {
namespace {

constexpr std::size_t kMeanSample = 256;
constexpr std::size_t kAhead = 4;

float largest(const Kernels& k, const float* center, const StoredVector& x, std::size_t n) {
    return x.format == OwnFormat::kF16
               ? k.largest_f16(center, static_cast<const f16*>(x.data), x.unit, n)
               : k.largest_i8(center, static_cast<const std::int8_t*>(x.data), x.unit, n);
}

PackedSums pack(const Kernels& k, const float* center, const StoredVector& x, float inverse,
                std::uint8_t* row, std::size_t n) {
    return x.format == OwnFormat::kF16
               ? k.pack_f16(center, static_cast<const f16*>(x.data), x.unit, inverse, row, n)
               : k.pack_i8(center, static_cast<const std::int8_t*>(x.data), x.unit, inverse, row, n);
}

}  // namespace

void PackedTile::pack_around_mean(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    set_mean(vectors, members);
    fit_scale(vectors, members);
    pack_rows(vectors, members);
    fill_panels();
}

void PackedTile::pack_around(const VectorArray& vectors, std::span<const std::uint32_t> members,
                             const float* center) {
    center_.assign(center, center + vectors.padded);
    fit_scale(vectors, members);
    pack_rows(vectors, members);
    fill_panels();
}

void PackedTile::pack_nearest(const VectorArray& vectors, std::span<const std::uint32_t> members,
                              const float* center, std::size_t most, std::pmr::vector<Neighbor>& nearest) {
    center_.assign(center, center + vectors.padded);
    fit_scale(vectors, members);
    pack_rows(vectors, members);
    nearest.resize(size_);
    for (std::uint32_t i = 0; i < size_; ++i) nearest[i] = {static_cast<float>(norms_[i]), i};
    sort_.sort_front(nearest, most);
    nearest.resize(std::min(most, size_));
    take_rows(nearest);
    fill_panels();
    for (Neighbor& n : nearest) n.distance *= unit();
}

// Keeps of the packed rows those that `order` names, in its order.
void PackedTile::take_rows(std::span<const Neighbor> order) {
    rows_.swap(unsorted_rows_);
    if (rows_.size() < order.size() * stride_) rows_.resize(order.size() * stride_);
    std::pmr::vector<std::int32_t>& sums = unsorted_sums_;
    sums.assign(bias_.begin(), bias_.begin() + static_cast<std::ptrdiff_t>(size_));
    for (std::size_t i = 0; i < order.size(); ++i) {
        std::memcpy(rows_.data() + i * stride_, unsorted_rows_.data() + order[i].id * stride_, stride_);
        bias_[i] = sums[order[i].id];
    }
    sums.assign(norms_.begin(), norms_.begin() + static_cast<std::ptrdiff_t>(size_));
    for (std::size_t i = 0; i < order.size(); ++i) norms_[i] = sums[order[i].id];
    size_ = order.size();
    clear_past_end();
}

void PackedTile::pack_in_frame_of(const PackedTile& other, const VectorArray& vectors,
                                  std::span<const std::uint32_t> members) {
    center_ = other.center_;
    scale_ = other.scale_;
    pack_rows(vectors, members);
}

void PackedTile::set_mean(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    const std::size_t n = vectors.padded, step = ceil_div(members.size(), kMeanSample);
    center_.assign(2 * n, 0.0f);
    float* row = center_.data() + n;
    std::size_t count = 0;
    for (std::size_t i = 0; i < members.size(); i += step, ++count) {
        load_vector(vectors[members[i]], n, row);
        for (std::size_t d = 0; d < n; ++d) center_[d] += row[d];
    }
    center_.resize(n);
    const float inverse = count > 0 ? 1.0f / static_cast<float>(count) : 0;
    for (float& c : center_) c *= inverse;
}

void PackedTile::fit_scale(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    const Kernels& k = kernels();
    float most = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (i + kAhead < members.size()) vectors.prefetch(members[i + kAhead]);
        most = std::max(most, largest(k, center_.data(), vectors[members[i]], vectors.padded));
    }
    scale_ = most > 0 ? most / 127 : 1;
}

void PackedTile::pack_rows(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    size_ = members.size();
    stride_ = vectors.padded;
    const std::size_t slots = panel_count() * kBlockLanes;
    if (rows_.size() < size_ * stride_) rows_.resize(size_ * stride_);
    if (bias_.size() < slots) {
        bias_.resize(slots);
        norms_.resize(slots);
    }
    const Kernels& k = kernels();
    const float inverse = 1 / scale_;
    for (std::size_t i = 0; i < size_; ++i) {
        if (i + kAhead < size_) vectors.prefetch(members[i + kAhead]);
        const PackedSums sums =
            pack(k, center_.data(), vectors[members[i]], inverse, rows_.data() + i * stride_, stride_);
        bias_[i] = -128 * sums.sum;
        norms_[i] = sums.norm;
    }
    clear_past_end();
}

// Lanes past the end are never read as results; zero keeps them harmless.
void PackedTile::clear_past_end() {
    const auto first = static_cast<std::ptrdiff_t>(size_);
    const auto end = static_cast<std::ptrdiff_t>(panel_count() * kBlockLanes);
    std::fill(bias_.begin() + first, bias_.begin() + end, 0);
    std::fill(norms_.begin() + first, norms_.begin() + end, 0);
}

void PackedTile::fill_panels() {
    const std::size_t bytes = panel_count() * kBlockLanes * stride_;
    if (panels_.size() < bytes) panels_.resize(bytes);
    for (std::size_t first = 0; first < size_; first += kBlockLanes) {
        const std::uint8_t* rows = rows_.data() + first * stride_;
        std::int8_t* out = panels_.data() + first * stride_;
        const std::size_t lanes = std::min(kBlockLanes, size_ - first);
        if (lanes < kBlockLanes) std::memset(out, 0, kBlockLanes * stride_);
        for (std::size_t d = 0; d < stride_; d += 4) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                std::uint32_t four;
                std::memcpy(&four, rows + lane * stride_ + d, 4);
                four ^= 0x80808080U;
                std::memcpy(out + d * kBlockLanes + 4 * lane, &four, 4);
            }
        }
    }
}

}  // namespace vecidx

// Packing of tiles. See tile.hpp.
#include "vecidx/tile.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vecidx {

void PackedTile::decode(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    size_ = members.size();
    stride_ = vectors.padded;
    if (floats_.size() < size_ * stride_) floats_.resize(size_ * stride_);
    for (std::size_t i = 0; i < size_; ++i)
        load_vector(vectors[members[i]], stride_, floats_.data() + i * stride_);
}

void PackedTile::subtract_center() {
    for (std::size_t i = 0; i < size_; ++i) {
        float* row = floats_.data() + i * stride_;
        for (std::size_t d = 0; d < stride_; ++d) row[d] -= center_[d];
    }
}

void PackedTile::pack_around_mean(const VectorArray& vectors, std::span<const std::uint32_t> members) {
    decode(vectors, members);
    center_.assign(stride_, 0.0f);
    for (std::size_t i = 0; i < size_; ++i) {
        const float* row = floats_.data() + i * stride_;
        for (std::size_t d = 0; d < stride_; ++d) center_[d] += row[d];
    }
    const float inverse = size_ > 0 ? 1.0f / static_cast<float>(size_) : 0;
    for (float& c : center_) c *= inverse;
    subtract_center();
    scale_ = 0;
    quantize();
}

void PackedTile::pack_around(const VectorArray& vectors, std::span<const std::uint32_t> members,
                             const float* center) {
    decode(vectors, members);
    center_.assign(center, center + stride_);
    subtract_center();
    scale_ = 0;
    quantize();
}

void PackedTile::pack_in_frame_of(const PackedTile& other, const VectorArray& vectors,
                                  std::span<const std::uint32_t> members) {
    decode(vectors, members);
    center_ = other.center_;
    subtract_center();
    scale_ = other.scale_;
    quantize();
}

// From floats_ (relative to the centre) to rows, panels, bias and norms. A scale of 0 means: the one that
// fits.
void PackedTile::quantize() {
    const std::size_t total = size_ * stride_;
    if (scale_ == 0) {
        float largest = 0;
        for (std::size_t i = 0; i < total; ++i) largest = std::max(largest, std::fabs(floats_[i]));
        scale_ = largest > 0 ? std::max(largest / 127, std::numeric_limits<float>::min()) : 1;
    }
    const std::size_t slots = panel_count() * kBlockLanes;
    if (rows_.size() < total) rows_.resize(total);
    if (panels_.size() < slots * stride_) panels_.resize(slots * stride_);
    if (bias_.size() < slots) {
        bias_.resize(slots);
        norms_.resize(slots);
    }
    const float inverse = 1 / scale_;
    for (std::size_t i = 0; i < size_; ++i) {
        const float* row = floats_.data() + i * stride_;
        std::uint8_t* out = rows_.data() + i * stride_;
        std::int32_t sum = 0, norm = 0;
        for (std::size_t d = 0; d < stride_; ++d) {
            // Rounds by truncating a positive number: 128.5 + v, v in -127 .. 127.
            const float v = std::clamp(row[d] * inverse, -127.0f, 127.0f);
            const auto u = static_cast<std::int32_t>(v + 128.5f);
            out[d] = static_cast<std::uint8_t>(u);
            sum += u - 128;
            norm += (u - 128) * (u - 128);
        }
        bias_[i] = -128 * sum;
        norms_[i] = norm;
        std::int8_t* panel = panels_.data() + i / kBlockLanes * kBlockLanes * stride_ + i % kBlockLanes * 4;
        for (std::size_t d = 0; d < stride_; d += 4) {
            std::uint32_t four;
            std::memcpy(&four, out + d, 4);
            four ^= 0x80808080U;
            std::memcpy(panel + d * kBlockLanes, &four, 4);
        }
    }
    // Lanes past the end are never read as results; zero keeps them harmless.
    for (std::size_t i = size_; i < slots; ++i) {
        bias_[i] = norms_[i] = 0;
        std::int8_t* panel = panels_.data() + i / kBlockLanes * kBlockLanes * stride_ + i % kBlockLanes * 4;
        for (std::size_t d = 0; d < stride_; d += 4) std::memset(panel + d * kBlockLanes, 0, 4);
    }
}

}  // namespace vecidx

// RaBitQ encoding and query tables. See quantizer.hpp.
#include "vecidx/quantizer.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace vecidx {
namespace {

// Steps to try for several bits, in units of the residual's root mean square coordinate. Around the optimal
// uniform quantizer of a Gaussian (Max 1960: 0.996 for 4 levels, 0.335 for 16).
struct StepGrid {
    float first, growth;
    int count;
};
constexpr StepGrid step_grid(unsigned bits) {
    return bits == 2 ? StepGrid{0.70f, 1.12f, 7} : StepGrid{0.20f, 1.15f, 8};
}

// Level of coordinate r for a step (given as its inverse): 0 .. top.
int level_of(float r, float inverse_step, int top) {
    const int level = static_cast<int>(std::floor(r * inverse_step)) + (top + 1) / 2;
    return std::clamp(level, 0, top);
}

// cos^2 of the angle between r and its code at this step, times |r|^2.
double fit(const float* z, const float* c, std::size_t n, float inverse_step, int top) {
    float dot = 0, norm = 0;
    const float centre = 0.5f * static_cast<float>(top);
    for (std::size_t i = 0; i < n; ++i) {
        const float r = z[i] - c[i];
        const float x = static_cast<float>(level_of(r, inverse_step, top)) - centre;
        dot += x * r;
        norm += x * x;
    }
    return static_cast<double>(dot) * dot / norm;
}

float best_inverse_step(const float* z, const float* c, std::size_t n, unsigned bits, float rms) {
    const StepGrid grid = step_grid(bits);
    const int top = (1 << bits) - 1;
    float best = 0, step = grid.first * rms;
    double best_fit = -1;
    for (int i = 0; i < grid.count; ++i, step *= grid.growth) {
        const double f = fit(z, c, n, 1 / step, top);
        if (f <= best_fit) continue;
        best_fit = f;
        best = 1 / step;
    }
    return best;
}

float to_float(f16 h) {
    float f;
    kernels_of(SimdLevel::kScalar)->from_f16(&h, &f, 1);
    return f;
}

f16 to_half(float f) {
    constexpr float kLargest = 65504;
    f = std::clamp(f, -kLargest, kLargest);
    f16 h;
    kernels_of(SimdLevel::kScalar)->to_f16(&f, &h, 1);
    return h;
}

}  // namespace

CodeFactors encode(const Codebook& book, const float* z, std::uint8_t centroid, std::uint8_t* code) {
    const float* c = book.centroid(centroid);
    const std::size_t n = book.code_dims;
    double norm = 0;
    for (std::size_t i = 0; i < book.padded; ++i) {
        const double r = static_cast<double>(z[i]) - c[i];
        norm += r * r;
    }
    std::memset(code, 0, book.code_bytes());
    const auto rms = static_cast<float>(std::sqrt(norm / static_cast<double>(book.padded)));
    const int top = (1 << book.bits) - 1;
    const float inverse_step = book.bits == 1 || !(rms > 0) ? 0 : best_inverse_step(z, c, n, book.bits, rms);
    double dot_residual = 0, dot_centroid = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const float r = z[i] - c[i];
        const int level = book.bits == 1 ? (r >= 0 ? 1 : 0) : level_of(r, inverse_step, top);
        const double x = level - 0.5 * top;
        dot_residual += x * r;
        dot_centroid += x * c[i];
        for (unsigned p = 0; p < book.bits; ++p)
            code[p * book.plane_bytes() + i / 8] |= static_cast<std::uint8_t>((level >> p & 1) << (i % 8));
    }
    const double s = dot_residual > 0 ? norm / dot_residual : 0;
    // `add` goes with the factor as it is stored, so that the rounding of s does not offset the estimate.
    const f16 rescale = to_half(static_cast<float>(-2 * s / book.rescale_unit));
    const double stored_s = -0.5 * static_cast<double>(to_float(rescale)) * book.rescale_unit;
    return {static_cast<float>(norm + 2 * stored_s * dot_centroid), rescale, centroid};
}

std::uint8_t nearest_centroid(const Codebook& book, const float* z) {
    const Kernels& k = kernels();
    std::size_t best = 0;
    float best_distance = std::numeric_limits<float>::infinity();
    for (std::size_t i = 0; i < book.centroid_count; ++i) {
        const float d = k.l2_squared(z, book.centroid(i), book.padded);
        if (d >= best_distance) continue;
        best_distance = d;
        best = i;
    }
    return static_cast<std::uint8_t>(best);
}

namespace {

// The 16 subset sums of four coordinates, less the smallest of them, in units of 1 / inverse; returns the
// smallest.
float fill_entries(const float* q, float inverse, std::uint8_t* entries) {
    float low = 0;
    for (int i = 0; i < 4; ++i) low += std::min(q[i], 0.0f);
    for (unsigned m = 0; m < 16; ++m) {
        float sum = -low;
        for (unsigned i = 0; i < 4; ++i)
            if (m >> i & 1) sum += q[i];
        entries[m] = static_cast<std::uint8_t>(std::clamp(sum * inverse + 0.5f, 0.0f, 127.0f));
    }
    return low;
}

}  // namespace

void QueryCode::prepare(const Codebook& book, const float* q) {
    const Kernels& k = kernels();
    terms_.resize(book.centroid_count);
    for (std::size_t i = 0; i < book.centroid_count; ++i)
        terms_[i] = k.l2_squared(q, book.centroid(i), book.padded);

    float widest = 0, sum = 0;
    for (std::size_t i = 0; i < book.code_dims; i += 4) {
        const float width = std::fabs(q[i]) + std::fabs(q[i + 1]) + std::fabs(q[i + 2]) + std::fabs(q[i + 3]);
        widest = std::max(widest, width);
        sum += (q[i] + q[i + 1]) + (q[i + 2] + q[i + 3]);
    }
    const float scale = widest > 0 ? widest / 127 : 1;
    const std::size_t half = book.plane_bytes() * 16;
    bytes_.resize(2 * half);
    float lowest = 0;
    for (std::size_t j = 0; j < book.plane_bytes(); ++j) {
        lowest += fill_entries(q + 8 * j, 1 / scale, bytes_.data() + 16 * j);
        lowest += fill_entries(q + 8 * j + 4, 1 / scale, bytes_.data() + half + 16 * j);
    }
    const auto top = static_cast<float>((1 << book.bits) - 1);
    table_ = {bytes_.data(), bytes_.data() + half,        terms_.data(),    book.code_dims, book.bits,
              scale,         top * (lowest - 0.5f * sum), book.rescale_unit};
}

}  // namespace vecidx

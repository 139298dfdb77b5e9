// RaBitQ encoding and query tables. See quantizer.hpp.
#include "vecidx/quantizer.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

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

// Sums are kept in eight fixed lanes and added in a fixed order, in the compiler's portable vectors of four.
// Numbers of dimensions are multiples of 16.
typedef float Floats __attribute__((vector_size(16)));
typedef std::int32_t Ints __attribute__((vector_size(16)));

constexpr std::size_t kLanes = 8;

Floats load(const float* p) {
    Floats v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

struct Sum {
    Floats even{}, odd{};

    float total() const {
        const Floats four = even + odd;
        return (four[0] + four[2]) + (four[1] + four[3]);
    }
};

Floats absolute(Floats v) {
    return std::bit_cast<Floats>(std::bit_cast<Ints>(v) & 0x7fffffff);
}

// A code's coordinates for residuals of these sizes: 0.5, 1.5, ... up to most + 0.5.
Floats magnitude(Floats sizes, float inverse_step, Floats most) {
    const Floats steps = sizes * inverse_step;
    const Floats cut = steps < most ? steps : most;
    return __builtin_convertvector(__builtin_convertvector(cut, Ints), Floats) + 0.5f;
}

Floats most_steps(unsigned bits) {
    return Floats{} + static_cast<float>((1 << (bits - 1)) - 1);
}

// cos^2 of the angle between r and its code at this step, times |r|^2.
float fit(const float* r, std::size_t n, float inverse_step, unsigned bits) {
    const Floats most = most_steps(bits);
    Sum dot, norm;
    for (std::size_t i = 0; i < n; i += kLanes) {
        const Floats a = absolute(load(r + i)), b = absolute(load(r + i + 4));
        const Floats x = magnitude(a, inverse_step, most), y = magnitude(b, inverse_step, most);
        dot.even += x * a;
        dot.odd += y * b;
        norm.even += x * x;
        norm.odd += y * y;
    }
    const float total = dot.total();
    return total * (total / norm.total());
}

float best_inverse_step(const float* r, std::size_t n, unsigned bits, float rms) {
    const StepGrid grid = step_grid(bits);
    float best = 0, best_fit = -1, step = grid.first * rms;
    for (int i = 0; i < grid.count; ++i, step *= grid.growth) {
        const float f = fit(r, n, 1 / step, bits);
        if (f <= best_fit) continue;
        best_fit = f;
        best = 1 / step;
    }
    return best;
}

// |z - c|^2 of all dimensions, and the residual of the first n.
float residual(const float* z, const float* c, std::size_t padded, std::size_t n, float* r) {
    Sum norm;
    for (std::size_t i = 0; i < padded; i += kLanes) {
        const Floats a = load(z + i) - load(c + i), b = load(z + i + 4) - load(c + i + 4);
        norm.even += a * a;
        norm.odd += b * b;
    }
    for (std::size_t i = 0; i < n; ++i) r[i] = z[i] - c[i];
    return norm.total();
}

struct CodeSums {
    float residual, centroid;  // <x, r> and <x, c>
};

// Levels of all coordinates, 0 .. 2^bits - 1.
CodeSums quantize(const float* r, const float* c, std::size_t n, float inverse_step, unsigned bits,
                  std::uint8_t* levels) {
    const Floats most = most_steps(bits);
    const float centre = 0.5f * static_cast<float>((1 << bits) - 1);
    const auto code = [=](Floats v) {
        const Ints sign = std::bit_cast<Ints>(v) & std::numeric_limits<std::int32_t>::min();
        const Floats size = magnitude(absolute(v), inverse_step, most);
        return std::bit_cast<Floats>(std::bit_cast<Ints>(size) | sign);
    };
    Sum dot_r, dot_c;
    for (std::size_t i = 0; i < n; i += kLanes) {
        const Floats a = load(r + i), b = load(r + i + 4);
        const Floats x = code(a), y = code(b);
        dot_r.even += x * a;
        dot_r.odd += y * b;
        dot_c.even += x * load(c + i);
        dot_c.odd += y * load(c + i + 4);
        const Ints low = __builtin_convertvector(x + centre, Ints);
        const Ints high = __builtin_convertvector(y + centre, Ints);
        for (std::size_t l = 0; l < 4; ++l) {
            levels[i + l] = static_cast<std::uint8_t>(low[l]);
            levels[i + l + 4] = static_cast<std::uint8_t>(high[l]);
        }
    }
    return {dot_r.total(), dot_c.total()};
}

// Bit p of eight levels as one byte, the first level's lowest: the multiplication moves bit 8i to bit 56 + i.
std::uint8_t gather_bits(const std::uint8_t* levels, unsigned p) {
    std::uint64_t eight = 0;
    for (unsigned i = 0; i < 8; ++i) eight |= std::uint64_t{levels[i]} << (8 * i);
    return static_cast<std::uint8_t>((eight >> p & 0x0101010101010101) * 0x0102040810204080 >> 56);
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
    float r[kMaxCodeDims];
    std::uint8_t levels[kMaxCodeDims];
    const float norm = residual(z, c, book.padded, n, r);
    float inverse_step = 0;
    if (book.bits > 1 && norm > 0) {
        const float rms = std::sqrt(norm / static_cast<float>(book.padded));
        inverse_step = best_inverse_step(r, n, book.bits, rms);
    }
    const CodeSums sums = quantize(r, c, n, inverse_step, book.bits, levels);
    for (unsigned p = 0; p < book.bits; ++p)
        for (std::size_t j = 0; j < book.plane_bytes(); ++j)
            code[p * book.plane_bytes() + j] = gather_bits(levels + 8 * j, p);
    const float s = sums.residual > 0 ? norm / sums.residual : 0;
    // `add` goes with the factor as it is stored, so that the rounding of s does not offset the estimate.
    const f16 rescale = to_half(-2 * s / book.rescale_unit);
    const float stored_s = -0.5f * to_float(rescale) * book.rescale_unit;
    return {norm + 2 * stored_s * sums.centroid, rescale, centroid};
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
    // One for every value of a centroid's byte: a damaged edge finds one too.
    terms_.resize(std::size_t{std::numeric_limits<std::uint8_t>::max()} + 1);
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

// The reference: every kernel in plain C++, one element at a time, no instruction set beyond the compiler's
// baseline. The other levels are tested against it, and it serves processors that have no level of their own.
#include "simd/levels.hpp"

namespace vecidx {
namespace {

constexpr std::uint32_t kFloatInfinity = 0x7f800000;
constexpr std::uint32_t kHalfOverflow = 0x477ff000;   // 65520: from here on a float rounds to infinity
constexpr std::uint32_t kHalfMinNormal = 0x38800000;  // 2^-14
constexpr std::uint32_t kExponentShift = 112u << 23;  // difference of the exponent biases, 127 - 15
constexpr std::uint32_t kHalfBits = 0x3f000000;       // 0.5: one unit in the last place is 2^-24, as in
                                                      // the subnormal halves

std::uint32_t bits_of(float value) {
    return __builtin_bit_cast(std::uint32_t, value);
}
float float_of(std::uint32_t bits) {
    return __builtin_bit_cast(float, bits);
}

f16 magnitude_to_f16(std::uint32_t magnitude) {
    if (magnitude > kFloatInfinity) return static_cast<f16>(0x7e00 | (magnitude >> 13 & 0x3ff));
    if (magnitude >= kHalfOverflow) return 0x7c00;
    if (magnitude < kHalfMinNormal) {  // the addition rounds to a multiple of 2^-24
        return static_cast<f16>(bits_of(float_of(magnitude) + 0.5f) - kHalfBits);
    }
    const std::uint32_t odd = magnitude >> 13 & 1;
    return static_cast<f16>((magnitude - kExponentShift + 0xfff + odd) >> 13);
}

f16 to_half(float value) {
    const std::uint32_t bits = bits_of(value);
    return static_cast<f16>((bits >> 16 & 0x8000) | magnitude_to_f16(bits & 0x7fffffff));
}

float from_half(f16 half) {
    const std::uint32_t magnitude = half & 0x7fff;
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
    if (magnitude < 0x400) return float_of(bits_of(float_of(kHalfBits | magnitude) - 0.5f) | sign);
    const std::uint32_t shift = magnitude < 0x7c00 ? kExponentShift : 2 * kExponentShift;
    return float_of(((magnitude << 13) + shift) | sign);
}

float absolute(float value) {
    return float_of(bits_of(value) & 0x7fffffff);
}

float l2_squared(const float* a, const float* b, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

float inner_product(const float* a, const float* b, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
    return sum;
}

float l1(const float* a, const float* b, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += absolute(a[i] - b[i]);
    return sum;
}

DotNorms dot_norms(const float* a, const float* b, std::size_t n) {
    DotNorms sums = {0, 0, 0};
    for (std::size_t i = 0; i < n; ++i) {
        sums.dot += a[i] * b[i];
        sums.norm_a += a[i] * a[i];
        sums.norm_b += b[i] * b[i];
    }
    return sums;
}

float l2_squared_f16(const float* q, const f16* x, float unit, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const float difference = q[i] - unit * from_half(x[i]);
        sum += difference * difference;
    }
    return sum;
}

float l1_f16(const float* q, const f16* x, float unit, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += absolute(q[i] - unit * from_half(x[i]));
    return sum;
}

float l2_squared_i8(const float* q, const std::int8_t* x, float unit, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const float difference = q[i] - unit * static_cast<float>(x[i]);
        sum += difference * difference;
    }
    return sum;
}

float l1_i8(const float* q, const std::int8_t* x, float unit, std::size_t n) {
    float sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += absolute(q[i] - unit * static_cast<float>(x[i]));
    return sum;
}

void to_f16(const float* in, f16* out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = to_half(in[i]);
}

void from_f16(const f16* in, float* out, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) out[i] = from_half(in[i]);
}

void add_plane(const std::uint8_t* codes, const QueryTable& query, unsigned plane, std::uint32_t* sums) {
    for (std::size_t j = 0; j < query.code_dims / 8; ++j) {
        const std::uint8_t* low = query.low + 16 * j;
        const std::uint8_t* high = query.high + 16 * j;
        for (std::size_t lane = 0; lane < kBlockLanes; ++lane) {
            const std::uint8_t code = codes[16 * j + lane];
            sums[lane] += static_cast<std::uint32_t>(low[code & 15] + high[code >> 4]) << plane;
        }
    }
}

std::int32_t dot(const std::uint8_t* row, const Tile& columns, std::size_t column) {
    const std::int8_t* panel = columns.panels + column / 16 * 16 * columns.stride;
    std::int32_t sum = columns.bias[column];
    for (std::size_t d = 0; d < columns.stride; ++d) {
        sum += row[d] * panel[d / 4 * 64 + column % 16 * 4 + d % 4];
    }
    return sum;
}

void dot_tile(const Tile& rows, std::size_t first_row, std::size_t row_count, const Tile& columns,
              std::size_t panel_count, std::int32_t* out, std::size_t out_stride) {
    for (std::size_t i = 0; i < row_count; ++i) {
        const std::uint8_t* row = rows.rows + (first_row + i) * rows.stride;
        for (std::size_t j = 0; j < 16 * panel_count; ++j) out[i * out_stride + j] = dot(row, columns, j);
    }
}

float value_of(f16 x) {
    return from_half(x);
}
float value_of(std::int8_t x) {
    return static_cast<float>(x);
}

template <typename X>
float largest(const float* c, const X* x, float unit, std::size_t n) {
    float result = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const float v = absolute(unit * value_of(x[i]) - c[i]);
        if (v > result) result = v;
    }
    return result;
}

template <typename X>
PackedSums pack(const float* c, const X* x, float unit, float inverse, std::uint8_t* row, std::size_t n) {
    PackedSums sums = {0, 0};
    for (std::size_t i = 0; i < n; ++i) {
        float v = (unit * value_of(x[i]) - c[i]) * inverse + 128.5f;  // positive: cutting it off rounds
        v = v > 1.0f ? v : 1.0f;
        v = v < 255.0f ? v : 255.0f;
        row[i] = static_cast<std::uint8_t>(v);
        const std::int32_t value = row[i] - 128;
        sums.sum += value;
        sums.norm += value * value;
    }
    return sums;
}

void lane_minima(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t* minima) {
    for (std::size_t l = 0; l < kMinimaLanes; ++l) minima[l] = 0x7fffffff;
    for (std::size_t j = 0; j < n; ++j) {
        const std::int32_t key = norms[j] - 2 * dots[j];
        std::int32_t& least = minima[j % kMinimaLanes];
        if (key < least) least = key;
    }
}

std::size_t keys_up_to(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t limit,
                       std::uint32_t* columns) {
    std::size_t count = 0;
    for (std::size_t j = 0; j < n; ++j)
        if (norms[j] - 2 * dots[j] <= limit) columns[count++] = static_cast<std::uint32_t>(j);
    return count;
}

}  // namespace

void scan_plain(const CodeBlocks& edges, const QueryTable& query, float* estimates) {
    const std::size_t plane_bytes = query.code_dims / 8 * kBlockLanes;
    const std::uint8_t* codes = edges.codes;
    for (std::size_t block = 0; block < edges.blocks; ++block) {
        std::uint32_t sums[kBlockLanes] = {};
        for (unsigned plane = 0; plane < query.bits; ++plane, codes += plane_bytes) {
            add_plane(codes, query, plane, sums);
        }
        for (std::size_t lane = 0; lane < kBlockLanes; ++lane) {
            const std::size_t edge = block * kBlockLanes + lane;
            const float product = query.scale * static_cast<float>(sums[lane]) + query.offset;
            estimates[edge] = edges.add[edge] + query.centroid_term[edges.centroid[edge]] +
                              query.rescale_unit * from_half(edges.rescale[edge]) * product;
        }
    }
}

constinit const Kernels kScalarKernels = {
    .level = SimdLevel::kScalar,
    .name = "scalar",
    .l2_squared = l2_squared,
    .inner_product = inner_product,
    .l1 = l1,
    .dot_norms = dot_norms,
    .l2_squared_f16 = l2_squared_f16,
    .l1_f16 = l1_f16,
    .l2_squared_i8 = l2_squared_i8,
    .l1_i8 = l1_i8,
    .to_f16 = to_f16,
    .from_f16 = from_f16,
    .scan = scan_plain,
    .dot_tile = dot_tile,
    .largest_f16 = largest<f16>,
    .largest_i8 = largest<std::int8_t>,
    .pack_f16 = pack<f16>,
    .pack_i8 = pack<std::int8_t>,
    .lane_minima = lane_minima,
    .keys_up_to = keys_up_to,
};

}  // namespace vecidx

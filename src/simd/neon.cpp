// The NEON level: the baseline of 64-bit ARM, without the dot product extension.
#if defined(__aarch64__)

// GCC notes that the calling convention of some structs changed with C++17; nothing here leaves the file.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

#include <arm_neon.h>

#include "simd/kernels.inl.hpp"
#include "simd/levels.hpp"

namespace vecidx {
namespace {

// Up to three elements, then zeros.
template <typename T>
struct Padded {
    T values[4] = {};

    Padded(const T* p, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) values[i] = p[i];
    }
};

struct Ops {
    using Batch = xsimd::batch<float, xsimd::neon64>;

    static Batch load(const float* p) { return vld1q_f32(p); }
    static Batch load(const f16* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
    static Batch load(const std::int8_t* p) {
        std::uint32_t four;
        __builtin_memcpy(&four, p, sizeof(four));
        const int16x8_t words = vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(four)));
        return vcvtq_f32_s32(vmovl_s16(vget_low_s16(words)));
    }
    template <typename T>
    static Batch load_part(const T* p, std::size_t count) {
        return load(Padded<T>(p, count).values);
    }

    static void store(float* p, Batch value) { vst1q_f32(p, value); }
    static void store(f16* p, Batch value) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(value))); }
    template <typename T>
    static void store_part(T* p, Batch value, std::size_t count) {
        T values[4];
        store(values, value);
        for (std::size_t i = 0; i < count; ++i) p[i] = values[i];
    }

    static Batch mul_add(Batch a, Batch b, Batch c) { return vfmaq_f32(c, a, b); }
    static float sum(Batch value) { return vaddvq_f32(value); }

    static void store_bytes(std::uint8_t* p, Batch value) {
        const uint16x4_t words = vmovn_u32(vcvtq_u32_f32(value));
        vst1_lane_u32(reinterpret_cast<std::uint32_t*>(p),
                      vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    }
    static PackedSums packed_sums(const std::uint8_t* p, std::size_t n) {
        int32x4_t sum = vdupq_n_s32(0), norm = vdupq_n_s32(0);
        std::size_t i = 0;
        for (; i + 8 <= n; i += 8) {
            const int16x8_t values =
                vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p + i))), vdupq_n_s16(128));
            sum = vpadalq_s16(sum, values);
            norm = vmlal_s16(norm, vget_low_s16(values), vget_low_s16(values));
            norm = vmlal_high_s16(norm, values, values);
        }
        PackedSums sums = {vaddvq_s32(sum), vaddvq_s32(norm)};
        for (; i < n; ++i) {
            const std::int32_t value = p[i] - 128;
            sums.sum += value;
            sums.norm += value * value;
        }
        return sums;
    }
};

// The sums of one block's 16 lanes, all planes combined.
struct LaneSums {
    uint32x4_t lanes[4] = {vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0), vdupq_n_u32(0)};

    void add_plane(const std::uint8_t* codes, const QueryTable& query, unsigned plane) {
        uint16x8_t first = vdupq_n_u16(0);
        uint16x8_t last = vdupq_n_u16(0);
        for (std::size_t at = 0; at < 2 * query.code_dims; at += 16) {
            const uint8x16_t code = vld1q_u8(codes + at);
            const uint8x16_t from_low = vqtbl1q_u8(vld1q_u8(query.low + at), vandq_u8(code, vdupq_n_u8(15)));
            const uint8x16_t from_high = vqtbl1q_u8(vld1q_u8(query.high + at), vshrq_n_u8(code, 4));
            const uint8x16_t bytes = vaddq_u8(from_low, from_high);
            first = vaddw_u8(first, vget_low_u8(bytes));
            last = vaddw_high_u8(last, bytes);
        }
        const int32x4_t weight = vdupq_n_s32(static_cast<int>(plane));
        lanes[0] = vaddq_u32(lanes[0], vshlq_u32(vmovl_u16(vget_low_u16(first)), weight));
        lanes[1] = vaddq_u32(lanes[1], vshlq_u32(vmovl_high_u16(first), weight));
        lanes[2] = vaddq_u32(lanes[2], vshlq_u32(vmovl_u16(vget_low_u16(last)), weight));
        lanes[3] = vaddq_u32(lanes[3], vshlq_u32(vmovl_high_u16(last), weight));
    }
};

// The estimates of four lanes, from lane number `edge` of all blocks on.
void estimate(const CodeBlocks& edges, std::size_t edge, const QueryTable& query, uint32x4_t sum,
              float* estimates) {
    const float32x4_t product =
        vfmaq_f32(vdupq_n_f32(query.offset), vdupq_n_f32(query.scale), vcvtq_f32_u32(sum));
    const float32x4_t rescale = vmulq_f32(vdupq_n_f32(query.rescale_unit), Ops::load(edges.rescale + edge));
    float terms[4];
    for (std::size_t i = 0; i < 4; ++i) terms[i] = query.centroid_term[edges.centroid[edge + i]];
    const float32x4_t base = vaddq_f32(vld1q_f32(edges.add + edge), vld1q_f32(terms));
    vst1q_f32(estimates + edge, vfmaq_f32(base, rescale, product));
}

void scan(const CodeBlocks& edges, const QueryTable& query, float* estimates) {
    const std::uint8_t* codes = edges.codes;
    for (std::size_t block = 0; block < edges.blocks; ++block) {
        LaneSums sums;
        for (unsigned plane = 0; plane < query.bits; ++plane) {
            sums.add_plane(codes, query, plane);
            codes += 2 * query.code_dims;
        }
        for (std::size_t i = 0; i < 4; ++i) {
            estimate(edges, block * kBlockLanes + 4 * i, query, sums.lanes[i], estimates);
        }
    }
}

// One row against one panel of 16 vectors; sums[v] holds four partial sums of vector v.
void dot_panel(const std::uint8_t* row, const std::int8_t* panel, const std::int32_t* bias,
               std::size_t stride, std::int32_t* out) {
    int32x4_t sums[16];
    for (int32x4_t& sum : sums) sum = vdupq_n_s32(0);
    for (std::size_t d = 0; d < stride; d += 4) {
        std::uint32_t four;
        __builtin_memcpy(&four, row + d, sizeof(four));
        const uint16x8_t words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
        const int16x4_t values = vreinterpret_s16_u16(vget_low_u16(words));
#pragma GCC unroll 8
        for (std::size_t v = 0; v < 16; v += 2) {
            const int16x8_t columns = vmovl_s8(vld1_s8(panel + d * 16 + v * 4));
            sums[v] = vmlal_s16(sums[v], vget_low_s16(columns), values);
            sums[v + 1] = vmlal_s16(sums[v + 1], vget_high_s16(columns), values);
        }
    }
    for (std::size_t v = 0; v < 16; v += 4) {
        const int32x4_t low = vpaddq_s32(sums[v], sums[v + 1]);
        const int32x4_t high = vpaddq_s32(sums[v + 2], sums[v + 3]);
        vst1q_s32(out + v, vaddq_s32(vpaddq_s32(low, high), vld1q_s32(bias + v)));
    }
}

void dot_tile(const Tile& rows, std::size_t first_row, std::size_t row_count, const Tile& columns,
              std::size_t panel_count, std::int32_t* out, std::size_t out_stride) {
    const std::uint8_t* begin = rows.rows + first_row * rows.stride;
    for (std::size_t panel = 0; panel < panel_count; ++panel) {
        for (std::size_t i = 0; i < row_count; ++i) {
            dot_panel(begin + i * rows.stride, columns.panels + panel * 16 * rows.stride,
                      columns.bias + panel * 16, rows.stride, out + i * out_stride + panel * 16);
        }
    }
}

// norms - 2 dots of 4 columns.
int32x4_t keys_at(const std::int32_t* dots, const std::int32_t* norms) {
    return vmlsq_n_s32(vld1q_s32(norms), vld1q_s32(dots), 2);
}

void lane_minima(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t* minima) {
    constexpr std::size_t kVectors = kMinimaLanes / 4;
    int32x4_t least[kVectors];
    for (int32x4_t& l : least) l = vdupq_n_s32(0x7fffffff);
    std::size_t j = 0;
    for (; j + kMinimaLanes <= n; j += kMinimaLanes) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v)
            least[v] = vminq_s32(least[v], keys_at(dots + j + 4 * v, norms + j + 4 * v));
    }
    for (std::size_t v = 0; v < kVectors; ++v) vst1q_s32(minima + 4 * v, least[v]);
    for (; j < n; ++j) {
        const std::int32_t key = norms[j] - 2 * dots[j];
        std::int32_t& lane = minima[j % kMinimaLanes];
        lane = key < lane ? key : lane;
    }
}

std::size_t keys_up_to(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t limit,
                       std::uint32_t* columns) {
    std::size_t count = 0, j = 0;
    for (; j + 4 <= n; j += 4) {
        const int32x4_t keys = keys_at(dots + j, norms + j);
        if (vminvq_s32(keys) > limit) continue;
        for (std::size_t i = j; i < j + 4; ++i)
            if (norms[i] - 2 * dots[i] <= limit) columns[count++] = static_cast<std::uint32_t>(i);
    }
    for (; j < n; ++j)
        if (norms[j] - 2 * dots[j] <= limit) columns[count++] = static_cast<std::uint32_t>(j);
    return count;
}

using Floats = FloatKernels<Ops>;

}  // namespace

constinit const Kernels kNeonKernels = {
    .level = SimdLevel::kNeon,
    .name = "neon",
    .l2_squared = Floats::l2_squared,
    .inner_product = Floats::inner_product,
    .l1 = Floats::l1,
    .dot_norms = Floats::dot_norms,
    .l2_squared_f16 = Floats::l2_squared_stored<f16>,
    .l1_f16 = Floats::l1_stored<f16>,
    .l2_squared_i8 = Floats::l2_squared_stored<std::int8_t>,
    .l1_i8 = Floats::l1_stored<std::int8_t>,
    .to_f16 = Floats::convert<float, f16>,
    .from_f16 = Floats::convert<f16, float>,
    .scan = scan,
    .dot_tile = dot_tile,
    .largest_f16 = Floats::largest<f16>,
    .largest_i8 = Floats::largest<std::int8_t>,
    .pack_f16 = Floats::pack<f16>,
    .pack_i8 = Floats::pack<std::int8_t>,
    .lane_minima = lane_minima,
    .keys_up_to = keys_up_to,
};

}  // namespace vecidx

#endif

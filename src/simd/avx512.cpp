// The AVX-512 level: F, CD, BW, VL, DQ and VNNI (Ice Lake, Zen 4 and later). Tails are masked loads and
// stores.
#if defined(__x86_64__)

// GCC 12 reports the undefined operand inside its own intrinsics (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

#include <immintrin.h>

#include "simd/kernels.inl.hpp"
#include "simd/levels.hpp"

namespace vecidx {
namespace {

__mmask16 first(std::size_t count) {
    return static_cast<__mmask16>((1u << count) - 1);
}

struct Ops {
    using Batch = xsimd::batch<float, xsimd::avx512bw>;

    static Batch load(const float* p) { return _mm512_loadu_ps(p); }
    static Batch load(const f16* p) {
        return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    static Batch load(const std::int8_t* p) {
        return from_i8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    }
    static Batch load_part(const float* p, std::size_t count) {
        return _mm512_maskz_loadu_ps(first(count), p);
    }
    static Batch load_part(const f16* p, std::size_t count) {
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first(count), p));
    }
    static Batch load_part(const std::int8_t* p, std::size_t count) {
        return from_i8(_mm_maskz_loadu_epi8(first(count), p));
    }
    static Batch from_i8(__m128i bytes) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)); }

    static void store(float* p, Batch value) { _mm512_storeu_ps(p, value); }
    static void store(f16* p, Batch value) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_halves(value));
    }
    static void store_part(float* p, Batch value, std::size_t count) {
        _mm512_mask_storeu_ps(p, first(count), value);
    }
    static void store_part(f16* p, Batch value, std::size_t count) {
        _mm256_mask_storeu_epi16(p, first(count), to_halves(value));
    }
    static __m256i to_halves(Batch value) { return _mm512_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT); }

    static Batch mul_add(Batch a, Batch b, Batch c) { return _mm512_fmadd_ps(a, b, c); }
    static float sum(Batch value) { return _mm512_reduce_add_ps(value); }

    static void store_bytes(std::uint8_t* p, Batch value) {
        const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(value));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
    }
    // By products of bytes with bytes: the sum of squares as <b, b - 128> - 128 <1, b - 128>.
    static PackedSums packed_sums(const std::uint8_t* p, std::size_t n) {
        __m512i sum = _mm512_setzero_si512(), product = _mm512_setzero_si512();
        const __m512i ones = _mm512_set1_epi8(1), flip = _mm512_set1_epi8(-128);
        for (std::size_t i = 0; i < n; i += 64) {
            const __mmask64 mask = n - i < 64 ? (std::uint64_t{1} << (n - i)) - 1 : ~std::uint64_t{0};
            const __m512i bytes = _mm512_mask_loadu_epi8(flip, mask, p + i);
            const __m512i values = _mm512_xor_si512(bytes, flip);
            sum = _mm512_dpbusd_epi32(sum, ones, values);
            product = _mm512_dpbusd_epi32(product, bytes, values);
        }
        const std::int32_t total = _mm512_reduce_add_epi32(sum);
        return {total, _mm512_reduce_add_epi32(product) - 128 * total};
    }
};

// FastScan. A stream is one bit plane of one block; four of them share the look-up tables in registers.
// A step takes 64 bytes of a stream: four bytes j, one per 128-bit sublane, 16 lanes each.
constexpr std::size_t kStreams = 4;
constexpr std::size_t kStepBytes = 64;

// Sums of the even and the odd lanes in u16. `all` adds pairs of bytes as u16 with wrap-around, `odd` their
// upper bytes; what the upper bytes put into `all` is taken out at the end. No true sum passes 2^16.
struct Sums {
    __m512i all = _mm512_setzero_si512();
    __m512i odd = _mm512_setzero_si512();

    void add(__m512i codes, __m512i low, __m512i high) {
        const __m512i nibble = _mm512_set1_epi8(15);
        const __m512i from_low = _mm512_shuffle_epi8(low, _mm512_and_si512(codes, nibble));
        const __m512i from_high =
            _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(codes, 4), nibble));
        const __m512i bytes = _mm512_add_epi8(from_low, from_high);
        all = _mm512_add_epi16(all, bytes);
        odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
    }

    // The sums of the 16 lanes over all sublanes.
    __m512i total() const {
        const __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
        const __m256i evens = add_halves(even);
        const __m256i odds = add_halves(odd);
        const __m256i lanes_low = _mm256_unpacklo_epi16(evens, odds);
        const __m256i lanes_high = _mm256_unpackhi_epi16(evens, odds);
        return _mm512_cvtepu16_epi32(
            _mm256_add_epi16(_mm256_permute2x128_si256(lanes_low, lanes_high, 0x20),
                             _mm256_permute2x128_si256(lanes_low, lanes_high, 0x31)));
    }

    static __m256i add_halves(__m512i value) {
        return _mm256_add_epi16(_mm512_castsi512_si256(value), _mm512_extracti64x4_epi64(value, 1));
    }
};

template <std::size_t kCount>
void sum_streams(const std::uint8_t* codes, const QueryTable& query, __m512i* totals) {
    const std::size_t stream_bytes = 2 * query.code_dims;
    Sums sums[kCount];
    std::size_t at = 0;
    for (; at + kStepBytes <= stream_bytes; at += kStepBytes) {
        const __m512i low = _mm512_loadu_si512(query.low + at);
        const __m512i high = _mm512_loadu_si512(query.high + at);
#pragma GCC unroll 4
        for (std::size_t s = 0; s < kCount; ++s) {
            sums[s].add(_mm512_loadu_si512(codes + s * stream_bytes + at), low, high);
        }
    }
    if (at < stream_bytes) {  // code_dims is a multiple of 16: half a step is left
        const __mmask64 half = 0xffffffff;
        const __m512i low = _mm512_maskz_loadu_epi8(half, query.low + at);
        const __m512i high = _mm512_maskz_loadu_epi8(half, query.high + at);
#pragma GCC unroll 4
        for (std::size_t s = 0; s < kCount; ++s) {
            sums[s].add(_mm512_maskz_loadu_epi8(half, codes + s * stream_bytes + at), low, high);
        }
    }
#pragma GCC unroll 4
    for (std::size_t s = 0; s < kCount; ++s) totals[s] = sums[s].total();
}

void sum_streams(const std::uint8_t* codes, const QueryTable& query, std::size_t count, __m512i* totals) {
    switch (count) {
        case 1:
            return sum_streams<1>(codes, query, totals);
        case 2:
            return sum_streams<2>(codes, query, totals);
        case 3:
            return sum_streams<3>(codes, query, totals);
        default:
            return sum_streams<kStreams>(codes, query, totals);
    }
}

__m128 look_up_four(const float* table, const std::uint8_t* index) {
    return _mm_setr_ps(table[index[0]], table[index[1]], table[index[2]], table[index[3]]);
}

// 16 entries of a table: single loads, which are faster than a gather instruction.
__m512 look_up(const float* table, const std::uint8_t* index) {
    const __m256 low = _mm256_set_m128(look_up_four(table, index + 4), look_up_four(table, index));
    const __m256 high = _mm256_set_m128(look_up_four(table, index + 12), look_up_four(table, index + 8));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

// The estimates of one block from the totals of its planes.
void estimate(const CodeBlocks& edges, std::size_t block, const QueryTable& query, const __m512i* totals,
              float* estimates) {
    const std::size_t edge = block * kBlockLanes;
    __m512i sum = totals[0];
    for (unsigned plane = 1; plane < query.bits; ++plane) {
        sum = _mm512_add_epi32(sum, _mm512_slli_epi32(totals[plane], plane));
    }
    const __m512 product =
        _mm512_fmadd_ps(_mm512_set1_ps(query.scale), _mm512_cvtepi32_ps(sum), _mm512_set1_ps(query.offset));
    const __m512 rescale = _mm512_mul_ps(_mm512_set1_ps(query.rescale_unit), Ops::load(edges.rescale + edge));
    const __m512 term = look_up(query.centroid_term, edges.centroid + edge);
    const __m512 base = _mm512_add_ps(_mm512_loadu_ps(edges.add + edge), term);
    _mm512_storeu_ps(estimates + edge, _mm512_fmadd_ps(rescale, product, base));
}

void scan(const CodeBlocks& edges, const QueryTable& query, float* estimates) {
    const std::size_t group = kStreams / query.bits;  // blocks at a time
    const std::size_t block_bytes = query.bits * 2 * query.code_dims;
    for (std::size_t block = 0; block < edges.blocks; block += group) {
        const std::size_t left = edges.blocks - block;
        const std::size_t count = left < group ? left : group;
        __m512i totals[kStreams];
        sum_streams(edges.codes + block * block_bytes, query, count * query.bits, totals);
        for (std::size_t i = 0; i < count; ++i) {
            estimate(edges, block + i, query, totals + i * query.bits, estimates);
        }
    }
}

// All pairs. A register block of kRows rows and kPanels panels (16 columns each) is kept in accumulators.
template <std::size_t kRows, std::size_t kPanels>
void dot_block(const std::uint8_t* rows, const Tile& columns, std::size_t panel, std::int32_t* out,
               std::size_t out_stride) {
    const std::size_t stride = columns.stride;
    const std::int8_t* panels = columns.panels + panel * 16 * stride;
    __m512i sums[kRows][kPanels];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
        for (std::size_t p = 0; p < kPanels; ++p) {
            sums[i][p] = _mm512_loadu_si512(columns.bias + (panel + p) * 16);
        }
    }
    for (std::size_t d = 0; d < stride; d += 4) {
        __m512i values[kPanels];
#pragma GCC unroll 3
        for (std::size_t p = 0; p < kPanels; ++p) {
            values[p] = _mm512_loadu_si512(panels + (p * stride + d) * 16);
        }
#pragma GCC unroll 8
        for (std::size_t i = 0; i < kRows; ++i) {
            std::int32_t four;
            __builtin_memcpy(&four, rows + i * stride + d, sizeof(four));
            const __m512i row = _mm512_set1_epi32(four);
#pragma GCC unroll 3
            for (std::size_t p = 0; p < kPanels; ++p) {
                sums[i][p] = _mm512_dpbusd_epi32(sums[i][p], row, values[p]);
            }
        }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 3
        for (std::size_t p = 0; p < kPanels; ++p) {
            _mm512_storeu_si512(out + i * out_stride + (panel + p) * 16, sums[i][p]);
        }
    }
}

// All rows against kPanels panels, which stay in the cache.
template <std::size_t kPanels>
void dot_strip(const std::uint8_t* rows, std::size_t row_count, const Tile& columns, std::size_t panel,
               std::int32_t* out, std::size_t out_stride) {
    std::size_t i = 0;
    for (; i + 8 <= row_count; i += 8) {
        dot_block<8, kPanels>(rows + i * columns.stride, columns, panel, out + i * out_stride, out_stride);
    }
    for (; i + 2 <= row_count; i += 2) {
        dot_block<2, kPanels>(rows + i * columns.stride, columns, panel, out + i * out_stride, out_stride);
    }
    if (i < row_count) {
        dot_block<1, kPanels>(rows + i * columns.stride, columns, panel, out + i * out_stride, out_stride);
    }
}

void dot_tile(const Tile& rows, std::size_t first_row, std::size_t row_count, const Tile& columns,
              std::size_t panel_count, std::int32_t* out, std::size_t out_stride) {
    const std::uint8_t* begin = rows.rows + first_row * rows.stride;
    std::size_t panel = 0;
    for (; panel + 3 <= panel_count; panel += 3) {
        dot_strip<3>(begin, row_count, columns, panel, out, out_stride);
    }
    if (panel_count - panel == 2) dot_strip<2>(begin, row_count, columns, panel, out, out_stride);
    if (panel_count - panel == 1) dot_strip<1>(begin, row_count, columns, panel, out, out_stride);
}

// norms - 2 dots of 16 columns.
__m512i keys_at(const std::int32_t* dots, const std::int32_t* norms) {
    return _mm512_sub_epi32(_mm512_loadu_si512(norms), _mm512_slli_epi32(_mm512_loadu_si512(dots), 1));
}

// Of fewer columns; the largest integer elsewhere.
__m512i keys_at(const std::int32_t* dots, const std::int32_t* norms, std::size_t count) {
    const __mmask16 mask = first(count < 16 ? count : 16);
    const __m512i products = _mm512_maskz_loadu_epi32(mask, dots);
    const __m512i norm = _mm512_maskz_loadu_epi32(mask, norms);
    return _mm512_mask_sub_epi32(_mm512_set1_epi32(0x7fffffff), mask, norm, _mm512_slli_epi32(products, 1));
}

void lane_minima(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t* minima) {
    __m512i low = _mm512_set1_epi32(0x7fffffff), high = low;
    std::size_t j = 0;
    for (; j + kMinimaLanes <= n; j += kMinimaLanes) {
        low = _mm512_min_epi32(low, keys_at(dots + j, norms + j));
        high = _mm512_min_epi32(high, keys_at(dots + j + 16, norms + j + 16));
    }
    if (j < n) low = _mm512_min_epi32(low, keys_at(dots + j, norms + j, n - j));
    if (j + 16 < n) high = _mm512_min_epi32(high, keys_at(dots + j + 16, norms + j + 16, n - j - 16));
    _mm512_storeu_si512(minima, low);
    _mm512_storeu_si512(minima + 16, high);
}

std::size_t keys_up_to(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t limit,
                       std::uint32_t* columns) {
    const __m512i most = _mm512_set1_epi32(limit);
    std::size_t count = 0, j = 0;
    const auto note = [&](std::uint32_t hits) {
        for (; hits != 0; hits &= hits - 1)
            columns[count++] =
                static_cast<std::uint32_t>(j) + static_cast<std::uint32_t>(__builtin_ctz(hits));
    };
    for (; j + 32 <= n; j += 32) {
        const std::uint32_t low = _mm512_cmple_epi32_mask(keys_at(dots + j, norms + j), most);
        const std::uint32_t high = _mm512_cmple_epi32_mask(keys_at(dots + j + 16, norms + j + 16), most);
        note(low | high << 16);
    }
    for (; j < n; j += 16) {
        const __mmask16 mask = first(n - j < 16 ? n - j : 16);
        note(_mm512_mask_cmple_epi32_mask(mask, keys_at(dots + j, norms + j, n - j), most));
    }
    return count;
}

using Floats = FloatKernels<Ops>;

}  // namespace

constinit const Kernels kAvx512Kernels = {
    .level = SimdLevel::kAvx512,
    .name = "avx512",
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

// The AVX2 level: AVX2, FMA and F16C (Haswell, Zen and later).
#if defined(__x86_64__)

#include <immintrin.h>

#include "simd/kernels.inl.hpp"
#include "simd/levels.hpp"

namespace vecidx {
namespace {

__m128i load_128(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

__m256i load_256(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

// Up to seven elements, then zeros.
template <typename T>
struct Padded {
    T values[8] = {};

    Padded(const T* p, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) values[i] = p[i];
    }
};

struct Ops {
    using Batch = xsimd::batch<float, xsimd::avx2>;

    static Batch load(const float* p) { return _mm256_loadu_ps(p); }
    static Batch load(const f16* p) { return _mm256_cvtph_ps(load_128(p)); }
    static Batch load(const std::int8_t* p) {
        const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    }
    static Batch load_part(const float* p, std::size_t count) { return _mm256_maskload_ps(p, first(count)); }
    template <typename T>
    static Batch load_part(const T* p, std::size_t count) {
        return load(Padded<T>(p, count).values);
    }

    static void store(float* p, Batch value) { _mm256_storeu_ps(p, value); }
    static void store(f16* p, Batch value) {
        const __m128i halves = _mm256_cvtps_ph(value, _MM_FROUND_TO_NEAREST_INT);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), halves);
    }
    static void store_part(float* p, Batch value, std::size_t count) {
        _mm256_maskstore_ps(p, first(count), value);
    }
    static void store_part(f16* p, Batch value, std::size_t count) {
        f16 values[8];
        store(values, value);
        for (std::size_t i = 0; i < count; ++i) p[i] = values[i];
    }

    static __m256i first(std::size_t count) {
        const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
        return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(count)), lane);
    }

    static Batch mul_add(Batch a, Batch b, Batch c) { return _mm256_fmadd_ps(a, b, c); }
    static float sum(Batch value) {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(value), _mm256_extractf128_ps(value, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }

    static void store_bytes(std::uint8_t* p, Batch value) {
        const __m256i numbers = _mm256_cvttps_epi32(value);
        const __m128i words =
            _mm_packs_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(words, words));
    }
    static PackedSums packed_sums(const std::uint8_t* p, std::size_t n) {
        __m256i sum = _mm256_setzero_si256(), norm = _mm256_setzero_si256();
        std::size_t i = 0;
        for (; i + 16 <= n; i += 16) {
            const __m256i values =
                _mm256_sub_epi16(_mm256_cvtepu8_epi16(load_128(p + i)), _mm256_set1_epi16(128));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(values, _mm256_set1_epi16(1)));
            norm = _mm256_add_epi32(norm, _mm256_madd_epi16(values, values));
        }
        PackedSums sums = {add_all(sum), add_all(norm)};
        for (; i < n; ++i) {
            const std::int32_t value = p[i] - 128;
            sums.sum += value;
            sums.norm += value * value;
        }
        return sums;
    }
    static std::int32_t add_all(__m256i value) {
        const __m128i four = _mm_add_epi32(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
        const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
        return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
    }
};

// FastScan. A stream is one bit plane of one block; four of them share the look-up tables in registers.
// A step takes 32 bytes of a stream: two bytes j, one per 128-bit half, 16 lanes each.
constexpr std::size_t kStreams = 4;
constexpr std::size_t kStepBytes = 32;

// Sums of the even and the odd lanes in u16. `all` adds pairs of bytes as u16 with wrap-around, `odd` their
// upper bytes; what the upper bytes put into `all` is taken out at the end. No true sum passes 2^16.
struct Sums {
    __m256i all = _mm256_setzero_si256();
    __m256i odd = _mm256_setzero_si256();

    void add(__m256i codes, __m256i low, __m256i high) {
        const __m256i nibble = _mm256_set1_epi8(15);
        const __m256i from_low = _mm256_shuffle_epi8(low, _mm256_and_si256(codes, nibble));
        const __m256i from_high =
            _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(codes, 4), nibble));
        const __m256i bytes = _mm256_add_epi8(from_low, from_high);
        all = _mm256_add_epi16(all, bytes);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
    }

    // Writes the sums of the 16 lanes over both halves.
    void store(std::uint16_t* totals) const {
        const __m128i evens = add_halves(_mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8)));
        const __m128i odds = add_halves(odd);
        __m128i* out = reinterpret_cast<__m128i*>(totals);
        _mm_storeu_si128(out, _mm_unpacklo_epi16(evens, odds));
        _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(evens, odds));
    }

    static __m128i add_halves(__m256i value) {
        return _mm_add_epi16(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
    }
};

using Totals = std::uint16_t[kBlockLanes];

template <std::size_t kCount>
void sum_streams(const std::uint8_t* codes, const QueryTable& query, Totals* totals) {
    const std::size_t stream_bytes = 2 * query.code_dims;  // a multiple of the step
    Sums sums[kCount];
    for (std::size_t at = 0; at < stream_bytes; at += kStepBytes) {
        const __m256i low = load_256(query.low + at);
        const __m256i high = load_256(query.high + at);
#pragma GCC unroll 4
        for (std::size_t s = 0; s < kCount; ++s) {
            sums[s].add(load_256(codes + s * stream_bytes + at), low, high);
        }
    }
#pragma GCC unroll 4
    for (std::size_t s = 0; s < kCount; ++s) sums[s].store(totals[s]);
}

void sum_streams(const std::uint8_t* codes, const QueryTable& query, std::size_t count, Totals* totals) {
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

// The estimates of eight lanes of one block, from `lane` (0 or 8) on.
void estimate(const CodeBlocks& edges, std::size_t block, const QueryTable& query, const Totals* totals,
              std::size_t lane, float* estimates) {
    const std::size_t edge = block * kBlockLanes + lane;
    __m256i sum = _mm256_cvtepu16_epi32(load_128(totals[0] + lane));
    for (unsigned plane = 1; plane < query.bits; ++plane) {
        const __m256i total = _mm256_cvtepu16_epi32(load_128(totals[plane] + lane));
        sum = _mm256_add_epi32(sum, _mm256_slli_epi32(total, static_cast<int>(plane)));
    }
    const __m256 product =
        _mm256_fmadd_ps(_mm256_set1_ps(query.scale), _mm256_cvtepi32_ps(sum), _mm256_set1_ps(query.offset));
    const __m256 rescale = _mm256_mul_ps(_mm256_set1_ps(query.rescale_unit), Ops::load(edges.rescale + edge));
    const std::uint8_t* c = edges.centroid + edge;
    const float* t = query.centroid_term;
    const __m256 term =
        _mm256_setr_ps(t[c[0]], t[c[1]], t[c[2]], t[c[3]], t[c[4]], t[c[5]], t[c[6]], t[c[7]]);
    const __m256 base = _mm256_add_ps(_mm256_loadu_ps(edges.add + edge), term);
    _mm256_storeu_ps(estimates + edge, _mm256_fmadd_ps(rescale, product, base));
}

void scan(const CodeBlocks& edges, const QueryTable& query, float* estimates) {
    const std::size_t group = kStreams / query.bits;  // blocks at a time
    const std::size_t block_bytes = query.bits * 2 * query.code_dims;
    for (std::size_t block = 0; block < edges.blocks; block += group) {
        const std::size_t left = edges.blocks - block;
        const std::size_t count = left < group ? left : group;
        Totals totals[kStreams];
        sum_streams(edges.codes + block * block_bytes, query, count * query.bits, totals);
        for (std::size_t i = 0; i < count; ++i) {
            estimate(edges, block + i, query, totals + i * query.bits, 0, estimates);
            estimate(edges, block + i, query, totals + i * query.bits, 8, estimates);
        }
    }
}

// All pairs: kRows rows against one panel of 16 vectors, in 16-bit products, which cannot saturate.
// sums[i][v] holds two partial sums for each of the vectors 4v .. 4v + 3.
template <std::size_t kRows>
void dot_block(const std::uint8_t* rows, const Tile& columns, std::size_t panel, std::int32_t* out,
               std::size_t out_stride) {
    const std::size_t stride = columns.stride;
    const std::int8_t* values = columns.panels + panel * 16 * stride;
    __m256i sums[kRows][4];
    for (auto& row : sums) {
        for (__m256i& sum : row) sum = _mm256_setzero_si256();
    }
    for (std::size_t d = 0; d < stride; d += 4) {
        __m256i row[kRows];
#pragma GCC unroll 2
        for (std::size_t i = 0; i < kRows; ++i) {
            std::int32_t four;
            __builtin_memcpy(&four, rows + i * stride + d, sizeof(four));
            row[i] = _mm256_cvtepu8_epi16(_mm_set1_epi32(four));
        }
#pragma GCC unroll 4
        for (std::size_t v = 0; v < 4; ++v) {
            const __m256i column = _mm256_cvtepi8_epi16(load_128(values + d * 16 + v * 16));
#pragma GCC unroll 2
            for (std::size_t i = 0; i < kRows; ++i) {
                sums[i][v] = _mm256_add_epi32(sums[i][v], _mm256_madd_epi16(row[i], column));
            }
        }
    }
    const std::int32_t* bias = columns.bias + panel * 16;
    for (std::size_t i = 0; i < kRows; ++i) {
        for (std::size_t v = 0; v < 4; v += 2) {
            const __m256i pairs = _mm256_hadd_epi32(sums[i][v], sums[i][v + 1]);
            const __m256i total = _mm256_permute4x64_epi64(pairs, 0xd8);
            __m256i* target = reinterpret_cast<__m256i*>(out + i * out_stride + panel * 16 + v * 4);
            _mm256_storeu_si256(target, _mm256_add_epi32(total, load_256(bias + v * 4)));
        }
    }
}

void dot_tile(const Tile& rows, std::size_t first_row, std::size_t row_count, const Tile& columns,
              std::size_t panel_count, std::int32_t* out, std::size_t out_stride) {
    const std::uint8_t* begin = rows.rows + first_row * rows.stride;
    for (std::size_t panel = 0; panel < panel_count; ++panel) {
        std::size_t i = 0;
        for (; i + 2 <= row_count; i += 2) {
            dot_block<2>(begin + i * rows.stride, columns, panel, out + i * out_stride, out_stride);
        }
        if (i < row_count) {
            dot_block<1>(begin + i * rows.stride, columns, panel, out + i * out_stride, out_stride);
        }
    }
}

// norms - 2 dots of 8 columns.
__m256i keys_at(const std::int32_t* dots, const std::int32_t* norms) {
    return _mm256_sub_epi32(load_256(norms), _mm256_slli_epi32(load_256(dots), 1));
}

void lane_minima(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t* minima) {
    constexpr std::size_t kVectors = kMinimaLanes / 8;
    __m256i least[kVectors];
    for (__m256i& l : least) l = _mm256_set1_epi32(0x7fffffff);
    std::size_t j = 0;
    for (; j + kMinimaLanes <= n; j += kMinimaLanes) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v)
            least[v] = _mm256_min_epi32(least[v], keys_at(dots + j + 8 * v, norms + j + 8 * v));
    }
    for (std::size_t v = 0; v < kVectors; ++v)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(minima + 8 * v), least[v]);
    for (; j < n; ++j) {
        const std::int32_t key = norms[j] - 2 * dots[j];
        std::int32_t& lane = minima[j % kMinimaLanes];
        lane = key < lane ? key : lane;
    }
}

std::size_t keys_up_to(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t limit,
                       std::uint32_t* columns) {
    std::size_t count = 0, j = 0;
    for (; j + 8 <= n; j += 8) {
        const __m256i over = _mm256_cmpgt_epi32(keys_at(dots + j, norms + j), _mm256_set1_epi32(limit));
        auto hits = 0xffu ^ static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(over)));
        for (; hits != 0; hits &= hits - 1)
            columns[count++] =
                static_cast<std::uint32_t>(j) + static_cast<std::uint32_t>(__builtin_ctz(hits));
    }
    for (; j < n; ++j)
        if (norms[j] - 2 * dots[j] <= limit) columns[count++] = static_cast<std::uint32_t>(j);
    return count;
}

using Floats = FloatKernels<Ops>;

}  // namespace

constinit const Kernels kAvx2Kernels = {
    .level = SimdLevel::kAvx2,
    .name = "avx2",
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

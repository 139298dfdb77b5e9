// The SSE2 level: the baseline of x86-64. Without pshufb FastScan is the plain one, and halves are converted
// with integer arithmetic.
#if defined(__x86_64__)

#include <emmintrin.h>

#include "simd/kernels.inl.hpp"
#include "simd/levels.hpp"

namespace vecidx {
namespace {

__m128i load_128(const void* p) {
    return _mm_loadu_si128(static_cast<const __m128i*>(p));
}

__m128i select(__m128i mask, __m128i yes, __m128i no) {
    return _mm_or_si128(_mm_and_si128(mask, yes), _mm_andnot_si128(mask, no));
}

// Four halves, zero extended to 32 bits. The magnitude of a normal number is shifted to the float's place
// and its exponent moved by 127 - 15; infinities and NaNs need that twice. A subnormal counts units of
// 2^-24, which is the last place of 0.5.
__m128 from_halves(__m128i halves) {
    const __m128i magnitude = _mm_and_si128(halves, _mm_set1_epi32(0x7fff));
    const __m128i sign = _mm_slli_epi32(_mm_and_si128(halves, _mm_set1_epi32(0x8000)), 16);
    const __m128i exponent_shift = _mm_set1_epi32(112 << 23);
    const __m128i special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7bff));
    const __m128i normal = _mm_add_epi32(_mm_add_epi32(_mm_slli_epi32(magnitude, 13), exponent_shift),
                                         _mm_and_si128(special, exponent_shift));
    const __m128 half = _mm_set1_ps(0.5f);
    const __m128 counted = _mm_or_ps(_mm_castsi128_ps(magnitude), half);
    const __m128i tiny = _mm_castps_si128(_mm_sub_ps(counted, half));
    const __m128i is_tiny = _mm_cmpgt_epi32(_mm_set1_epi32(0x400), magnitude);
    return _mm_castsi128_ps(_mm_or_si128(select(is_tiny, tiny, normal), sign));
}

// The inverse, rounding to nearest even: half a unit less one, plus the last bit that stays, is added before
// the cut. Numbers below 2^-14 are rounded by adding 0.5. Four halves in the lower 64 bits.
__m128i to_halves(__m128 value) {
    const __m128i bits = _mm_castps_si128(value);
    const __m128i magnitude = _mm_and_si128(bits, _mm_set1_epi32(0x7fffffff));
    const __m128i sign = _mm_slli_epi32(_mm_srai_epi32(bits, 31), 15);
    const __m128i odd = _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(1));
    const __m128i rounding = _mm_add_epi32(odd, _mm_set1_epi32(0xfff - (112 << 23)));
    const __m128i normal = _mm_srli_epi32(_mm_add_epi32(magnitude, rounding), 13);

    const __m128 half = _mm_set1_ps(0.5f);
    const __m128i sum = _mm_castps_si128(_mm_add_ps(_mm_castsi128_ps(magnitude), half));
    const __m128i tiny = _mm_sub_epi32(sum, _mm_castps_si128(half));
    const __m128i is_tiny = _mm_cmpgt_epi32(_mm_set1_epi32(0x38800000), magnitude);

    const __m128i is_nan = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7f800000));
    const __m128i payload = _mm_and_si128(_mm_srli_epi32(magnitude, 13), _mm_set1_epi32(0x3ff));
    const __m128i nan = _mm_and_si128(is_nan, _mm_or_si128(payload, _mm_set1_epi32(0x200)));
    const __m128i special = _mm_or_si128(nan, _mm_set1_epi32(0x7c00));
    const __m128i overflows = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x477fefff));

    const __m128i result = select(overflows, special, select(is_tiny, tiny, normal));
    const __m128i sign_extended = _mm_srai_epi32(_mm_slli_epi32(result, 16), 16);
    const __m128i merged = _mm_or_si128(sign_extended, sign);
    return _mm_packs_epi32(merged, merged);
}

// Up to three elements, then zeros.
template <typename T>
struct Padded {
    T values[4] = {};

    Padded(const T* p, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) values[i] = p[i];
    }
};

struct Ops {
    using Batch = xsimd::batch<float, xsimd::sse2>;

    static Batch load(const float* p) { return _mm_loadu_ps(p); }
    static Batch load(const f16* p) {
        const __m128i halves = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
        return from_halves(_mm_unpacklo_epi16(halves, _mm_setzero_si128()));
    }
    static Batch load(const std::int8_t* p) {
        std::int32_t four;
        __builtin_memcpy(&four, p, sizeof(four));
        const __m128i bytes = _mm_cvtsi32_si128(four);
        const __m128i words = _mm_unpacklo_epi8(bytes, bytes);
        return _mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(words, words), 24));
    }
    template <typename T>
    static Batch load_part(const T* p, std::size_t count) {
        return load(Padded<T>(p, count).values);
    }

    static void store(float* p, Batch value) { _mm_storeu_ps(p, value); }
    static void store(f16* p, Batch value) {
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), to_halves(value));
    }
    template <typename T>
    static void store_part(T* p, Batch value, std::size_t count) {
        T values[4];
        store(values, value);
        for (std::size_t i = 0; i < count; ++i) p[i] = values[i];
    }

    static Batch mul_add(Batch a, Batch b, Batch c) { return a * b + c; }
    static float sum(Batch value) {
        const __m128 pairs = _mm_add_ps(value, _mm_movehl_ps(value, value));
        return _mm_cvtss_f32(_mm_add_ss(pairs, _mm_shuffle_ps(pairs, pairs, 1)));
    }

    static void store_bytes(std::uint8_t* p, Batch value) {
        const __m128i numbers = _mm_cvttps_epi32(value);
        const __m128i words = _mm_packs_epi32(numbers, numbers);
        const std::int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
        __builtin_memcpy(p, &four, sizeof(four));
    }
    static PackedSums packed_sums(const std::uint8_t* p, std::size_t n) {
        __m128i sum = _mm_setzero_si128(), norm = _mm_setzero_si128();
        std::size_t i = 0;
        for (; i + 8 <= n; i += 8) {
            const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + i));
            const __m128i values =
                _mm_sub_epi16(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()), _mm_set1_epi16(128));
            sum = _mm_add_epi32(sum, _mm_madd_epi16(values, _mm_set1_epi16(1)));
            norm = _mm_add_epi32(norm, _mm_madd_epi16(values, values));
        }
        PackedSums sums = {add_all(sum), add_all(norm)};
        for (; i < n; ++i) {
            const std::int32_t value = p[i] - 128;
            sums.sum += value;
            sums.norm += value * value;
        }
        return sums;
    }
    static std::int32_t add_all(__m128i four) {
        const __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
        return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
    }
};

// Two i32 partial sums for each of two vectors, in order, from the 8 bytes at p and the row's four values.
__m128i multiply(__m128i row, __m128i doubled_bytes) {
    return _mm_madd_epi16(row, _mm_srai_epi16(doubled_bytes, 8));
}

__m128i add_pairs(__m128i a, __m128i b) {
    const __m128 first = _mm_castsi128_ps(a);
    const __m128 second = _mm_castsi128_ps(b);
    return _mm_add_epi32(_mm_castps_si128(_mm_shuffle_ps(first, second, 0x88)),
                         _mm_castps_si128(_mm_shuffle_ps(first, second, 0xdd)));
}

// One row against one panel of 16 vectors; sums[v] holds two partial sums for each of vectors 2v and 2v + 1.
void dot_panel(const std::uint8_t* row, const std::int8_t* panel, const std::int32_t* bias,
               std::size_t stride, std::int32_t* out) {
    __m128i sums[8];
    for (__m128i& sum : sums) sum = _mm_setzero_si128();
    for (std::size_t d = 0; d < stride; d += 4) {
        std::int32_t four;
        __builtin_memcpy(&four, row + d, sizeof(four));
        const __m128i values = _mm_unpacklo_epi8(_mm_set1_epi32(four), _mm_setzero_si128());
#pragma GCC unroll 4
        for (std::size_t v = 0; v < 4; ++v) {
            const __m128i bytes = load_128(panel + d * 16 + v * 16);
            const __m128i low = multiply(values, _mm_unpacklo_epi8(bytes, bytes));
            const __m128i high = multiply(values, _mm_unpackhi_epi8(bytes, bytes));
            sums[2 * v] = _mm_add_epi32(sums[2 * v], low);
            sums[2 * v + 1] = _mm_add_epi32(sums[2 * v + 1], high);
        }
    }
    for (std::size_t v = 0; v < 4; ++v) {
        const __m128i total = _mm_add_epi32(add_pairs(sums[2 * v], sums[2 * v + 1]), load_128(bias + 4 * v));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + 4 * v), total);
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

__m128i least_of(__m128i a, __m128i b) {
    return select(_mm_cmpgt_epi32(a, b), b, a);
}

// norms - 2 dots of 4 columns.
__m128i keys_at(const std::int32_t* dots, const std::int32_t* norms) {
    return _mm_sub_epi32(load_128(norms), _mm_slli_epi32(load_128(dots), 1));
}

void lane_minima(const std::int32_t* dots, const std::int32_t* norms, std::size_t n, std::int32_t* minima) {
    constexpr std::size_t kVectors = kMinimaLanes / 4;
    __m128i least[kVectors];
    for (__m128i& l : least) l = _mm_set1_epi32(0x7fffffff);
    std::size_t j = 0;
    for (; j + kMinimaLanes <= n; j += kMinimaLanes) {
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v)
            least[v] = least_of(least[v], keys_at(dots + j + 4 * v, norms + j + 4 * v));
    }
    for (std::size_t v = 0; v < kVectors; ++v)
        _mm_storeu_si128(reinterpret_cast<__m128i*>(minima + 4 * v), least[v]);
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
        const __m128i over = _mm_cmpgt_epi32(keys_at(dots + j, norms + j), _mm_set1_epi32(limit));
        auto hits = 0xfu ^ static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(over)));
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

constinit const Kernels kSse2Kernels = {
    .level = SimdLevel::kSse2,
    .name = "sse2",
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
    .scan = scan_plain,
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

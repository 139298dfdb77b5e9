// The kernels over floats, each written once, as templates over an architecture's operations. Included by
// the file of each level and by nothing else.
//
// Ops is a struct in that file's anonymous namespace, so every instantiation stays in the file:
//   using Batch = xsimd::batch<float, ARCHITECTURE>;
//   Batch load(const float* | const f16* | const std::int8_t*)   Batch::size elements, converted
//   Batch load_part(the same pointers, std::size_t count)        `count` < Batch::size elements, then zeros
//   Batch mul_add(Batch a, Batch b, Batch c)                     a * b + c
//   float sum(Batch)
//   void store(float* | f16*, Batch), store_part(the same pointers, Batch, std::size_t count)
//   void store_bytes(std::uint8_t*, Batch)                       each in 1 .. 255, cut to an integer
//   PackedSums packed_sums(const std::uint8_t*, std::size_t n)   of the bytes - 128
#pragma once

#include <xsimd/xsimd.hpp>

#include "vecidx/kernels.hpp"

namespace vecidx {
namespace {

template <typename Ops>
struct FloatKernels {
    using Batch = typename Ops::Batch;
    static constexpr std::size_t kWidth = Batch::size;

    // The sum over i of a term in a[i] and b[i], where step(sum, a, b) adds one batch of terms. Four
    // sums, because an addition takes four cycles. Zeros must add nothing, for the tail.
    template <typename Sum, typename X, typename Step>
    static Sum accumulate(Sum zero, const float* a, const X* b, std::size_t n, Step step) {
        Sum sum0 = zero, sum1 = zero, sum2 = zero, sum3 = zero;
        std::size_t i = 0;
        for (; i + 4 * kWidth <= n; i += 4 * kWidth) {
            sum0 = step(sum0, Ops::load(a + i), Ops::load(b + i));
            sum1 = step(sum1, Ops::load(a + i + kWidth), Ops::load(b + i + kWidth));
            sum2 = step(sum2, Ops::load(a + i + 2 * kWidth), Ops::load(b + i + 2 * kWidth));
            sum3 = step(sum3, Ops::load(a + i + 3 * kWidth), Ops::load(b + i + 3 * kWidth));
        }
        if (i + 2 * kWidth <= n) {
            sum0 = step(sum0, Ops::load(a + i), Ops::load(b + i));
            sum1 = step(sum1, Ops::load(a + i + kWidth), Ops::load(b + i + kWidth));
            i += 2 * kWidth;
        }
        if (i + kWidth <= n) {
            sum2 = step(sum2, Ops::load(a + i), Ops::load(b + i));
            i += kWidth;
        }
        if (i < n) sum3 = step(sum3, Ops::load_part(a + i, n - i), Ops::load_part(b + i, n - i));
        return (sum0 + sum1) + (sum2 + sum3);
    }

    template <typename X, typename Step>
    static float reduce(const float* a, const X* b, std::size_t n, Step step) {
        return Ops::sum(accumulate(Batch(0.0f), a, b, n, step));
    }

    static Batch add_square(Batch sum, Batch value) { return Ops::mul_add(value, value, sum); }

    static float l2_squared(const float* a, const float* b, std::size_t n) {
        return reduce(a, b, n, [](Batch sum, Batch x, Batch y) { return add_square(sum, x - y); });
    }

    static float l1(const float* a, const float* b, std::size_t n) {
        return reduce(a, b, n, [](Batch sum, Batch x, Batch y) { return sum + xsimd::abs(x - y); });
    }

    static float inner_product(const float* a, const float* b, std::size_t n) {
        return reduce(a, b, n, [](Batch sum, Batch x, Batch y) { return Ops::mul_add(x, y, sum); });
    }

    // X is f16 or std::int8_t.
    template <typename X>
    static float l2_squared_stored(const float* q, const X* x, float unit, std::size_t n) {
        const Batch factor(-unit);
        return reduce(q, x, n, [factor](Batch sum, Batch value, Batch stored) {
            return add_square(sum, Ops::mul_add(factor, stored, value));
        });
    }

    template <typename X>
    static float l1_stored(const float* q, const X* x, float unit, std::size_t n) {
        const Batch factor(-unit);
        return reduce(q, x, n, [factor](Batch sum, Batch value, Batch stored) {
            return sum + xsimd::abs(Ops::mul_add(factor, stored, value));
        });
    }

    struct DotSums {
        Batch dot;
        Batch norm_a;
        Batch norm_b;

        friend DotSums operator+(const DotSums& x, const DotSums& y) {
            return {x.dot + y.dot, x.norm_a + y.norm_a, x.norm_b + y.norm_b};
        }
    };

    static DotNorms dot_norms(const float* a, const float* b, std::size_t n) {
        const Batch zero(0.0f);
        const DotSums sums =
            accumulate(DotSums{zero, zero, zero}, a, b, n, [](const DotSums& sum, Batch x, Batch y) {
                return DotSums{Ops::mul_add(x, y, sum.dot), add_square(sum.norm_a, x),
                               add_square(sum.norm_b, y)};
            });
        return {Ops::sum(sums.dot), Ops::sum(sums.norm_a), Ops::sum(sums.norm_b)};
    }

    template <typename From, typename To>
    static void convert(const From* in, To* out, std::size_t n) {
        std::size_t i = 0;
        for (; i + kWidth <= n; i += kWidth) Ops::store(out + i, Ops::load(in + i));
        if (i < n) Ops::store_part(out + i, Ops::load_part(in + i, n - i), n - i);
    }

    template <typename X>
    static float largest(const float* c, const X* x, float unit, std::size_t n) {
        const Batch factor(unit);
        Batch most0(0.0f), most1(0.0f);
        std::size_t i = 0;
        for (; i + 2 * kWidth <= n; i += 2 * kWidth) {
            most0 = xsimd::max(most0, distance(Ops::load(c + i), Ops::load(x + i), factor));
            most1 = xsimd::max(most1, distance(Ops::load(c + i + kWidth), Ops::load(x + i + kWidth), factor));
        }
        for (; i < n; i += kWidth) {
            const std::size_t count = n - i < kWidth ? n - i : kWidth;
            const Batch d = count == kWidth ? distance(Ops::load(c + i), Ops::load(x + i), factor)
                                            : distance(Ops::load_part(c + i, count),
                                                       Ops::load_part(x + i, count), factor);
            most0 = xsimd::max(most0, d);
        }
        float lanes[kWidth], result = 0;
        Ops::store(lanes, xsimd::max(most0, most1));
        for (const float lane : lanes) result = lane > result ? lane : result;
        return result;
    }

    static Batch distance(Batch c, Batch x, Batch unit) { return xsimd::abs(Ops::mul_add(x, unit, -c)); }

    // The sums come from the bytes, so that they are exact; the tail is packed one by one.
    template <typename X>
    static PackedSums pack(const float* c, const X* x, float unit, float inverse, std::uint8_t* row,
                           std::size_t n) {
        const Batch factor(unit), scale(inverse);
        std::size_t i = 0;
        for (; i + kWidth <= n; i += kWidth)
            Ops::store_bytes(row + i, packed(Ops::load(c + i), Ops::load(x + i), factor, scale));
        if (i < n) {
            const std::size_t count = n - i;
            std::uint8_t bytes[kWidth];
            Ops::store_bytes(
                bytes, packed(Ops::load_part(c + i, count), Ops::load_part(x + i, count), factor, scale));
            for (std::size_t j = 0; j < count; ++j) row[i + j] = bytes[j];
        }
        return Ops::packed_sums(row, n);
    }

    // Positive, so that cutting it off rounds.
    static Batch packed(Batch c, Batch x, Batch unit, Batch scale) {
        const Batch v = Ops::mul_add(Ops::mul_add(x, unit, -c), scale, Batch(128.5f));
        return xsimd::min(xsimd::max(v, Batch(1.0f)), Batch(255.0f));
    }
};

}  // namespace
}  // namespace vecidx

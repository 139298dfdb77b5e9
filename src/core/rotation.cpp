// The rotation: sign flips, fast Hadamard transforms and Kac steps. See rotation.hpp.
#include "vecidx/rotation.hpp"

#include <bit>
#include <cmath>

namespace vecidx {
namespace {

// splitmix64 (Steele, Lea, Flood 2014): 64 sign bits for a given round and word.
std::uint64_t sign_word(std::uint64_t round, std::uint64_t word) {
    std::uint64_t z = (round << 32 | word) + 0x9e3779b97f4a7c15ULL * (round + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

void flip_signs(float* x, std::size_t n, std::uint64_t round) {
    for (std::size_t base = 0; base < n; base += 16) {
        const std::uint64_t bits = sign_word(round, base / 64) >> (base % 64);
        for (std::size_t i = 0; i < 16; ++i) {
            const std::uint32_t sign = static_cast<std::uint32_t>(bits >> i & 1) << 31;
            x[base + i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(x[base + i]) ^ sign);
        }
    }
}

// Orthonormal fast Walsh-Hadamard transform; n is a power of two, at least 16.
void hadamard(float* x, std::size_t n) {
    for (std::size_t i = 0; i < n; i += 4) {
        const float a = x[i] + x[i + 1], b = x[i] - x[i + 1];
        const float c = x[i + 2] + x[i + 3], d = x[i + 2] - x[i + 3];
        x[i] = a + c;
        x[i + 1] = b + d;
        x[i + 2] = a - c;
        x[i + 3] = b - d;
    }
    for (std::size_t half = 4; half < n; half *= 2) {
        for (std::size_t base = 0; base < n; base += 2 * half) {
            float* lo = x + base;
            float* hi = lo + half;
            for (std::size_t i = 0; i < half; ++i) {
                const float a = lo[i], b = hi[i];
                lo[i] = a + b;
                hi[i] = a - b;
            }
        }
    }
    const float scale = 1.0f / std::sqrt(static_cast<float>(n));
    for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
}

void kac_step(float* x, std::size_t n) {
    constexpr float kInvSqrt2 = 0.70710678118654752f;
    const std::size_t half = n / 2;
    for (std::size_t i = 0; i < half; ++i) {
        const float a = x[i], b = x[i + half];
        x[i] = (a + b) * kInvSqrt2;
        x[i + half] = (a - b) * kInvSqrt2;
    }
}

}  // namespace

void rotate(float* x, std::size_t padded) {
    const std::size_t power = std::bit_floor(padded);
    const bool whole = power == padded;
    const std::uint64_t rounds = whole ? 3 : 4;
    for (std::uint64_t round = 0; round < rounds; ++round) {
        flip_signs(x, padded, round);
        hadamard(round % 2 == 0 ? x : x + (padded - power), power);
        if (!whole) kac_step(x, padded);
    }
}

}  // namespace vecidx

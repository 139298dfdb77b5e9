// The rotation: sign flips, fast Hadamard transforms and Kac steps. See rotation.hpp.
#include "vecidx/rotation.hpp"

#include <algorithm>
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

// The signs that four bits stand for, as floats have them.
struct SignTable {
    std::uint32_t masks[16][4];
};
constexpr SignTable kSigns = [] {
    SignTable table{};
    for (std::uint32_t bits = 0; bits < 16; ++bits)
        for (std::uint32_t i = 0; i < 4; ++i) table.masks[bits][i] = (bits >> i & 1) << 31;
    return table;
}();

// The loops below are such that compilers make vector instructions of them.
void flip_signs(float* x, std::size_t n, std::uint64_t round) {
    for (std::size_t base = 0; base < n; base += 64) {
        std::uint64_t bits = sign_word(round, base / 64);
        float* end = x + std::min(base + 64, n);
        for (float* four = x + base; four < end; four += 4, bits >>= 4) {
            const std::uint32_t* signs = kSigns.masks[bits & 15];
            for (std::size_t i = 0; i < 4; ++i)
                four[i] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(four[i]) ^ signs[i]);
        }
    }
}

// Two steps of the transform: `a` to `d` are quarters, of `n` values each, of one block.
void two_steps(float* __restrict a, float* __restrict b, float* __restrict c, float* __restrict d,
               std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        const float p = a[i] + b[i], q = a[i] - b[i];
        const float r = c[i] + d[i], s = c[i] - d[i];
        a[i] = p + r;
        b[i] = q + s;
        c[i] = p - r;
        d[i] = q - s;
    }
}

void one_step(float* __restrict a, float* __restrict b, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
        const float p = a[i], q = b[i];
        a[i] = p + q;
        b[i] = p - q;
    }
}

// The first two steps of 16 values, four blocks at a time.
void first_steps(float* x) {
    float block[4][4];
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) block[j][i] = x[4 * i + j];
    two_steps(block[0], block[1], block[2], block[3], 4);
    for (std::size_t i = 0; i < 4; ++i)
        for (std::size_t j = 0; j < 4; ++j) x[4 * i + j] = block[j][i];
}

// Orthonormal fast Walsh-Hadamard transform; n is a power of two, at least 16.
void hadamard(float* x, std::size_t n) {
    for (std::size_t base = 0; base < n; base += 16) first_steps(x + base);
    std::size_t half = 4;
    for (; 4 * half <= n; half *= 4)
        for (float* q = x; q < x + n; q += 4 * half) two_steps(q, q + half, q + 2 * half, q + 3 * half, half);
    if (half < n) one_step(x, x + half, half);
    const float scale = 1.0f / std::sqrt(static_cast<float>(n));
    for (std::size_t i = 0; i < n; ++i) x[i] *= scale;
}

void kac_step(float* __restrict a, float* __restrict b, std::size_t n) {
    constexpr float kInvSqrt2 = 0.70710678118654752f;
    for (std::size_t i = 0; i < n; ++i) {
        const float p = a[i], q = b[i];
        a[i] = (p + q) * kInvSqrt2;
        b[i] = (p - q) * kInvSqrt2;
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
        if (!whole) kac_step(x, x + padded / 2, padded / 2);
    }
}

}  // namespace vecidx

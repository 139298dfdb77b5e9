// Fingerprints of exact vectors: 64 bits of hash over the floats that a row's value is, before any rounding.
// Rows with one fingerprint have one vector and so one distance from any query: a scan measures it once. That
// two vectors share a fingerprint by chance is accepted, at 2^-64 a pair: a scan would then return a row in
// the other's place. Nothing else depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace vecidx {

// Of rows that are stored together but whose exact vectors are not all the same.
inline constexpr std::uint64_t kNoFingerprint = 0;

// A step of a hash over words: FNV-1a with a wider multiplier, which is mixed back down.
inline std::uint64_t hash_step(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ hash >> 29;
}
inline constexpr std::uint64_t kHashStart = 0xcbf29ce484222325ULL;

// Never kNoFingerprint.
inline std::uint64_t fingerprint_of(const float* x, std::size_t dims) {
    std::uint64_t hash = hash_step(kHashStart, dims);
    for (std::size_t d = 0; d < dims; d += 2) {
        std::uint64_t word = 0;
        std::memcpy(&word, x + d, (d + 1 < dims ? 2 : 1) * sizeof(float));
        hash = hash_step(hash, word);
    }
    return hash != kNoFingerprint ? hash : 1;
}

// Of the rows of both.
inline std::uint64_t join_fingerprints(std::uint64_t a, std::uint64_t b) {
    return a == b ? a : kNoFingerprint;
}

}  // namespace vecidx

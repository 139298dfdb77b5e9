// Sums in double precision, in several parts at once, so that a sum waits for no addition before it and
// compilers make vector instructions of the loop.
#pragma once

#include <cstddef>

namespace vecidx {

// The sum of term(i) for i < n.
template <typename Term>
double sum_of(std::size_t n, Term term) {
    constexpr std::size_t kParts = 8;
    double parts[kParts] = {};
    std::size_t i = 0;
    for (; i + kParts <= n; i += kParts)
        for (std::size_t p = 0; p < kParts; ++p) parts[p] += term(i + p);
    double sum = 0;
    for (; i < n; ++i) sum += term(i);
    for (const double part : parts) sum += part;
    return sum;
}

inline double squared_norm(const float* x, std::size_t n) {
    return sum_of(n, [x](std::size_t i) { return static_cast<double>(x[i]) * x[i]; });
}

}  // namespace vecidx

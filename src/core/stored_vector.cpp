// Packing and unpacking of stored vectors. See stored_vector.hpp.
#include "vecidx/stored_vector.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace vecidx {
namespace {

constexpr std::size_t kChunk = 64;

// 127 times this is just below the largest float.
constexpr float kLargestByteUnit = 0x1.0204p121f;

float max_abs(const float* z, std::size_t n) {
    constexpr std::size_t kLanes = 16;  // of one vector instruction, or several
    float lanes[kLanes] = {};
    for (std::size_t i = 0; i < n; i += kLanes)
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float a = std::fabs(z[i + lane]);
            lanes[lane] = lanes[lane] < a ? a : lanes[lane];
        }
    return *std::max_element(lanes, lanes + kLanes);
}

// Largest power of two not above m; 1 for m = 0.
float power_of_two_below(float m) {
    if (m == 0) return 1;
    int exponent;
    std::frexp(m, &exponent);
    return std::ldexp(1.0f, std::clamp(exponent - 1, -125, 126));
}

}  // namespace

float store_vector(OwnFormat format, const float* z, std::size_t padded, void* data) {
    const float largest = max_abs(z, padded);
    if (format == OwnFormat::kI8) {
        const float unit =
            largest == 0 ? 1 : std::clamp(largest / 127, std::numeric_limits<float>::min(), kLargestByteUnit);
        const float inverse = 1 / unit;
        auto* out = static_cast<std::int8_t*>(data);
        for (std::size_t i = 0; i < padded; ++i)
            out[i] = static_cast<std::int8_t>(std::clamp(std::nearbyint(z[i] * inverse), -127.0f, 127.0f));
        return unit;
    }
    const float unit = power_of_two_below(largest);
    const float inverse = 1 / unit;
    const Kernels& k = kernels();
    float scaled[kChunk];
    for (std::size_t base = 0; base < padded; base += kChunk) {
        const std::size_t n = std::min(kChunk, padded - base);
        for (std::size_t i = 0; i < n; ++i) scaled[i] = z[base + i] * inverse;
        k.to_f16(scaled, static_cast<f16*>(data) + base, n);
    }
    return unit;
}

void load_vector(const StoredVector& x, std::size_t padded, float* z) {
    if (x.format == OwnFormat::kF16)
        kernels().from_f16(static_cast<const f16*>(x.data), z, padded);
    else
        for (std::size_t i = 0; i < padded; ++i) z[i] = static_cast<const std::int8_t*>(x.data)[i];
    for (std::size_t i = 0; i < padded; ++i) z[i] *= x.unit;
}

double norm_squared_from(const StoredVector& x, const float* origin, std::size_t padded) {
    const std::size_t width = x.format == OwnFormat::kF16 ? sizeof(f16) : 1;
    double sum = 0;
    float values[kChunk];
    for (std::size_t base = 0; base < padded; base += kChunk) {
        const std::size_t n = std::min(kChunk, padded - base);
        load_vector({static_cast<const char*>(x.data) + base * width, x.unit, x.format}, n, values);
        for (std::size_t i = 0; i < n; ++i) {
            const double v = static_cast<double>(values[i]) + origin[base + i];
            sum += v * v;
        }
    }
    return sum;
}

}  // namespace vecidx

// Which level is in force. The processor is asked once, when the library is loaded.
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "simd/levels.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kLevels = static_cast<std::size_t>(SimdLevel::kNeon) + 1;

// The tables this machine can run, by level; constant from the constructor below on.
constinit const Kernels* available[kLevels] = {&kScalarKernels};
constinit const Kernels* best = &kScalarKernels;
constinit const Kernels* in_force = &kScalarKernels;

void offer(const Kernels& table) {
    available[static_cast<std::size_t>(table.level)] = &table;
    best = &table;
}

#if defined(__x86_64__)

// clang 14 does not know "f16c" as a name.
bool has_f16c() {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

// The builtin also checks that the operating system saves the wide registers.
bool has_avx2() {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
}

// CD is there for xsimd, which wants it before DQ.
bool has_avx512() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
}

void offer_all() {
    __builtin_cpu_init();
    offer(kSse2Kernels);
    if (!has_avx2()) return;
    offer(kAvx2Kernels);
    if (has_avx512()) offer(kAvx512Kernels);
}

#elif defined(__aarch64__)

void offer_all() {
    offer(kNeonKernels);
}

#else

void offer_all() {}

#endif

[[gnu::constructor]] void choose_level() {
    offer_all();
    in_force = best;
}

}  // namespace

const Kernels& kernels() {
    return *in_force;
}

const Kernels* kernels_of(SimdLevel level) {
    const auto index = static_cast<std::size_t>(level);
    return index < kLevels ? available[index] : nullptr;
}

SimdLevel best_simd_level() {
    return best->level;
}

bool set_simd_level(SimdLevel level) {
    const Kernels* table = kernels_of(level);
    if (table == nullptr) return false;
    in_force = table;
    return true;
}

}  // namespace vecidx

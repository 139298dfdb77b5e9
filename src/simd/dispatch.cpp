// Which level is in force. The processor is asked once, when the library is loaded.
#include "simd/levels.hpp"

namespace vecidx {
namespace {

constinit const Kernels* in_force = &kScalarKernels;

}  // namespace

const Kernels& kernels() { return *in_force; }

const Kernels* kernels_of(SimdLevel level) {
    return level == SimdLevel::kScalar ? &kScalarKernels : nullptr;
}

SimdLevel best_simd_level() { return SimdLevel::kScalar; }

bool set_simd_level(SimdLevel level) {
    const Kernels* table = kernels_of(level);
    if (table == nullptr) return false;
    in_force = table;
    return true;
}

}  // namespace vecidx

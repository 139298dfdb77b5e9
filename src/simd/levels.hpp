// The tables of the levels, one per file of this folder, as dispatch.cpp sees them. A file whose
// architecture is not the one being built for compiles to nothing, and its table is not declared here.
//
// A rule for every kernel file: apart from its table, only anonymous namespaces, and no inline function of
// std or of ours that another level's file also instantiates. The linker keeps one copy of an inline
// function; it could be the one compiled with AVX-512, and the baseline would then crash on it.
#pragma once

#include "vecidx/kernels.hpp"

namespace vecidx {

extern const Kernels kScalarKernels;

#if defined(__x86_64__)
extern const Kernels kSse2Kernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#elif defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

// FastScan without a byte shuffle: the scalar level's, and SSE2's (pshufb came with SSSE3).
void scan_plain(const CodeBlocks& edges, const QueryTable& query, float* estimates);

}  // namespace vecidx

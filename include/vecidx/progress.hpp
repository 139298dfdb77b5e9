// How long work in the calm floor talks to its caller: it polls for interrupts and reports what is done of
// what in all. Plain function pointers, so that a longjmp out of them is allowed.
#pragma once

#include <cstddef>

namespace vecidx {

enum class Phase { kPartition, kSkeleton, kLeaves, kPrune, kReverse, kConnect };

struct Progress {
    void (*report)(void* context, Phase phase, std::size_t done, std::size_t total) = nullptr;
    void* context = nullptr;

    // Called often (at least every few milliseconds of work).
    void operator()(Phase phase, std::size_t done, std::size_t total) const {
        if (report != nullptr) report(context, phase, done, total);
    }
};

}  // namespace vecidx

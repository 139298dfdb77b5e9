// Workers that build one graph together: processes of the server, threads in tests and benchmarks, or one
// alone. All run the same code over the same arrays; each takes shares of a stage's work until none is left,
// then meets the others before the next stage. The leader alone does what is serial.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace vecidx {

struct Team {
    unsigned worker = 0;  // 0 leads
    unsigned size = 1;
    void (*wait)(void* context) = nullptr;
    void* context = nullptr;

    bool leads() const { return worker == 0; }

    // Returns when every worker of the team has called it; what any of them wrote before is seen after.
    void meet() const {
        if (wait != nullptr) wait(context);
    }
};

// Calls fn(first, count) for runs of `chunk` of the numbers below `total` that no other worker has taken.
// `taken` is shared, and 0 before the stage.
template <typename Fn>
void take_shares(std::uint32_t& taken, std::size_t total, std::size_t chunk, Fn fn) {
    const std::atomic_ref<std::uint32_t> next(taken);
    for (;;) {
        const std::size_t first = std::size_t{next.fetch_add(1, std::memory_order_relaxed)} * chunk;
        if (first >= total) return;
        fn(first, std::min(chunk, total - first));
    }
}

// Adds to a count that other workers add to; returns what it was.
template <typename T>
T add_shared(T& count, T by) {
    return std::atomic_ref<T>(count).fetch_add(by, std::memory_order_relaxed);
}

}  // namespace vecidx

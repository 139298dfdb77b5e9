// std::pmr over a MemoryContext: containers of the calm floor allocate from Postgres, so an ERROR frees them
// with the context and accounting stays Postgres's.
#pragma once

#include "pg/compat.hpp"

namespace vecidx {

class ContextResource final : public std::pmr::memory_resource {
  public:
    explicit ContextResource(MemoryContext context) : context_(context) {}
    MemoryContext context() const { return context_; }

  private:
    // ERROR (out_of_memory) like palloc; sizes above 1 GB are allowed.
    void* do_allocate(std::size_t bytes, std::size_t) override {
        return MemoryContextAllocHuge(context_, bytes > 0 ? bytes : 1);
    }
    void do_deallocate(void* p, std::size_t, std::size_t) override { pfree(p); }
    bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    MemoryContext context_;
};

// An object in a context, not destructed: its memory goes with the context.
template <typename T, typename... Arguments>
T* make_in(MemoryContext context, Arguments&&... arguments) {
    return new (MemoryContextAlloc(context, sizeof(T))) T(std::forward<Arguments>(arguments)...);
}

}  // namespace vecidx

// The window over a block: it lets go only of what is of the block, and never counts more as resident than it
// may, wherever the block begins and ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory_resource>
#include <vector>

#include "vecidx/arena.hpp"
#include "vecidx/random.hpp"

namespace vecidx::test {
namespace {

// A block at an address that is never read, and which of its pages a machine would hold.
struct Machine {
    Machine(std::size_t address, std::size_t pages)
        : block(reinterpret_cast<const std::byte*>(address)), resident(pages) {}

    static void let_go(void* context, std::size_t offset, std::size_t bytes) {
        auto* machine = static_cast<Machine*>(context);
        EXPECT_EQ(offset % Window::kPage, 0U);
        EXPECT_EQ(bytes % Window::kPage, 0U);
        const std::size_t first = offset / Window::kPage, count = bytes / Window::kPage;
        ASSERT_LE(first, machine->resident.size());
        ASSERT_LE(count, machine->resident.size() - first);
        std::fill_n(machine->resident.begin() + static_cast<std::ptrdiff_t>(first), count, false);
        ++machine->times;
    }

    // What a fault at a page brings in.
    void touch(std::size_t page, std::size_t unit) {
        if (resident[page]) return;
        const std::size_t pages = unit / Window::kPage;
        const std::size_t before = reinterpret_cast<std::uintptr_t>(block) / Window::kPage % pages;
        const std::size_t begin = (page + before) / pages * pages;
        for (std::size_t i = std::max(begin, before); i < begin + pages; ++i)
            if (i - before < resident.size()) resident[i - before] = true;
    }

    std::size_t held() const {
        return static_cast<std::size_t>(std::count(resident.begin(), resident.end(), true));
    }

    const std::byte* block;
    std::vector<bool> resident;
    int times = 0;
};

TEST(Window, LetsGoOfItsBlockAlone) {
    constexpr std::size_t kLimit = 64;
    Random random(7);
    for (std::size_t start = 0; start < 16; start += 3) {
        for (std::size_t pages = 200; pages < 217; ++pages) {
            Machine machine((std::size_t{1} << 40) + start * Window::kPage, pages);
            Window window(std::pmr::new_delete_resource());
            EXPECT_FALSE(window.is_limited());
            window.watch(machine.block, pages * Window::kPage, kLimit * Window::kPage, Machine::let_go,
                         &machine);
            EXPECT_TRUE(window.is_limited());
            for (int i = 0; i < 2000; ++i) {
                const std::size_t page = random.below(static_cast<std::uint32_t>(pages));
                const std::byte* at = machine.block + page * Window::kPage + random.below(Window::kPage);
                if (i % 3 == 0)
                    window.use_to_write(at, 1);
                else
                    window.use(at, 1);
                machine.touch(page, i % 3 == 0 ? Window::kPage : Window::kAround);
                ASSERT_LE(machine.held(), kLimit);
            }
            EXPECT_GT(machine.times, 0);
        }
    }
}

TEST(Window, DoesNotCareForOtherMemory) {
    Machine machine(std::size_t{1} << 40, 100);
    Window window(std::pmr::new_delete_resource());
    window.watch(machine.block, 100 * Window::kPage, 40 * Window::kPage, Machine::let_go, &machine);
    for (std::size_t i = 0; i < 1000; ++i) {
        window.use(machine.block - (i + 1) * Window::kAround, Window::kAround);
        window.use(machine.block + (100 + i) * Window::kPage, Window::kPage);
    }
    EXPECT_EQ(machine.times, 0);
}

}  // namespace
}  // namespace vecidx::test

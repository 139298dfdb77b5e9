// The visited set against std::unordered_set: growth, collisions, clearing.
#include "vecidx/visited.hpp"

#include <gtest/gtest.h>

#include <unordered_set>

#include "support.hpp"

namespace vecidx::test {
namespace {

void expect_same(const Visited& visited, const std::unordered_set<NodeId>& reference, NodeId bound) {
    EXPECT_EQ(visited.size(), reference.size());
    for (NodeId id = 0; id < bound; ++id) ASSERT_EQ(visited.contains(id), reference.contains(id)) << id;
}

TEST(VisitedTest, BehavesAsASet) {
    Generator random(1);
    for (std::size_t expected : {1, 2, 3, 100, 1024}) {
        Visited visited(std::pmr::new_delete_resource(), expected);
        for (int use = 0; use < 3; ++use) {
            std::unordered_set<NodeId> reference;
            for (int i = 0; i < 5000; ++i) {
                const auto id = static_cast<NodeId>(random() % 4000);
                ASSERT_EQ(visited.insert(id), reference.insert(id).second) << id;
            }
            expect_same(visited, reference, 4100);
            visited.clear();
            expect_same(visited, {}, 4100);
        }
    }
}

// Ids as an index gives them: runs, and steps of a page's nodes; and the ends of the range.
TEST(VisitedTest, HoldsIdsOfAnyPattern) {
    for (NodeId step : {1u, 5u, 1u << 16, 1u << 20}) {
        Visited visited(std::pmr::new_delete_resource(), 4);
        for (NodeId i = 0; i < 3000; ++i) ASSERT_TRUE(visited.insert(i * step + i / 4096));
        for (NodeId i = 0; i < 3000; ++i) ASSERT_FALSE(visited.insert(i * step + i / 4096));
        EXPECT_EQ(visited.size(), 3000u);
    }
    Visited visited(std::pmr::new_delete_resource());
    EXPECT_TRUE(visited.insert(0));
    EXPECT_TRUE(visited.insert(kNoNode - 1));
    EXPECT_FALSE(visited.insert(0));
    EXPECT_TRUE(visited.contains(kNoNode - 1));
    EXPECT_FALSE(visited.contains(1));
}

}  // namespace
}  // namespace vecidx::test

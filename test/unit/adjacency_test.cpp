// Lists of a build: bounded, each apart from the others.
#include "vecidx/adjacency.hpp"

#include <gtest/gtest.h>

#include "support.hpp"

namespace vecidx::test {
namespace {

std::vector<Neighbor> list_of(const Adjacency& lists, std::size_t row) {
    return {lists.of(row).begin(), lists.of(row).end()};
}

TEST(AdjacencyTest, ListsAreBoundedAndApart) {
    Adjacency lists(3, 4, std::pmr::new_delete_resource());
    EXPECT_EQ(lists.rows(), 3u);
    EXPECT_EQ(lists.lists().capacity(), 4u);
    const std::vector<Neighbor> five = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
    lists.assign(1, five);
    EXPECT_EQ(list_of(lists, 1), std::vector<Neighbor>(five.begin(), five.begin() + 4));
    EXPECT_FALSE(lists.lists().append(1, {6, 6}));
    for (NodeId id = 0; id < 4; ++id) EXPECT_TRUE(lists.lists().append(0, {0, id}));
    EXPECT_FALSE(lists.lists().append(0, {0, 4}));
    EXPECT_EQ(list_of(lists, 1), std::vector<Neighbor>(five.begin(), five.begin() + 4));
    EXPECT_TRUE(lists.of(2).empty());
    lists.assign(1, std::span(five).first(2));
    EXPECT_TRUE(lists.lists().append(1, {9, 9}));
    EXPECT_EQ(list_of(lists, 1), (std::vector<Neighbor>{{1, 1}, {2, 2}, {9, 9}}));
}

}  // namespace
}  // namespace vecidx::test

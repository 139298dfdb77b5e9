// Lists of a build, and the reservoirs on them, against a plain definition.
#include "vecidx/adjacency.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "support.hpp"
#include "vecidx/reservoir.hpp"

namespace vecidx::test {
namespace {

std::vector<Neighbor> list_of(const Adjacency& lists, std::size_t row) {
    return {lists.of(row).begin(), lists.of(row).end()};
}

TEST(AdjacencyTest, ListsAreBoundedAndApart) {
    Adjacency lists(3, 4, std::pmr::new_delete_resource());
    EXPECT_EQ(lists.rows(), 3u);
    EXPECT_EQ(lists.capacity(), 4u);
    const std::vector<Neighbor> five = {{1, 1}, {2, 2}, {3, 3}, {4, 4}, {5, 5}};
    lists.assign(1, five);
    EXPECT_EQ(list_of(lists, 1), std::vector<Neighbor>(five.begin(), five.begin() + 4));
    EXPECT_FALSE(lists.append(1, {6, 6}));
    for (NodeId id = 0; id < 4; ++id) EXPECT_TRUE(lists.append(0, {0, id}));
    EXPECT_FALSE(lists.append(0, {0, 4}));
    EXPECT_EQ(list_of(lists, 1), std::vector<Neighbor>(five.begin(), five.begin() + 4));
    EXPECT_TRUE(lists.of(2).empty());
    lists.assign(1, std::span(five).first(2));
    EXPECT_TRUE(lists.append(1, {9, 9}));
    EXPECT_EQ(list_of(lists, 1), (std::vector<Neighbor>{{1, 1}, {2, 2}, {9, 9}}));
}

// A candidate has one distance, whichever row it is offered to, and comes several times.
TEST(AdjacencyTest, AReservoirKeepsTheNearest) {
    Generator random(1);
    for (std::size_t keep : {4, 8, 64, 96}) {
        for (std::size_t offers : {2, 50, 97, 1000, 5000}) {
            Adjacency lists(2, Reservoirs::capacity_for(keep), std::pmr::new_delete_resource());
            Reservoirs reservoirs(lists, keep, std::pmr::new_delete_resource());
            std::map<NodeId, float> reference[2];
            for (std::size_t i = 0; i < offers; ++i) {
                const std::size_t row = random() % 2;
                const auto id = static_cast<NodeId>(random() % 700);
                const Neighbor candidate{static_cast<float>((id * 7919) % 1009), id};
                reservoirs.offer(row, candidate);
                reference[row][id] = candidate.distance;
            }
            for (std::size_t row : {0, 1}) {
                std::vector<Neighbor> expected;
                for (const auto& [id, distance] : reference[row]) expected.push_back({distance, id});
                std::sort(expected.begin(), expected.end());
                expected.resize(std::min(keep, expected.size()));
                reservoirs.settle(row);
                EXPECT_EQ(list_of(lists, row), expected) << keep << " " << offers;
            }
        }
    }
}

}  // namespace
}  // namespace vecidx::test

// The tree of pinned edges: over every row, along edges, and by the shortest of them. (What else link.hpp
// offers is tested by the graphs it makes: see bulk_build_test.)
#include "vecidx/link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "support.hpp"
#include "vecidx/bulk_graph.hpp"

namespace vecidx::test {
namespace {

using Parents = std::pmr::vector<std::uint32_t>;

struct Link {
    std::uint32_t from, to;
    float distance;
};

Adjacency lists_of(std::size_t rows, const std::vector<Link>& links) {
    Adjacency lists(rows, 64, std::pmr::new_delete_resource());
    for (const Link& link : links) EXPECT_TRUE(lists.lists().append(link.from, {link.distance, link.to}));
    return lists;
}

// What the edges do not reach in order (distances that are not numbers) is reached by connect_rest.
Parents tree_of(Adjacency& lists, std::uint32_t root) {
    Parents parent(lists.rows(), kNoNode, std::pmr::new_delete_resource());
    parent[root] = root;
    grow_trees(lists.lists(), 0, lists.rows(), parent, std::pmr::new_delete_resource());
    Random random(1);
    Window window(std::pmr::new_delete_resource());
    connect_rest({lists.lists(), 64, parent}, random, window, std::pmr::new_delete_resource());
    parent[root] = kNoNode;
    return parent;
}

// Every row leads to the root, in at most as many steps as there are rows, each along an edge.
void expect_tree(const Adjacency& lists, std::uint32_t root, const Parents& parent) {
    ASSERT_EQ(parent.size(), lists.rows());
    EXPECT_EQ(parent[root], kNoNode);
    for (std::uint32_t row = 0; row < lists.rows(); ++row) {
        std::uint32_t at = row;
        for (std::size_t steps = 0; at != root && steps < lists.rows(); ++steps) {
            ASSERT_LT(parent[at], lists.rows()) << "row " << at << " has no parent";
            const auto list = lists.of(parent[at]);
            ASSERT_TRUE(std::any_of(list.begin(), list.end(), [at](const Neighbor& n) { return n.id == at; }))
                << "no edge " << parent[at] << " -> " << at;
            at = parent[at];
        }
        ASSERT_EQ(at, root) << "row " << row << " is on a cycle";
    }
}

// A ring one way, so that every row can be reached, and random edges.
std::vector<Link> random_links(Generator& random, std::uint32_t rows, std::size_t more) {
    std::vector<Link> links;
    for (std::uint32_t i = 0; i < rows; ++i)
        links.push_back({i, (i + 1) % rows, 1 + std::abs(normal(random))});
    for (std::size_t i = 0; i < more; ++i) {
        const auto from = static_cast<std::uint32_t>(random() % rows);
        links.push_back({from, static_cast<std::uint32_t>(random() % rows), std::abs(normal(random))});
    }
    return links;
}

TEST(SpanningTreeTest, CoversEveryRowAlongEdges) {
    Generator random(1);
    for (const std::uint32_t rows : {1u, 2u, 3u, 10u, 500u}) {
        for (int round = 0; round < 10; ++round) {
            Adjacency lists = lists_of(rows, random_links(random, rows, 4 * rows));
            const auto root = static_cast<std::uint32_t>(random() % rows);
            expect_tree(lists, root, tree_of(lists, root));
        }
    }
}

TEST(SpanningTreeTest, GrowsByTheShortestEdge) {
    Adjacency lists = lists_of(
        5, {{0, 1, 1}, {0, 2, 10}, {1, 2, 2}, {2, 0, 0.5f}, {2, 3, 4}, {0, 3, 3}, {3, 4, 1}, {1, 4, 9}});
    EXPECT_EQ(tree_of(lists, 0), (Parents{kNoNode, 0, 1, 0, 3}));
    EXPECT_EQ(tree_of(lists, 2), (Parents{2, 0, kNoNode, 0, 3}));
}

// With edges both ways it is the minimum spanning tree, which Kruskal's algorithm weighs too.
TEST(SpanningTreeTest, IsTheMinimumWhereEdgesGoBothWays) {
    constexpr std::uint32_t kRows = 200;
    Generator random(2);
    std::vector<Link> links = random_links(random, kRows, 2 * kRows);
    std::vector<Link> both;
    for (const Link& l : links) both.insert(both.end(), {l, {l.to, l.from, l.distance}});
    Adjacency lists = lists_of(kRows, both);
    const Parents parent = tree_of(lists, 5);
    expect_tree(lists, 5, parent);
    double weight = 0;
    for (std::uint32_t row = 0; row < kRows; ++row) {
        float shortest = std::numeric_limits<float>::infinity();
        if (row == 5) continue;
        for (const Neighbor& n : lists.of(parent[row]))
            if (n.id == row) shortest = std::min(shortest, n.distance);
        weight += shortest;
    }
    std::sort(links.begin(), links.end(),
              [](const Link& a, const Link& b) { return a.distance < b.distance; });
    std::vector<std::uint32_t> group(kRows);
    std::iota(group.begin(), group.end(), 0u);
    double least = 0;
    for (const Link& l : links) {
        const std::uint32_t a = group[l.from], b = group[l.to];
        if (a == b) continue;
        least += l.distance;
        std::replace(group.begin(), group.end(), a, b);
    }
    EXPECT_NEAR(weight, least, 1e-4);
}

TEST(SpanningTreeTest, EqualDistancesMakeATreeToo) {
    Generator random(3);
    for (const float distance : {0.0f, 1.0f, std::numeric_limits<float>::max()}) {
        std::vector<Link> links = random_links(random, 100, 300);
        for (Link& l : links) l.distance = distance;
        Adjacency lists = lists_of(100, links);
        expect_tree(lists, 42, tree_of(lists, 42));
    }
}

// Squared distances beyond a float's range are infinite, or NaN where infinities met.
TEST(SpanningTreeTest, DistancesOutOfRangeMakeATreeToo) {
    using Limits = std::numeric_limits<float>;
    for (const float distance : {Limits::infinity(), Limits::quiet_NaN()}) {
        Adjacency lists =
            lists_of(4, {{0, 1, distance}, {0, 2, 1}, {1, 2, 1}, {2, 3, distance}, {3, 0, distance}});
        expect_tree(lists, 0, tree_of(lists, 0));
    }
}

// A range's rows are reached from those of it that have a parent, by edges within the range alone.
TEST(SpanningTreeTest, StaysWithinARange) {
    Adjacency lists = lists_of(6, {{2, 3, 1}, {3, 0, 1}, {0, 4, 1}, {2, 5, 9}, {1, 4, 1}});
    Parents parent(6, kNoNode, std::pmr::new_delete_resource());
    parent[0] = parent[1] = parent[2] = 0;
    grow_trees(lists.lists(), 2, 3, parent, std::pmr::new_delete_resource());
    EXPECT_EQ(parent, (Parents{0, 0, 0, 2, kNoNode, kNoNode}));
}

TEST(SpanningTreeTest, VectorsOfAnyMagnitudeHaveOne) {
    Generator random(4);
    for (const float scale : {1e-30f, 1e15f, 1e25f, 1e30f}) {
        Rows rows{700, 16, normal_vector(random, 700 * 16, scale)};
        const StoredRows stored(rows, OwnFormat::kF16);
        BulkGraph graph(std::pmr::new_delete_resource());
        bulk_build(stored.array(), {}, std::pmr::new_delete_resource(), {}, graph);
        expect_tree(graph.edges, graph.medoid, graph.parent);
    }
}

}  // namespace
}  // namespace vecidx::test

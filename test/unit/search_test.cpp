// Best-first search over graphs small enough to know the answer, explicit ones and one of inline nodes.
#include "vecidx/search.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "support.hpp"
#include "vecidx/memory_graph.hpp"

namespace vecidx::test {
namespace {

// Points on a line, edges given; notes the order of expansion.
struct LineGraph {
    std::vector<float> at;
    std::vector<std::vector<NodeId>> edges;
    float query = 0;
    std::vector<NodeId> expanded = {}, prefetched = {};

    float distance(NodeId id) const { return (at[id] - query) * (at[id] - query); }
    void expand(NodeId id, Beam& beam) {
        expanded.push_back(id);
        beam.settle(distance(id));
        for (NodeId n : edges[id]) beam.offer(n, distance(n));
    }
    void prefetch(NodeId id) { prefetched.push_back(id); }
};

std::vector<NodeId> search(LineGraph& graph, std::size_t list_size, std::vector<NodeId> entries) {
    Beam beam(std::pmr::new_delete_resource(), list_size);
    beam.reset(list_size);
    for (NodeId entry : entries) beam.offer(entry, graph.distance(entry));
    std::size_t polls = 0;
    const std::size_t hops = best_first_search(graph, beam, [&polls] { ++polls; });
    EXPECT_EQ(hops, graph.expanded.size());
    EXPECT_EQ(polls, graph.expanded.size());
    return graph.expanded;
}

using Path = std::vector<NodeId>;

TEST(SearchTest, WalksToTheNearest) {
    LineGraph chain{{9, 7, 5, 3, 1}, {{1}, {0, 2}, {1, 3}, {2, 4}, {3}}};
    EXPECT_EQ(search(chain, 1, {0}), (Path{0, 1, 2, 3, 4}));
}

// With a list of one the search stops at node 1, whose neighbours are farther; with two it gets round it.
TEST(SearchTest, AListGetsRoundALocalMinimum) {
    const LineGraph graph{{9, 5, 6, 1}, {{1}, {2}, {3}, {}}};
    LineGraph narrow = graph, wide = graph;
    EXPECT_EQ(search(narrow, 1, {0}), (Path{0, 1}));
    EXPECT_EQ(search(wide, 2, {0}), (Path{0, 1, 2, 3}));
}

TEST(SearchTest, ExpandsNearestFirstAndOnce) {
    LineGraph star{{10, 4, 2, 3, 1}, {{1, 2, 3, 4}, {0, 2}, {1, 4}, {4, 1}, {0, 0, 2}}};
    EXPECT_EQ(search(star, 10, {0, 0}), (Path{0, 4, 2, 3, 1}));
    EXPECT_EQ(star.prefetched, (Path{2, 3, 1}));
}

TEST(SearchTest, StartsFromSeveralEntriesOrNone) {
    LineGraph apart{{8, 1, 6, 2}, {{}, {}, {3}, {}}};
    EXPECT_EQ(search(apart, 4, {0, 1, 2}), (Path{1, 2, 3, 0}));
    LineGraph unused = apart;
    unused.expanded.clear();
    EXPECT_EQ(search(unused, 4, {}), Path{});
}

// Inline nodes, each linked to its 16 nearest and 16 random others: the estimates lead to the true nearest,
// and what is reported are exact distances.
TEST(SearchTest, FindsTheNearestOverInlineNodes) {
    constexpr std::size_t kRows = 1000, kDims = 64, kDegree = 32;
    Generator random(1);
    Rows rows = clustered_rows(random, kRows, kDims);
    const StoredRows stored(rows, OwnFormat::kF16);
    Adjacency edges(kRows, kDegree, std::pmr::new_delete_resource());
    for (std::size_t i = 0; i < kRows; ++i) {
        std::vector<Neighbor> all;
        for (std::size_t j = 0; j < kRows; ++j)
            if (j != i)
                all.push_back(
                    {static_cast<float>(squared_distance(rows[i], rows[j], kDims)), static_cast<NodeId>(j)});
        std::sort(all.begin(), all.end());
        std::shuffle(all.begin() + kDegree / 2, all.end(), random);
        edges.assign(i, all);
    }
    const std::vector<float> origin(kDims);
    Codebook book;
    book.padded = book.code_dims = kDims;
    book.bits = 2;
    book.centroid_count = 1;
    book.centroids = origin.data();
    const NodeLayout layout =
        NodeLayout::make(kDims, kDims, book.bits, kDegree, OwnFormat::kF16, OwnPlace::kInline);
    MemoryGraph graph(layout, kRows, std::pmr::new_delete_resource());
    graph.fill(stored.array(), book, edges);

    QueryCode code(std::pmr::new_delete_resource());
    Beam beam(std::pmr::new_delete_resource());
    std::vector<float> estimates(kDegree);
    int found = 0;
    for (std::size_t i = 0; i < 50; ++i) {
        std::vector<float> q(rows[i * 20], rows[i * 20] + kDims);
        for (float& v : q) v += 0.05f * normal(random);
        code.prepare(book, q.data());
        graph.begin({q.data(), &code.table(), estimates.data()});
        beam.reset(50);
        beam.offer(0, 0);
        const std::size_t hops = best_first_search(graph, beam, [] {});
        ASSERT_EQ(graph.results().size(), hops);
        for (const Neighbor& n : graph.results())
            EXPECT_NEAR(n.distance, squared_distance(q.data(), stored.load(n.id).data(), kDims),
                        1e-4f * (1 + n.distance));
        std::size_t nearest = 0;
        for (std::size_t j = 1; j < kRows; ++j)
            if (squared_distance(q.data(), rows[j], kDims) < squared_distance(q.data(), rows[nearest], kDims))
                nearest = j;
        found += graph.results()[0].id == nearest ? 1 : 0;
        EXPECT_LT(hops, 200u);
    }
    EXPECT_GE(found, 48);
}

}  // namespace
}  // namespace vecidx::test

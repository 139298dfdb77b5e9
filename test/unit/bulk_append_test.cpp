// Appending to a graph without a search: what was there stays in the tree, everything is reached, and a
// search finds old and new rows as in a graph that was built of all of them.
#include <gtest/gtest.h>

#include <algorithm>

#include "support.hpp"
#include "vecidx/bulk_graph.hpp"

namespace vecidx::test {
namespace {

constexpr std::size_t kDims = 32;

std::pmr::memory_resource* heap() {
    return std::pmr::new_delete_resource();
}

BulkParams small_degree() {
    BulkParams params;
    params.degree = 32;
    return params;
}

// A graph of the first rows, to which the others are appended.
struct Appended {
    Appended(const Rows& rows, std::size_t first, const BulkParams& p = small_degree())
        : params(p), stored(rows, OwnFormat::kF16), old(heap()), graph(heap()) {
        VectorArray some = stored.array();
        some.count = first;
        bulk_build(some, params, heap(), {}, old);
        bulk_append(stored.array(), old, params, heap(), {}, graph);
    }

    BulkParams params;
    StoredRows stored;
    BulkGraph old, graph;
};

std::size_t reachable(const BulkGraph& graph) {
    std::vector<std::uint8_t> seen(graph.edges.rows());
    std::vector<std::uint32_t> order = {graph.medoid};
    seen[graph.medoid] = 1;
    for (std::size_t at = 0; at < order.size(); ++at)
        for (const Neighbor& n : graph.edges.of(order[at]))
            if (seen[n.id]++ == 0) order.push_back(n.id);
    return order.size();
}

bool leads(const BulkGraph& graph, std::uint32_t from, std::uint32_t to) {
    const std::span<const Neighbor> edges = graph.edges.of(from);
    return std::any_of(edges.begin(), edges.end(), [to](const Neighbor& n) { return n.id == to; });
}

void expect_sound(const Appended& a) {
    const std::size_t rows = a.stored.array().count;
    ASSERT_EQ(a.graph.edges.rows(), rows);
    EXPECT_EQ(a.graph.medoid, a.old.medoid);
    for (std::uint32_t i = 0; i < rows; ++i) {
        std::vector<std::uint32_t> ids;
        for (const Neighbor& n : a.graph.edges.of(i)) ids.push_back(n.id);
        EXPECT_LE(ids.size(), a.params.degree);
        std::sort(ids.begin(), ids.end());
        EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << "an edge twice at " << i;
        EXPECT_FALSE(std::binary_search(ids.begin(), ids.end(), i)) << "an edge to itself at " << i;
        if (i != a.graph.medoid) {
            EXPECT_TRUE(leads(a.graph, a.graph.parent[i], i)) << "no tree edge to " << i;
        }
        if (i < a.old.edges.rows()) {
            EXPECT_EQ(a.graph.parent[i], a.old.parent[i]) << i;
        }
    }
    EXPECT_EQ(reachable(a.graph), rows);
}

// The share of rows' true nearest rows that are reached by best-first search with exact distances.
double recall(const VectorArray& rows, const BulkGraph& graph, std::size_t list_size) {
    std::size_t found = 0, wanted = 0;
    const auto distance = [&](std::uint32_t a, std::uint32_t b) {
        std::vector<float> x(rows.padded);
        load_vector(rows[a], rows.padded, x.data());
        return l2_squared(kernels(), x.data(), rows[b], rows.padded);
    };
    for (std::uint32_t q = 7; q < rows.count; q += 97) {
        std::vector<Neighbor> beam = {{distance(q, graph.medoid), graph.medoid}};
        std::vector<std::uint8_t> seen(rows.count), done(rows.count);
        seen[graph.medoid] = 1;
        for (;;) {
            const auto next =
                std::find_if(beam.begin(), beam.end(), [&](const Neighbor& n) { return !done[n.id]; });
            if (next == beam.end()) break;
            const std::uint32_t at = next->id;
            done[at] = 1;
            for (const Neighbor& n : graph.edges.of(at)) {
                if (seen[n.id]++ != 0) continue;
                seen[n.id] = 1;
                beam.push_back({distance(q, n.id), n.id});
            }
            std::sort(beam.begin(), beam.end());
            beam.resize(std::min(beam.size(), list_size));
        }
        std::vector<Neighbor> all;
        for (std::uint32_t i = 0; i < rows.count; ++i) all.push_back({distance(q, i), i});
        std::nth_element(all.begin(), all.begin() + 9, all.end());
        for (std::size_t i = 0; i < std::min<std::size_t>(10, beam.size()); ++i)
            found += beam[i].distance <= all[9].distance ? 1 : 0;
        wanted += 10;
    }
    return static_cast<double>(found) / static_cast<double>(wanted);
}

TEST(BulkAppendTest, EverySizeAroundALimitIsSound) {
    for (const std::size_t rows : {2, 3, 40, 511, 513, 600, 2500}) {
        Generator random(rows);
        const Rows data = clustered_rows(random, rows, kDims);
        for (const std::size_t first : {std::size_t{1}, rows / 2, rows - 1}) {
            SCOPED_TRACE(testing::Message() << first << " of " << rows);
            expect_sound(Appended(data, first));
        }
    }
}

TEST(BulkAppendTest, FindsAsAWholeBuildDoes) {
    Generator random(5);
    const Rows data = clustered_rows(random, 6000, kDims);
    const Appended half(data, 3000);
    const Appended most(data, 5600);
    expect_sound(half);
    expect_sound(most);
    BulkGraph whole(heap());
    bulk_build(half.stored.array(), half.params, heap(), {}, whole);
    const double base = recall(half.stored.array(), whole, 24);
    EXPECT_GE(base, 0.9);
    EXPECT_GE(recall(half.stored.array(), half.graph, 24), base - 0.02);
    EXPECT_GE(recall(half.stored.array(), most.graph, 24), base - 0.02);
}

// Rows unlike any that are there.
TEST(BulkAppendTest, NewClustersAreReached) {
    Generator random(6);
    Rows data = clustered_rows(random, 6000, kDims, 4);
    for (std::size_t i = 4000; i < data.count; ++i)
        for (std::size_t d = 0; d < kDims; ++d) data[i][d] += i % 2 == 0 ? 40.0f : -40.0f;
    const Appended a(data, 4000);
    expect_sound(a);
    EXPECT_GE(recall(a.stored.array(), a.graph, 64), 0.9);
}

TEST(BulkAppendTest, NothingIsAppendedToNothingNew) {
    Generator random(7);
    const Appended a(clustered_rows(random, 3000, kDims), 3000);
    expect_sound(a);
    for (std::uint32_t i = 0; i < 3000; ++i) {
        EXPECT_EQ(a.graph.edges.of(i).size(), a.old.edges.of(i).size());
        for (const Neighbor& n : a.old.edges.of(i)) EXPECT_TRUE(leads(a.graph, i, n.id));
    }
}

// Dead rows keep their edges, and get none.
TEST(BulkAppendTest, NothingNewLeadsToBuriedRows) {
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    constexpr std::uint32_t kRows = 5000, kOld = 3000;
    Generator random(8);
    const StoredRows stored(clustered_rows(random, kRows, kDims), OwnFormat::kF16);
    std::vector<std::uint8_t> settled(kRows, kFresh);
    for (std::uint32_t i = 0; i < kOld; ++i) settled[i] = i % 3 == 0 ? kBuried : kSettled;
    const BulkParams params = small_degree();
    std::vector<Line> block(
        ceil_div(BulkBuild::bytes_for(kRows, stored.array(), params, heap()), sizeof(Line)));
    Arena arena(block.data());
    const Team team;
    const Progress progress;
    Window window(heap());
    BulkBuild build({stored.array(), nullptr, kRows, settled.data()}, params, arena, team, window, heap(),
                    progress);
    build.partition();
    // a chain of all old rows, as its tree
    std::vector<std::uint32_t> row_of(kRows);
    for (std::uint32_t row = 0; row < kRows; ++row) row_of[build.source()[row]] = row;
    for (std::uint32_t i = 0; i + 1 < kOld; ++i) build.settle(row_of[i], std::span(&row_of[i + 1], 1), 1);
    build.settle(row_of[kOld - 1], {}, 0);
    build.settle_root(row_of[0]);
    build.link();
    std::size_t to_old = 0;
    for (std::uint32_t row = 0; row < kRows; ++row) {
        const std::uint32_t from = build.source()[row];
        for (const Neighbor& n : build.edges().of(row)) {
            const std::uint32_t to = build.source()[n.id];
            to_old += from >= kOld && to < kOld ? 1 : 0;
            if (settled[to] != kBuried) continue;
            EXPECT_EQ(from + 1, to) << "a new edge to a buried row";
        }
        if (settled[from] == kBuried) {
            EXPECT_LE(build.edges().of(row).size(), 1u);
        }
        EXPECT_NE(build.parent()[row], kNoNode);
    }
    EXPECT_GT(to_old, std::size_t{kRows - kOld});
}

}  // namespace
}  // namespace vecidx::test

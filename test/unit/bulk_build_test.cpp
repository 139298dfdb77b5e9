// The bulk build on data that is hard for it: far-apart clusters, near-duplicates, few dimensions, wide
// ranges of norms, and every size around a limit. Whatever the data, the graph is sound; where the data has
// structure, a search finds it.
#include "vecidx/bulk_graph.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <thread>

#include "support.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/link.hpp"
#include "vecidx/memory_graph.hpp"
#include "vecidx/search.hpp"

namespace vecidx::test {
namespace {

std::pmr::memory_resource* heap() {
    return std::pmr::new_delete_resource();
}

struct Built {
    explicit Built(const Rows& rows, std::size_t degree = 64, std::uint64_t seed = 1)
        : stored(rows, OwnFormat::kF16), graph(heap()) {
        params.degree = degree;
        params.seed = seed;
        bulk_build(stored.array(), params, heap(), {}, graph);
    }

    StoredRows stored;
    BulkParams params;
    BulkGraph graph;
};

std::size_t reachable(const Adjacency& edges, std::uint32_t root) {
    std::vector<std::uint8_t> seen(edges.rows());
    std::vector<std::uint32_t> order = {root};
    seen[root] = 1;
    for (std::size_t at = 0; at < order.size(); ++at) {
        for (const Neighbor& n : edges.of(order[at])) {
            if (seen[n.id]++ == 0) order.push_back(n.id);
            seen[n.id] = 1;
        }
    }
    return order.size();
}

void expect_sound(const Built& built) {
    const BulkGraph& graph = built.graph;
    const std::size_t rows = graph.edges.rows();
    ASSERT_EQ(rows, built.stored.array().count);
    for (std::uint32_t i = 0; i < rows; ++i) {
        std::vector<std::uint32_t> ids;
        for (const Neighbor& n : graph.edges.of(i)) ids.push_back(n.id);
        EXPECT_LE(ids.size(), built.params.degree);
        std::sort(ids.begin(), ids.end());
        EXPECT_EQ(std::adjacent_find(ids.begin(), ids.end()), ids.end()) << "an edge twice at " << i;
        EXPECT_FALSE(std::binary_search(ids.begin(), ids.end(), i)) << "an edge to itself at " << i;
        ASSERT_TRUE(ids.empty() || ids.back() < rows);
    }
    EXPECT_EQ(reachable(graph.edges, graph.medoid), rows);
    std::vector<std::uint32_t> order(graph.order.begin(), graph.order.end());
    std::sort(order.begin(), order.end());
    ASSERT_EQ(order.size(), rows);
    for (std::uint32_t i = 0; i < rows; ++i) ASSERT_EQ(order[i], i);
}

// Points between a row and a neighbour of it: queries of the rows' own distribution.
std::vector<std::vector<float>> queries_between(const Built& built, std::size_t count) {
    Generator random(17);
    const VectorArray rows = built.stored.array();
    std::vector<std::vector<float>> queries;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t row = random() % rows.count;
        std::vector<float> q = built.stored.load(row);
        const std::span<const Neighbor> edges = built.graph.edges.of(row);
        if (!edges.empty()) {
            const std::vector<float> other = built.stored.load(edges.front().id);
            for (std::size_t d = 0; d < q.size(); ++d) q[d] = 0.6f * q[d] + 0.4f * other[d];
        }
        queries.push_back(q);
    }
    return queries;
}

float tenth_distance(const VectorArray& rows, const float* q) {
    std::vector<float> distances(rows.count);
    for (std::size_t i = 0; i < rows.count; ++i)
        distances[i] = l2_squared(kernels(), q, rows[i], rows.padded);
    const std::size_t tenth = std::min<std::size_t>(10, rows.count) - 1;
    std::nth_element(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(tenth),
                     distances.end());
    return distances[tenth] * 1.00001f;
}

// Recall@10 of searches from the medoid over inline nodes, as the index does them.
double recall(const Built& built, std::size_t list_size, const std::vector<std::vector<float>>& queries) {
    const VectorArray rows = built.stored.array();
    const NodeLayout layout = choose_layout({.padded = rows.padded, .max_degree = built.params.degree}, 8152);
    Random random(3);
    const std::size_t wanted = default_centroid_count(rows.count);
    std::vector<float> centroids(wanted * rows.padded);
    Codebook book;
    book.padded = rows.padded;
    book.code_dims = layout.code_dims;
    book.bits = layout.bits;
    book.centroids = centroids.data();
    book.centroid_count = train_centroids(rows, wanted, random, heap(), centroids.data());
    book.rescale_unit = choose_rescale_unit(book, rows, random, heap());
    MemoryGraph graph(layout, rows.count, heap());
    graph.fill(rows, book, built.graph.edges);

    Beam beam(heap(), list_size);
    QueryCode code(heap());
    std::vector<float> estimates(layout.degree);
    double found = 0;
    const std::size_t k = std::min<std::size_t>(10, rows.count);
    for (const std::vector<float>& q : queries) {
        code.prepare(book, q.data());
        beam.reset(list_size);
        graph.begin({q.data(), &code.table(), estimates.data()});
        beam.offer(built.graph.medoid, 0);
        best_first_search(graph, beam, [] {});
        const float limit = tenth_distance(rows, q.data());
        const std::span<const Neighbor> results = graph.results();
        for (std::size_t i = 0; i < std::min(k, results.size()); ++i)
            found += results[i].distance <= limit ? 1 : 0;
    }
    return found / static_cast<double>(k * queries.size());
}

double recall(const Built& built, std::size_t list_size) {
    return recall(built, list_size, queries_between(built, 100));
}

// Gaussian balls; cluster c has a weight of (c + 1)^-power.
Rows balls(std::size_t count, std::size_t dims, std::size_t clusters, float sigma, double power = 0) {
    Generator random(23);
    Rows rows{count, dims, std::vector<float>(count * dims)};
    const std::vector<float> centers = normal_vector(random, clusters * dims);
    std::vector<double> weights;
    for (std::size_t c = 0; c < clusters; ++c)
        weights.push_back(std::pow(static_cast<double>(c + 1), -power));
    std::discrete_distribution<std::size_t> choose(weights.begin(), weights.end());
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t c = choose(random);
        for (std::size_t d = 0; d < dims; ++d) rows[i][d] = centers[c * dims + d] + sigma * normal(random);
    }
    return rows;
}

Rows near_duplicates(std::size_t originals, std::size_t copies, std::size_t dims, float noise) {
    Generator random(29);
    const Rows base = clustered_rows(random, originals, dims);
    Rows rows{originals * copies, dims, std::vector<float>(originals * copies * dims)};
    for (std::size_t i = 0; i < rows.count; ++i)
        for (std::size_t d = 0; d < dims; ++d) rows[i][d] = base[i % originals][d] + noise * normal(random);
    return rows;
}

// Only the first `used` of the dimensions differ from zero.
Rows flat(std::size_t count, std::size_t used, std::size_t dims) {
    Generator random(31);
    Rows rows{count, dims, std::vector<float>(count * dims)};
    for (std::size_t i = 0; i < count; ++i)
        for (std::size_t d = 0; d < used; ++d) rows[i][d] = normal(random);
    return rows;
}

TEST(BulkBuildTest, EverySizeIsSound) {
    Generator random(1);
    for (std::size_t n : {1, 2, 3, 10, 100, 511, 512, 513, 2001, 5000}) {
        const Built built(clustered_rows(random, n, 32, 5));
        expect_sound(built);
        EXPECT_GT(recall(built, 64), 0.95) << n;
    }
}

TEST(BulkBuildTest, NothingToBuild) {
    const Built built(Rows{0, 16, {}});
    EXPECT_EQ(built.graph.edges.rows(), 0u);
}

TEST(BulkBuildTest, ASeedGivesOneGraph) {
    Generator random(2);
    const Rows rows = clustered_rows(random, 3000, 48);
    const Built a(rows), b(rows);
    for (std::size_t i = 0; i < rows.count; ++i)
        ASSERT_TRUE(std::ranges::equal(a.graph.edges.of(i), b.graph.edges.of(i))) << i;
    EXPECT_TRUE(std::ranges::equal(a.graph.order, b.graph.order));
    EXPECT_EQ(a.graph.medoid, b.graph.medoid);
}

TEST(BulkBuildTest, RecallOnManifolds) {
    Generator random(3);
    const Rows rows = clustered_rows(random, 10000, 64, 20);
    for (std::size_t degree : {16, 32, 64}) {
        const Built built(rows, degree);
        expect_sound(built);
        EXPECT_GT(recall(built, 64), 0.93) << degree;
    }
}

// The bound leaves room for the random numbers of other standard libraries (0.91 to 0.99 seen).
TEST(BulkBuildTest, ClustersFarApart) {
    for (std::size_t clusters : {20, 100, 1000}) {
        const Built low(balls(8000, 16, clusters, 0.01f));
        expect_sound(low);
        EXPECT_GT(recall(low, 200), 0.85) << clusters;
        const Built high(balls(8000, 128, clusters, 0.01f));
        expect_sound(high);
        EXPECT_GT(recall(high, 200), 0.85) << clusters;
    }
}

TEST(BulkBuildTest, ClustersOfAllSizes) {
    const Built built(balls(8000, 64, 300, 0.05f, 1.2));
    expect_sound(built);
    EXPECT_GT(recall(built, 128), 0.93);
}

TEST(BulkBuildTest, NearDuplicates) {
    for (float noise : {1e-4f, 1e-2f}) {
        const Built built(near_duplicates(400, 20, 64, noise));
        expect_sound(built);
        EXPECT_GT(recall(built, 128), 0.95) << noise;
    }
}

TEST(BulkBuildTest, FewDimensions) {
    for (std::size_t used : {1, 2, 3}) {
        const Built built(flat(5000, used, 16));
        expect_sound(built);
        EXPECT_GT(recall(built, 64), 0.95) << used;
    }
}

TEST(BulkBuildTest, EqualVectorsAreSound) {
    expect_sound(Built(Rows{3000, 16, std::vector<float>(3000 * 16, 1.0f)}));
    expect_sound(Built(Rows{600, 16, std::vector<float>(600 * 16)}, 16));
}

// The inner product's embedding: one dimension makes all norms that of the longest vector.
TEST(BulkBuildTest, NormsOfSixOrders) {
    Generator random(5);
    Rows rows = clustered_rows(random, 8000, 64, 20);
    double longest = 0;
    for (std::size_t i = 0; i < rows.count; ++i) {
        rows[i][63] = 0;
        const auto factor =
            static_cast<float>(std::pow(10.0, 6.0 * static_cast<double>(i % 1000) / 1000 - 3));
        for (std::size_t d = 0; d < 63; ++d) rows[i][d] *= factor;
        longest = std::max(longest, dot(rows[i], rows[i], 63));
    }
    for (std::size_t i = 0; i < rows.count; ++i)
        rows[i][63] = static_cast<float>(std::sqrt(longest - dot(rows[i], rows[i], 63)));
    std::vector<std::vector<float>> queries;
    for (std::size_t i = 0; i < 100; ++i) {
        std::vector<float> q(rows[i * 50], rows[i * 50] + 64);
        q[63] = 0;
        const auto scale = static_cast<float>(std::sqrt(longest) / norm(q.data(), 64));
        for (float& v : q) v *= scale;
        queries.push_back(q);
    }
    const Built built(rows);
    expect_sound(built);
    EXPECT_GT(recall(built, 128, queries), 0.9);
}

// A team of threads.
struct Threads {
    explicit Threads(unsigned count) : barrier(count) {}
    static void wait(void* context) { static_cast<Threads*>(context)->barrier.arrive_and_wait(); }
    std::barrier<> barrier;
};

BulkGraph built_by(unsigned workers, const VectorArray& vectors, const BulkParams& params) {
    std::vector<std::byte> block(BulkBuild::bytes_for(vectors.count, vectors, params, heap()));
    Threads threads(workers);
    BulkGraph graph(heap());
    const auto work = [&](unsigned worker) {
        Arena arena(block.data());
        const Team team{worker, workers, Threads::wait, &threads};
        Window window(heap());
        const Progress progress;
        BulkBuild build({vectors, nullptr, vectors.count}, params, arena, team, window, heap(), progress);
        build.partition();
        build.link();
        if (team.leads()) copy_graph(build, heap(), graph);
    };
    std::vector<std::thread> others;
    for (unsigned worker = 1; worker < workers; ++worker) others.emplace_back(work, worker);
    work(0);
    for (std::thread& other : others) other.join();
    return graph;
}

TEST(BulkBuildTest, ATeamBuildsASoundGraph) {
    Generator random(6);
    Built built(clustered_rows(random, 9000, 48, 20), 32);
    const double alone = recall(built, 48);
    for (unsigned workers : {2u, 3u, 8u}) {
        built.graph = built_by(workers, built.stored.array(), built.params);
        expect_sound(built);
        EXPECT_GT(recall(built, 48), alone - 0.02) << workers;
    }
}

TEST(BulkBuildTest, VectorsLeftOutAreNoRows) {
    Generator random(7);
    const StoredRows stored(clustered_rows(random, 4000, 32), OwnFormat::kF16);
    std::vector<std::uint8_t> left_out(4000);
    for (std::size_t i = 0; i < left_out.size(); ++i) left_out[i] = i % 3 == 0;
    const std::size_t rows = 4000 - 1334;
    std::vector<std::byte> block(BulkBuild::bytes_for(rows, stored.array(), {}, heap()) + 64);
    Arena arena(block.data());
    const Team team;
    Window window(heap());
    const Progress progress;
    BulkBuild build({stored.array(), left_out.data(), rows}, {}, arena, team, window, heap(), progress);
    build.partition();
    build.link();
    std::vector<std::uint32_t> source(build.source().begin(), build.source().end());
    std::sort(source.begin(), source.end());
    ASSERT_EQ(source.size(), rows);
    for (std::size_t i = 0; i < rows; ++i) {
        EXPECT_EQ(left_out[source[i]], 0);
        EXPECT_TRUE(i == 0 || source[i] != source[i - 1]);
    }
    for (std::uint32_t row = 0; row < rows; ++row) EXPECT_NE(build.parent()[row], kNoNode);
}

// A window that holds a few granules lets go again and again; the graph is the same.
TEST(BulkBuildTest, AWindowChangesNothing) {
    Generator random(8);
    const StoredRows stored(clustered_rows(random, 5000, 64), OwnFormat::kF16);
    const std::size_t bytes = BulkBuild::bytes_for(5000, stored.array(), {}, heap()) + 64;
    std::vector<std::byte> block(bytes);
    BulkGraph plain(heap()), watched(heap());
    bulk_build(stored.array(), {}, heap(), {}, plain);
    std::size_t times = 0;
    Arena arena(block.data());
    const Team team;
    Window window(heap());
    window.watch(
        block.data(), bytes, 8 * Window::kAround,
        [](void* n, std::size_t, std::size_t) { ++*static_cast<std::size_t*>(n); }, &times);
    const Progress progress;
    BulkBuild build({stored.array(), nullptr, 5000}, {}, arena, team, window, heap(), progress);
    build.partition();
    build.link();
    copy_graph(build, heap(), watched);
    EXPECT_GT(times, 100u);
    for (std::size_t i = 0; i < 5000; ++i)
        ASSERT_TRUE(std::ranges::equal(plain.edges.of(i), watched.edges.of(i))) << i;
}

TEST(NearestInLeavesTest, FindsNeighboursNearestFirst) {
    Generator random(9);
    for (std::size_t rows : {1, 2, 300, 4000}) {
        const StoredRows stored(clustered_rows(random, rows, 32), OwnFormat::kF16);
        BulkParams params;
        params.fan_out = 4;
        params.candidates = 48;
        Adjacency lists(rows, 48, heap());
        nearest_in_leaves(stored.array(), params, heap(), {}, lists.lists());
        double found = 0;
        for (std::uint32_t row = 0; row < rows; ++row) {
            const std::span<const Neighbor> list = lists.of(row);
            EXPECT_TRUE(std::is_sorted(list.begin(), list.end(), [](const Neighbor& a, const Neighbor& b) {
                return a.distance < b.distance;
            }));
            if (rows < 2) continue;
            Neighbor nearest{std::numeric_limits<float>::infinity(), row};
            const std::vector<float> own = stored.load(row);
            for (std::uint32_t i = 0; i < rows; ++i)
                if (i != row)
                    nearest =
                        std::min(nearest, {l2_squared(kernels(), own.data(), stored.array()[i], 32), i});
            found +=
                std::any_of(list.begin(), list.end(), [&](const Neighbor& n) { return n.id == nearest.id; })
                    ? 1
                    : 0;
        }
        EXPECT_GE(found / static_cast<double>(rows), rows > 1 ? 0.98 : 0.0) << rows;
    }
}

void connect_from_first(Adjacency& lists, std::size_t degree, Random& random) {
    std::pmr::vector<std::uint32_t> parent(lists.rows(), kNoNode, heap());
    parent[0] = 0;
    Window window(heap());
    connect_rest({lists.lists(), degree, parent}, random, window, heap());
}

TEST(ConnectRestTest, FullRowsGiveUpAnEdgeTheyDoNotNeed) {
    // Six rows of two edges each, all among themselves, and two islands.
    constexpr std::uint32_t kDegree = 2, kFull = 6, kRows = 8;
    Adjacency lists(kRows, kDegree, heap());
    for (std::uint32_t i = 0; i < kFull; ++i) {
        lists.lists().append(i, {1, (i + 1) % kFull});
        lists.lists().append(i, {2, (i + 2) % kFull});
    }
    Random random(1);
    connect_from_first(lists, kDegree, random);
    EXPECT_EQ(reachable(lists, 0), kRows);
    for (std::size_t i = 0; i < kRows; ++i) EXPECT_LE(lists.of(i).size(), kDegree);
}

TEST(ConnectRestTest, OneEdgeARow) {
    Adjacency lists(50, 1, heap());
    lists.lists().append(0, {1, 1});
    lists.lists().append(1, {1, 0});
    Random random(2);
    connect_from_first(lists, 1, random);
    EXPECT_EQ(reachable(lists, 0), 50u);
}

}  // namespace
}  // namespace vecidx::test

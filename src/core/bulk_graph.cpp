// Builds by one worker in private memory. See bulk_graph.hpp.
#include "vecidx/bulk_graph.hpp"

#include <algorithm>

#include "vecidx/link.hpp"

namespace vecidx {
namespace {

constexpr std::uint32_t kReportEvery = 128;

// A build by one worker in private memory.
struct SmallTeam {
    SmallTeam(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
              const Progress& progress, const std::uint8_t* settled = nullptr)
        : block(ceil_div<std::size_t>(BulkBuild::bytes_for(vectors.count, vectors, params, memory),
                                      sizeof(Line)),
                memory),
          arena(block.data()),
          window(memory),
          build({vectors, nullptr, vectors.count, settled}, params, arena, team, window, memory, progress) {}

    struct alignas(64) Line {
        std::byte bytes[64];
    };
    std::pmr::vector<Line> block;
    Arena arena;
    Team team;
    Window window;
    BulkBuild build;
};

}  // namespace

void bulk_build(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
                const Progress& progress, BulkGraph& graph) {
    if (vectors.count == 0) return;
    SmallTeam all(vectors, params, memory, progress);
    all.build.partition();
    all.build.link();
    copy_graph(all.build, memory, graph);
}

namespace {

// Gives the build the graph that is appended to.
void settle_all(BulkBuild& build, const BulkGraph& old, std::pmr::memory_resource* memory) {
    const std::span<const std::uint32_t> source = build.source();
    std::pmr::vector<std::uint32_t> row_of(source.size(), 0, memory), edges(memory);
    for (std::uint32_t row = 0; row < source.size(); ++row) row_of[source[row]] = row;
    for (std::uint32_t i = 0; i < old.edges.rows(); ++i) {
        edges.clear();
        for (const Neighbor& n : old.edges.of(i)) edges.push_back(n.id);
        const auto pins = std::stable_partition(edges.begin(), edges.end(),
                                                [&](std::uint32_t to) { return old.parent[to] == i; });
        for (std::uint32_t& to : edges) to = row_of[to];
        build.settle(row_of[i], edges, static_cast<std::size_t>(pins - edges.begin()));
    }
    build.settle_root(row_of[old.medoid]);
}

}  // namespace

void bulk_append(const VectorArray& vectors, const BulkGraph& old, const BulkParams& params,
                 std::pmr::memory_resource* memory, const Progress& progress, BulkGraph& graph) {
    std::pmr::vector<std::uint8_t> settled(vectors.count, 0, memory);
    std::fill_n(settled.begin(), old.edges.rows(), std::uint8_t{1});
    SmallTeam all(vectors, params, memory, progress, settled.data());
    all.build.partition();
    settle_all(all.build, old, memory);
    all.build.link();
    copy_graph(all.build, memory, graph);
    graph.medoid = old.medoid;
}

void copy_graph(const BulkBuild& build, std::pmr::memory_resource* memory, BulkGraph& graph) {
    const std::span<const std::uint32_t> source = build.source();
    graph.order.assign(source.begin(), source.end());
    graph.edges = Adjacency(source.size(), build.level().params.degree, memory);
    graph.parent.assign(source.size(), kNoNode);
    std::pmr::vector<Neighbor> list(memory);
    for (std::size_t row = 0; row < source.size(); ++row) {
        list.clear();
        for (const Neighbor& n : build.edges().of(row)) list.push_back({n.distance, source[n.id]});
        graph.edges.assign(source[row], list);
        if (build.parent()[row] != row) graph.parent[source[row]] = source[build.parent()[row]];
    }
    graph.medoid = source[build.medoid()];
}

void nearest_in_leaves(const VectorArray& vectors, const BulkParams& params,
                       std::pmr::memory_resource* memory, const Progress& progress, const Lists& lists) {
    if (vectors.count == 0) return;
    SmallTeam all(vectors, params, memory, progress);
    all.build.partition();
    if (!all.build.level().is_small()) all.build.compare_leaves();
    const Level& level = all.build.level();
    Linker linker(level, nullptr, all.window, memory);
    std::pmr::vector<Neighbor> list(memory);
    for (std::uint32_t row = 0; row < level.rows(); ++row) {
        if (row % kReportEvery == 0) progress(Phase::kPrune, row, level.rows());
        const std::span<const Neighbor> near = linker.measure(row);
        list.assign(near.begin(), near.end());
        for (Neighbor& n : list) n.id = level.source[n.id];
        lists.assign(level.source[row], list);
    }
}

}  // namespace vecidx

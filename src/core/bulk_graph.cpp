// Builds by one worker in private memory. See bulk_graph.hpp.
#include "vecidx/bulk_graph.hpp"

#include "vecidx/link.hpp"

namespace vecidx {
namespace {

constexpr std::uint32_t kReportEvery = 128;

// A build by one worker in private memory.
struct SmallTeam {
    SmallTeam(const VectorArray& vectors, const BulkParams& params, std::pmr::memory_resource* memory,
              const Progress& progress)
        : block(ceil_div<std::size_t>(BulkBuild::bytes_for(vectors.count, vectors, params, memory),
                                      sizeof(Line)),
                memory),
          arena(block.data()),
          window(memory),
          build({vectors, nullptr, vectors.count}, params, arena, team, window, memory, progress) {}

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

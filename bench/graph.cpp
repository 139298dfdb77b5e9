// Measures the graph without a server: builds it from a data folder (fvecs/bvecs with meta.json) and prints,
// for each list size, recall@10, hops, pages and queries per second, and what they are where recall reaches
// 0.90, 0.95, 0.99.
//
//   graph DATA|clusters=K [key=value ...] [-- key=value ...] ...
//     clusters=K sigma=S dims=D       in place of a folder: rows=N made-up vectors, in K Gaussian balls
//     rows=N queries=N    only the first (the truth is computed)
//     bits=1|2|4  degree=R  own=f16|i8                   the node; what is not given, as the index chooses
//     codes=centroid|parent  centroids=K                 what codes are relative to
//     form=inline|compact                                codes of the neighbours, or only their ids
//     entries=N           centroids whose entry nodes a search starts from; 0: the medoid
//     alpha= leaf= fan= per_leaf= candidates= sample= seed=      the build
//     threads=N           that build it
//     append=N            the last N rows are appended to the graph of the others, which is built first
//     build=vamana        instead of the bulk build: the baseline (graph_vamana.hpp), with alpha and seed
//     list=L              of its searches; prune=exact: its RobustPrune in floats instead of 8 bits
//     page_ns=N           cost of a page access in the server (src/README.md says how it was measured)
//
// `--` begins another variant: the options so far, changed by those that follow; a graph with the same
// degree and build options is not built again.
//
// Recall is that of the rows which the executor would return (graph_rerank.hpp); `exact` is how many exact
// distances that takes a query. Rates are of the search alone.
#include <cmath>
#include <memory>
#include <numeric>

#include "bench/graph_build.hpp"
#include "bench/graph_clusters.hpp"
#include "bench/graph_rerank.hpp"
#include "bench/graph_variants.hpp"
#include "vecidx/search.hpp"

namespace bench {
namespace {

constexpr std::size_t kPage = 8152;
constexpr std::size_t kBlock = 8192;
constexpr std::size_t kWanted = 10;
constexpr int kRounds = 5;

// Means over the queries; `seconds` is one query's time.
struct Run {
    double recall = 0, hops = 0, pages = 0, visited = 0, exact = 0, seconds = 0;
};

// For each centroid the row nearest to it.
std::vector<NodeId> centroid_entries(const Codebook& book, const VectorArray& base) {
    std::vector<NodeId> entries(book.centroid_count);
    std::vector<float> nearest(book.centroid_count, INFINITY), z(base.padded);
    for (std::uint32_t i = 0; i < base.count; ++i) {
        load_vector(base[i], base.padded, z.data());
        const std::uint8_t c = nearest_centroid(book, z.data());
        const float d = kernels().l2_squared(z.data(), book.centroid(c), base.padded);
        if (d >= nearest[c]) continue;
        nearest[c] = d;
        entries[c] = i;
    }
    return entries;
}

NodeLayout layout_of(const Options& options, std::size_t padded) {
    NodeLayout l = choose_layout(
        {padded, options.count("degree", 0), static_cast<unsigned>(options.count("bits", 0))}, kPage);
    const std::string own = options.text("own", l.own_format == OwnFormat::kI8 ? "i8" : "f16");
    const OwnFormat format = own == "i8" ? OwnFormat::kI8 : OwnFormat::kF16;
    return NodeLayout::make(padded, l.code_dims, l.bits, l.degree, format, OwnPlace::kInline);
}

// One variant: a node form over a graph, and searches of it.
class Variant {
  public:
    Variant(const TestSet& set, const Options& options, const NodeLayout& layout)
        : set_(set), options_(options), layout_(layout), code_(heap()), beam_(heap()) {
        estimates_.resize(layout_.degree);
        train();
    }

    void run(const BulkGraph& graph) {
        medoid_ = graph.medoid;
        const Material material{set_.base.array, graph, book_, layout_};
        if (options_.text("form", "inline") == "compact") return measure_all<CompactGraph>(material);
        if (options_.text("codes", "centroid") == "parent") return measure_all<ParentGraph>(material);
        measure_all<CentroidGraph>(material);
    }

  private:
    void train() {
        const VectorArray& base = set_.base.array;
        const std::size_t wanted = options_.count("centroids", default_centroid_count(base.count));
        Random random(7);
        centroids_.resize(wanted * base.padded);
        book_.padded = base.padded;
        book_.code_dims = layout_.code_dims;
        book_.bits = layout_.bits;
        book_.centroids = centroids_.data();
        book_.centroid_count = train_centroids(base, wanted, random, heap(), centroids_.data());
        book_.rescale_unit = choose_rescale_unit(book_, base, random, heap());
        entries_ = centroid_entries(book_, base);
    }

    template <typename G>
    void measure_all(const Material& material) {
        const auto start = Clock::now();
        G graph(material);
        const double fill_seconds = seconds_since(start);
        const std::size_t bytes = graph.node_bytes(), in_page = kPage / bytes;
        std::printf("variant %s %s, R %u, %u bits, own %s, K %zu, entries %zu: node %zu bytes, %zu a page",
                    options_.text("form", "inline").c_str(), options_.text("codes", "centroid").c_str(),
                    layout_.degree, layout_.bits, layout_.own_format == OwnFormat::kF16 ? "f16" : "i8",
                    book_.centroid_count, options_.count("entries", 2), bytes, in_page);
        if (in_page > 0) std::printf(" = %zu bytes a row", kBlock / in_page);
        std::printf("; filled in %.2f s; simd %s\n", fill_seconds, kernels().name);
        std::printf("%6s %8s %8s %8s %8s %8s %10s %12s\n", "L", "recall", "hops", "pages", "visited", "exact",
                    "queries/s", "with pages");
        const Reranker reranker(set_, [&graph](NodeId id) { return graph.own(id); });
        std::vector<Run> runs;
        for (const std::size_t list : {10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}) {
            const Run r = measure(graph, reranker, list);
            std::printf("%6zu %8.4f %8.1f %8.1f %8.0f %8.1f %10.0f %12.0f\n", list, r.recall, r.hops, r.pages,
                        r.visited, r.exact, 1 / r.seconds, 1 / with_pages(r));
            std::fflush(stdout);
            runs.push_back(r);
            if (r.recall > 0.995) break;
        }
        for (const double target : {0.90, 0.95, 0.99}) summarize(runs, target);
    }

    // All queries one after the other, some rounds; of each query its best time counts, so that what else
    // the machine does is left out.
    template <typename G>
    double best_seconds(G& graph, std::size_t list) {
        std::vector<double> best(set_.query_count, INFINITY);
        for (int round = 0; round < kRounds; ++round) {
            for (std::size_t i = 0; i < set_.query_count; ++i) {
                const auto start = Clock::now();
                search(graph, i, list);
                graph.results();
                best[i] = std::min(best[i], seconds_since(start));
            }
        }
        return std::accumulate(best.begin(), best.end(), 0.0);
    }

    template <typename G>
    Run measure(G& graph, const Reranker& reranker, std::size_t list) {
        Run r;
        for (std::size_t i = 0; i < set_.query_count; ++i) {
            const std::size_t hops = search(graph, i, list);
            r.hops += static_cast<double>(hops);
            r.pages += static_cast<double>(graph.pages(hops));
            r.visited += static_cast<double>(beam_.visited());
            const Reranked reranked = reranker.first(kWanted, i, graph.results());
            r.recall += static_cast<double>(reranked.right) / kWanted;
            r.exact += static_cast<double>(reranked.exact);
        }
        const auto n = static_cast<double>(set_.query_count);
        for (double* sum : {&r.hops, &r.pages, &r.visited, &r.recall, &r.exact}) *sum /= n;
        r.seconds = best_seconds(graph, list) / n;
        return r;
    }

    template <typename G>
    std::size_t search(G& graph, std::size_t i, std::size_t list) {
        code_.prepare(book_, set_.query(i));
        beam_.reset(list);
        graph.begin({set_.query(i), &code_.table(), estimates_.data()});
        offer_entries();
        return best_first_search(graph, beam_, [] {});
    }

    void offer_entries() {
        const std::size_t wanted = options_.count("entries", 2);
        if (wanted == 0) return beam_.offer(medoid_, 0);
        near_.clear();
        for (NodeId c = 0; c < book_.centroid_count; ++c) near_.push_back({code_.centroid_distances()[c], c});
        std::sort(near_.begin(), near_.end());
        for (std::size_t j = 0; j < std::min(wanted, near_.size()); ++j)
            beam_.offer(entries_[near_[j].id], near_[j].distance);
    }

    double with_pages(const Run& r) const {
        return r.seconds + r.pages * options_.number("page_ns", 300) * 1e-9;
    }

    // Interpolates between the list sizes around a recall.
    void summarize(const std::vector<Run>& runs, double target) const {
        for (std::size_t i = 0; i < runs.size(); ++i) {
            if (runs[i].recall < target) continue;
            const Run& b = runs[i];
            const Run& a = runs[i > 0 ? i - 1 : 0];
            const double w =
                b.recall > a.recall ? std::clamp((target - a.recall) / (b.recall - a.recall), 0.0, 1.0) : 1;
            const auto mix = [w](double from, double to) { return (1 - w) * from + w * to; };
            std::printf("at %.2f: %7.0f queries/s, %7.0f with pages, %6.1f hops, %7.1f pages, %5.1f exact\n",
                        target, 1 / mix(a.seconds, b.seconds), 1 / mix(with_pages(a), with_pages(b)),
                        mix(a.hops, b.hops), mix(a.pages, b.pages), mix(a.exact, b.exact));
            return;
        }
        std::printf("at %.2f: never\n", target);
    }

    const TestSet& set_;
    const Options& options_;
    NodeLayout layout_;
    Codebook book_;
    std::vector<float> centroids_, estimates_;
    std::vector<NodeId> entries_;
    NodeId medoid_ = 0;
    QueryCode code_;
    Beam beam_;
    std::vector<Neighbor> near_;
};

// The variants of a command line, from a word on: each group of options on top of those before.
std::vector<Options> read_options(int first, int argc, char** argv) {
    std::vector<Options> variants(1);
    for (int i = first; i < argc; ++i) {
        if (argv[i] == std::string("--"))
            variants.push_back(Options(variants.back()));
        else
            variants.back().take(argv[i]);
    }
    return variants;
}

void run(const Dataset& data, const std::vector<Options>& variants) {
    const TestSet set(data, variants.front());
    std::unique_ptr<TimedBuild> build;
    for (const Options& options : variants) {
        const NodeLayout layout = layout_of(options, set.space.padded);
        if (build == nullptr || !build->made_with(options, layout.degree)) {
            build = std::make_unique<TimedBuild>(options, layout.degree);
            build->run(set.base.array);
        }
        Variant(set, options, layout).run(build->graph());
    }
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
    if (argc < 2) bench::fail("usage: graph DATA|clusters=K [key=value ...] [-- key=value ...] ...");
    const bool made_up = std::string(argv[1]).starts_with("clusters=");
    const std::vector<bench::Options> variants = bench::read_options(made_up ? 1 : 2, argc, argv);
    const bench::Dataset data =
        made_up ? bench::make_clusters(variants.front()) : bench::read_dataset(argv[1]);
    std::printf("== %s\n", data.name.c_str());
    bench::run(data, variants);
    return 0;
}

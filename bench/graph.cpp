// Measures the graph without a server: builds it from a data folder (fvecs/bvecs with meta.json) and prints,
// for each list size, recall@10, hops, pages and queries per second, and the list sizes' rates where recall
// reaches 0.90, 0.95, 0.99.
//
//   graph DATA [key=value ...]
//     rows=N          only the first N rows (the truth is then computed)
//     bits=1|2|4  degree=R  own=f16|i8  centroids=K     the node
//     alpha= leaf= fan= per_leaf= reservoir= sample= seed=      the build
//     page_ns=N       cost of a page access, added per hop (measured in the server: see src/README.md)
//     entries=N       centroid entry nodes that a search starts from
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>

#include "bench/dataset.hpp"
#include "vecidx/bulk_build.hpp"
#include "vecidx/codebook.hpp"
#include "vecidx/memory_graph.hpp"
#include "vecidx/search.hpp"
#include "vecidx/space.hpp"

namespace {

using namespace vecidx;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Options {
    std::map<std::string, std::string> values;

    double number(const std::string& key, double fallback) const {
        const auto at = values.find(key);
        return at == values.end() ? fallback : std::atof(at->second.c_str());
    }
    std::size_t count(const std::string& key, std::size_t fallback) const {
        return static_cast<std::size_t>(number(key, static_cast<double>(fallback)));
    }
};

Metric metric_of(const std::string& name) {
    if (name == "l2") return Metric::kL2;
    if (name == "cosine") return Metric::kCosine;
    if (name == "ip") return Metric::kInnerProduct;
    bench::fail("unknown metric " + name);
}

// The base vectors as a build holds them: embedded, relative to their mean, in halves.
struct Embedded {
    std::vector<std::byte> data;
    std::vector<float> units, mean, direction;
    std::vector<double> norms;
    double max_norm = 0;
    VectorArray array{};

    Embedded(const Space& space, const bench::Matrix<float>& base, std::size_t rows) {
        const std::size_t width = stored_bytes(OwnFormat::kF16, space.padded);
        data.resize(rows * width);
        units.resize(rows);
        norms.resize(rows);
        mean.resize(space.padded);
        direction.resize(space.padded);
        std::vector<float> y(space.padded);
        space.lift_direction(direction.data());
        for (std::size_t i = 0; i < rows; ++i) {
            norms[i] = space.embed(base.row(i), y.data());
            max_norm = std::max(max_norm, norms[i]);
            units[i] = store_vector(OwnFormat::kF16, y.data(), space.padded, data.data() + i * width);
        }
        array = {data.data(), units.data(), rows, space.padded, OwnFormat::kF16};
        Random random(1);
        if (space.metric == Metric::kInnerProduct) shift(space);
        sample_mean(array, random, std::pmr::get_default_resource(), mean.data());
        std::fill(direction.begin(), direction.end(), 0.0f);
        shift(space);
    }

    // Lifts and moves every vector to the mean.
    void shift(const Space& space) {
        const std::size_t width = stored_bytes(OwnFormat::kF16, space.padded);
        std::vector<float> y(space.padded);
        for (std::size_t i = 0; i < array.count; ++i) {
            load_vector(array[i], space.padded, y.data());
            space.lift(y.data(), norms[i], max_norm, direction.data());
            for (std::size_t d = 0; d < space.padded; ++d) y[d] -= mean[d];
            units[i] = store_vector(OwnFormat::kF16, y.data(), space.padded, data.data() + i * width);
        }
    }
};

// Squared distance of the 10th neighbour of each query in the embedded space: a result at most as far is
// right.
std::vector<float> true_tenth(const VectorArray& base, const std::vector<float>& queries, std::size_t count) {
    std::vector<float> tenth(count);
    for (std::size_t i = 0; i < count; ++i) {
        std::vector<float> d(base.count);
        for (std::size_t j = 0; j < base.count; ++j)
            d[j] = l2_squared(kernels(), queries.data() + i * base.padded, base[j], base.padded);
        std::nth_element(d.begin(), d.begin() + 9, d.end());
        tenth[i] = d[9] * (1 + 1e-5f);
    }
    return tenth;
}

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

struct Run {
    double recall = 0, hops = 0, rate = 0, visited = 0;
};

class Bench {
  public:
    Bench(const bench::Dataset& set, const Options& options)
        : options_(options), space_(metric_of(set.metric), set.base.dims) {
        const std::size_t rows = std::min(set.base.rows, options.count("rows", set.base.rows));
        base_ = std::make_unique<Embedded>(space_, set.base, rows);
        query_count_ = std::min<std::size_t>(set.queries.rows, options.count("queries", 1000));
        queries_.resize(query_count_ * space_.padded);
        for (std::size_t i = 0; i < query_count_; ++i) {
            float* q = queries_.data() + i * space_.padded;
            embed_query(space_, set.queries.row(i), base_->max_norm, q);
            for (std::size_t d = 0; d < space_.padded; ++d) q[d] -= base_->mean[d];
        }
        tenth_ = true_tenth(base_->array, queries_, query_count_);
    }

    void run() {
        build();
        std::printf("%6s %8s %8s %8s %10s %12s\n", "L", "recall", "hops", "visited", "queries/s",
                    "with pages");
        std::vector<Run> runs;
        for (const std::size_t list : {10, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024}) {
            const Run r = measure(list);
            std::printf("%6zu %8.4f %8.1f %8.0f %10.0f %12.0f\n", list, r.recall, r.hops, r.visited, r.rate,
                        with_pages(r));
            std::fflush(stdout);
            runs.push_back(r);
            if (r.recall > 0.995) break;
        }
        for (const double target : {0.90, 0.95, 0.99}) summarize(runs, target);
    }

  private:
    double with_pages(const Run& r) const {
        return 1 / (1 / r.rate + r.hops * options_.number("page_ns", 300) * 1e-9);
    }

    // Interpolates hops and time between the list sizes around a recall.
    void summarize(const std::vector<Run>& runs, double target) const {
        for (std::size_t i = 0; i < runs.size(); ++i) {
            if (runs[i].recall < target) continue;
            const Run& b = runs[i];
            const Run& a = runs[i > 0 ? i - 1 : 0];
            const double w =
                b.recall > a.recall ? std::clamp((target - a.recall) / (b.recall - a.recall), 0.0, 1.0) : 1;
            const double time = (1 - w) / a.rate + w / b.rate,
                         paged = (1 - w) / with_pages(a) + w / with_pages(b);
            std::printf("at %.2f: %7.0f queries/s, %7.0f with pages, %6.1f hops\n", target, 1 / time,
                        1 / paged, (1 - w) * a.hops + w * b.hops);
            return;
        }
        std::printf("at %.2f: never\n", target);
    }

    void build() {
        std::pmr::memory_resource* memory = std::pmr::get_default_resource();
        const VectorArray& base = base_->array;
        LayoutWish wish{space_.padded, options_.count("degree", 0),
                        static_cast<unsigned>(options_.count("bits", 0))};
        layout_ = choose_layout(wish, 8152);
        const bool own = options_.values.contains("own");
        if (own) {
            const OwnFormat format = options_.values.at("own") == "i8" ? OwnFormat::kI8 : OwnFormat::kF16;
            layout_ = NodeLayout::make(layout_.padded, layout_.code_dims, layout_.bits, layout_.degree,
                                       format, OwnPlace::kInline);
        }
        BulkParams params;
        params.degree = layout_.degree;
        params.alpha = static_cast<float>(options_.number("alpha", params.alpha));
        params.leaf_size = options_.count("leaf", params.leaf_size);
        params.fan_out = options_.count("fan", params.fan_out);
        params.per_leaf = options_.count("per_leaf", params.per_leaf);
        params.reservoir = std::max(options_.count("reservoir", params.reservoir), params.degree);
        params.sample_ratio = options_.count("sample", params.sample_ratio);
        params.seed = options_.count("seed", params.seed);
        BulkGraph graph(memory);
        const auto start = Clock::now();
        timings_.start = start;
        bulk_build(base, params, memory, {&Bench::on_progress, this}, graph);
        const double build_seconds = seconds_since(start);
        finish_phase();

        const auto train_start = Clock::now();
        Random random(7);
        const std::size_t wanted = options_.count("centroids", default_centroid_count(base.count));
        centroids_.resize(wanted * space_.padded);
        book_.padded = space_.padded;
        book_.code_dims = layout_.code_dims;
        book_.bits = layout_.bits;
        book_.centroids = centroids_.data();
        book_.centroid_count = train_centroids(base, wanted, random, memory, centroids_.data());
        book_.rescale_unit = choose_rescale_unit(book_, base, random, memory);
        const double train_seconds = seconds_since(train_start);
        const auto fill_start = Clock::now();
        graph_ = std::make_unique<MemoryGraph>(layout_, base.count, memory);
        graph_->fill(base, book_, graph.edges);
        const double fill_seconds = seconds_since(fill_start);
        entries_ = centroid_entries(book_, base);
        medoid_ = graph.medoid;

        double edges = 0;
        for (std::size_t i = 0; i < base.count; ++i) edges += static_cast<double>(graph.edges.of(i).size());
        std::printf(
            "%zu rows x %zu, node %u bytes (%u a page), R %u, %u bits, own %s, K %zu, mean degree %.1f, simd "
            "%s\n",
            base.count, space_.dims, layout_.size, 8152 / layout_.size, layout_.degree, layout_.bits,
            layout_.own_format == OwnFormat::kF16 ? "f16" : "i8", book_.centroid_count,
            edges / static_cast<double>(base.count), kernels().name);
        std::printf("graph %.2f s = %.0f rows/s; train %.2f s; encode and fill %.2f s\n", build_seconds,
                    static_cast<double>(base.count) / build_seconds, train_seconds, fill_seconds);
        for (const auto& [phase, spent] : timings_.spent) std::printf("  phase %d %.2f s", phase, spent);
        std::printf("\n");
    }

    static void on_progress(void* context, Phase phase, std::size_t, std::size_t) {
        auto* self = static_cast<Bench*>(context);
        if (static_cast<int>(phase) == self->timings_.phase) return;
        self->finish_phase();
        self->timings_.phase = static_cast<int>(phase);
    }
    void finish_phase() {
        timings_.spent[timings_.phase] += seconds_since(timings_.start);
        timings_.start = Clock::now();
    }

    Run measure(std::size_t list) {
        std::pmr::memory_resource* memory = std::pmr::get_default_resource();
        Beam beam(memory, list);
        QueryCode code(memory);
        std::vector<float> estimates(round_up<std::size_t>(layout_.degree, kBlockLanes));
        Run best;
        for (int repeat = 0; repeat < 3; ++repeat) {
            Run r;
            const auto start = Clock::now();
            for (std::size_t i = 0; i < query_count_; ++i) one_query(i, list, beam, code, estimates, r);
            r.rate = static_cast<double>(query_count_) / seconds_since(start);
            if (r.rate > best.rate) best = r;
        }
        const auto n = static_cast<double>(query_count_);
        best.recall /= 10 * n;
        best.hops /= n;
        best.visited /= n;
        return best;
    }

    void one_query(std::size_t i, std::size_t list, Beam& beam, QueryCode& code,
                   std::vector<float>& estimates, Run& r) {
        const float* q = queries_.data() + i * space_.padded;
        code.prepare(book_, q);
        beam.reset(list);
        graph_->begin({q, &code.table(), estimates.data()});
        offer_entries(code, beam);
        r.hops += static_cast<double>(best_first_search(*graph_, beam, [] {}));
        r.visited += static_cast<double>(beam.visited());
        const auto results = graph_->results();
        for (std::size_t k = 0; k < std::min<std::size_t>(10, results.size()); ++k)
            if (results[k].distance <= tenth_[i]) r.recall += 1;
    }

    void offer_entries(const QueryCode& code, Beam& beam) {
        const std::size_t wanted = options_.count("entries", 1);
        if (wanted == 0) return beam.offer(medoid_, 0);
        std::vector<Neighbor> near;
        for (NodeId c = 0; c < book_.centroid_count; ++c) near.push_back({code.centroid_distances()[c], c});
        std::sort(near.begin(), near.end());
        for (std::size_t j = 0; j < std::min(wanted, near.size()); ++j)
            beam.offer(entries_[near[j].id], near[j].distance);
    }

    struct Timings {
        Clock::time_point start;
        int phase = -1;
        std::map<int, double> spent;
    };

    const Options& options_;
    Space space_;
    std::unique_ptr<Embedded> base_;
    std::size_t query_count_ = 0;
    std::vector<float> queries_, tenth_;
    NodeLayout layout_{};
    Codebook book_;
    std::vector<float> centroids_;
    std::unique_ptr<MemoryGraph> graph_;
    std::vector<NodeId> entries_;
    NodeId medoid_ = 0;
    Timings timings_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) bench::fail("usage: graph DATA [key=value ...]");
    Options options;
    for (int i = 2; i < argc; ++i) {
        const std::string word = argv[i];
        const std::size_t equals = word.find('=');
        if (equals == std::string::npos) bench::fail("not key=value: " + word);
        options.values[word.substr(0, equals)] = word.substr(equals + 1);
    }
    const bench::Dataset set = bench::read_dataset(argv[1]);
    std::printf("== %s\n", set.name.c_str());
    Bench(set, options).run();
    return 0;
}

// The builds that bench/graph measures: the bulk build by a team of threads, with the time of each phase and
// what of it the threads waited for each other; or the Vamana baseline.
#pragma once

#include <array>
#include <atomic>
#include <barrier>
#include <chrono>
#include <mutex>
#include <thread>

#include "bench/graph_vamana.hpp"

namespace bench {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

inline std::pmr::memory_resource* heap() {
    return std::pmr::get_default_resource();
}

// What the stages of a build take. A stage lasts until any thread reports a later one, so what is between two
// (a leader's serial work) counts for the first.
class StageTimes {
  public:
    enum Stage { kStart, kFirstPhase, kCopy = kFirstPhase + static_cast<int>(Phase::kConnect) + 1, kStages };

    static void on_progress(void* times, Phase phase, std::size_t, std::size_t) {
        static_cast<StageTimes*>(times)->enter(kFirstPhase + static_cast<int>(phase));
    }
    void enter(int stage) {
        if (stage <= stage_.load(std::memory_order_relaxed)) return;
        const std::lock_guard lock(mutex_);
        if (stage > stage_) end_stage(stage);
    }
    void add_wait(int stage, double seconds) {
        const std::lock_guard lock(mutex_);
        waited_[static_cast<std::size_t>(stage)] += seconds;
    }
    int stage() const { return stage_; }

    void finish() { end_stage(kStages); }

    void print() const {
        double waited = 0;
        for (std::size_t i = 0; i < kStages; ++i) {
            std::printf(" %s %.2f s", kNames[i], spent_[i]);
            waited += waited_[i];
        }
        std::printf("; waiting %.2f s", waited);
        const char* before = " (";
        for (std::size_t i = 0; i < kStages; ++i) {
            if (waited_[i] < 0.005) continue;
            std::printf("%s%s %.2f", before, kNames[i], waited_[i]);
            before = ", ";
        }
        std::printf("%s", before[0] == ',' ? ")" : "");
    }

  private:
    static constexpr std::array<const char*, kStages> kNames = {"start", "partition", "skeleton", "leaves",
                                                                "prune", "reverse",   "connect",  "copy"};

    void end_stage(int next) {
        spent_[static_cast<std::size_t>(stage_.load())] += seconds_since(stage_start_);
        stage_start_ = Clock::now();
        stage_ = next;
    }

    std::mutex mutex_;
    std::atomic<int> stage_ = kStart;
    Clock::time_point stage_start_ = Clock::now();
    std::array<double, kStages> spent_{}, waited_{};
};

// Where the threads of a team meet; their waiting is measured.
struct MeetingPoint {
    static void wait(void* context) {
        auto* self = static_cast<MeetingPoint*>(context);
        const auto start = Clock::now();
        const int stage = self->times.stage();
        self->barrier.arrive_and_wait();
        self->times.add_wait(stage, seconds_since(start));
    }
    std::barrier<> barrier;
    StageTimes& times;
};

// As bulk_build, by any number of threads.
inline void bulk_build_by(unsigned threads, const VectorArray& vectors, const BulkParams& params,
                          StageTimes& times, BulkGraph& graph) {
    struct alignas(64) Line {
        std::byte bytes[64];
    };
    const std::size_t bytes = BulkBuild::bytes_for(vectors.count, vectors, params, heap());
    std::vector<Line> block(ceil_div(bytes, sizeof(Line)));
    MeetingPoint point{std::barrier<>(threads), times};
    const auto work = [&](unsigned worker) {
        Arena arena(block.data());
        const Team team{worker, threads, MeetingPoint::wait, &point};
        Window window(heap());
        const Progress progress{StageTimes::on_progress, &times};
        BulkBuild build({vectors, nullptr, vectors.count}, params, arena, team, window, heap(), progress);
        build.partition();
        build.link();
        if (!team.leads()) return;
        times.enter(StageTimes::kCopy);
        copy_graph(build, heap(), graph);
    };
    std::vector<std::thread> others;
    for (unsigned worker = 1; worker < threads; ++worker) others.emplace_back(work, worker);
    work(0);
    for (std::thread& other : others) other.join();
}

inline BulkParams bulk_params(const Options& options, std::size_t degree) {
    BulkParams p;
    p.degree = degree;
    p.alpha = static_cast<float>(options.number("alpha", p.alpha));
    p.leaf_size = options.count("leaf", p.leaf_size);
    p.fan_out = options.count("fan", p.fan_out);
    p.per_leaf = options.count("per_leaf", p.per_leaf);
    p.candidates = options.count("candidates", p.candidates);
    p.sample_ratio = options.count("sample", p.sample_ratio);
    p.seed = options.count("seed", p.seed);
    return p;
}

// Rows to which no path leads from the medoid.
inline std::size_t count_unreached(const BulkGraph& graph) {
    std::vector<bool> reached(graph.edges.rows());
    std::vector<NodeId> order = {graph.medoid};
    reached[graph.medoid] = true;
    for (std::size_t at = 0; at < order.size(); ++at) {
        for (const Neighbor& n : graph.edges.of(order[at])) {
            if (!reached[n.id]) order.push_back(n.id);
            reached[n.id] = true;
        }
    }
    return reached.size() - order.size();
}

// A build as the options choose it, printed with what it takes.
class TimedBuild {
  public:
    TimedBuild(const Options& options, std::size_t degree)
        : key_(key_of(options, degree)), params_(bulk_params(options, degree)), options_(options) {}

    void run(const VectorArray& base) {
        StageTimes times;
        const auto start = Clock::now();
        const std::string name = options_.text("build", "bulk");
        const bool vamana = name == "vamana";
        const std::size_t appended = options_.count("append", 0);
        if (!vamana && name != "bulk") fail("unknown build " + name);
        if (vamana)
            build_vamana(base);
        else if (appended > 0)
            build_and_append(base, appended, times);
        else
            bulk_build_by(static_cast<unsigned>(options_.count("threads", 1)), base, params_, times, graph_);
        const double seconds = seconds_since(start);
        times.finish();
        double edges = 0;
        for (std::size_t i = 0; i < base.count; ++i) edges += static_cast<double>(graph_.edges.of(i).size());
        const auto rows = static_cast<double>(base.count);
        std::printf("%s graph of %zu rows, R %zu: mean degree %.1f, %zu not reached, %.2f s = %.0f rows/s;",
                    name.c_str(), base.count, params_.degree, edges / rows, count_unreached(graph_), seconds,
                    rows / seconds);
        if (!vamana) times.print();
        std::printf("\n");
    }

    const BulkGraph& graph() const { return graph_; }
    bool made_with(const Options& options, std::size_t degree) const {
        return key_ == key_of(options, degree);
    }

  private:
    static std::string key_of(const Options& options, std::size_t degree) {
        std::string key = std::to_string(degree);
        for (const char* name : {"build", "threads", "list", "prune", "alpha", "leaf", "fan", "per_leaf",
                                 "candidates", "sample", "seed", "append"}) {
            key += ' ';
            key += options.text(name, "");
        }
        return key;
    }
    void build_and_append(const VectorArray& base, std::size_t appended, StageTimes& times) {
        VectorArray first = base;
        first.count -= std::min(appended, base.count);
        BulkGraph old(heap());
        bulk_build(first, params_, heap(), {[](void*, Phase, std::size_t, std::size_t) {}, nullptr}, old);
        const auto start = Clock::now();
        bulk_append(base, old, params_, heap(), {StageTimes::on_progress, &times}, graph_);
        const double seconds = seconds_since(start);
        std::printf("appended %zu rows to %zu: %.2f s = %.0f rows/s\n", appended, first.count, seconds,
                    static_cast<double>(appended) / seconds);
    }
    void build_vamana(const VectorArray& base) {
        VamanaParams p{{params_.alpha, params_.degree}};
        p.exact = options_.text("prune", "") == "exact";
        p.list = options_.count("list", p.list);
        p.seed = params_.seed;
        VamanaBuild(base, p).run(graph_);
    }

    std::string key_;
    BulkParams params_;
    const Options& options_;
    BulkGraph graph_{heap()};
};

}  // namespace bench

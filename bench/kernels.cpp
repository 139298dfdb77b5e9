// Times every kernel on every SIMD level of this machine and prints one small table per kernel: nanoseconds
// a call and, in brackets, GB/s of stored data read (GOP/s for dot_tile, two operations a multiply-add).
// Stand-alone: link it with src/simd. Data stay in the first-level cache, except dot_tile's larger tiles.
#include "vecidx/kernels.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

namespace vecidx {
namespace {

constexpr std::size_t kDims[] = {112, 128, 768, 1536};  // 100 dimensions are padded to 112
constexpr std::size_t kMaxDims = 1536;
constexpr std::size_t kBlocks = 4;  // R = 64
constexpr std::size_t kTileRows = 192;

double seconds_now() {
    using Clock = std::chrono::steady_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

// Nanoseconds a call: the best of several runs of about two milliseconds each.
template <typename Call>
double time_call(Call call) {
    std::size_t calls = 1;
    double best = 0;
    for (int run = 0; run < 8;) {
        const double start = seconds_now();
        for (std::size_t i = 0; i < calls; ++i) call();
        const double elapsed = seconds_now() - start;
        if (elapsed < 1e-3 && run == 0) {
            calls *= 2;
            continue;
        }
        const double each = elapsed / static_cast<double>(calls) * 1e9;
        best = run == 0 ? each : std::min(best, each);
        ++run;
    }
    return best;
}

// Inputs of all kernels; the values do not matter for the speed.
struct Data {
    std::vector<float> a = std::vector<float>(kMaxDims, 0.5f);
    std::vector<float> b = std::vector<float>(kMaxDims, 0.25f);
    std::vector<float> floats = std::vector<float>(kMaxDims);
    std::vector<f16> halves = std::vector<f16>(kMaxDims, 0x3c00);
    std::vector<std::int8_t> bytes = std::vector<std::int8_t>(kMaxDims, 3);

    std::vector<std::uint8_t> codes = std::vector<std::uint8_t>(kBlocks * 2 * kMaxDims * 2, 0x5a);
    std::vector<std::uint8_t> table = std::vector<std::uint8_t>(kMaxDims * 2, 77);
    std::vector<float> add = std::vector<float>(kBlocks * kBlockLanes, 1.0f);
    std::vector<f16> rescale = std::vector<f16>(kBlocks * kBlockLanes, 0x3c00);
    std::vector<std::uint8_t> centroid = std::vector<std::uint8_t>(kBlocks * kBlockLanes, 5);
    std::vector<float> term = std::vector<float>(256, 1.0f);
    std::vector<float> estimates = std::vector<float>(kBlocks * kBlockLanes);

    std::vector<std::uint8_t> rows = std::vector<std::uint8_t>(kTileRows * kMaxDims, 130);
    std::vector<std::int8_t> panels = std::vector<std::int8_t>(kTileRows * kMaxDims, 2);
    std::vector<std::int32_t> bias = std::vector<std::int32_t>(kTileRows);
    std::vector<std::int32_t> out = std::vector<std::int32_t>(kTileRows * kTileRows);

    CodeBlocks edges() const { return {codes.data(), add.data(), rescale.data(), centroid.data(), kBlocks}; }
    QueryTable query(std::size_t dims, unsigned bits) const {
        return {table.data(), table.data(), term.data(), dims, bits, 0.5f, 1.0f, 1.0f};
    }
    Tile tile(std::size_t dims) const { return {rows.data(), panels.data(), bias.data(), dims}; }
};

volatile float sink;

// A kernel to time: one call at `dims` dimensions, and how many bytes (or operations) that call is worth.
struct Subject {
    const char* name;
    void (*call)(const Kernels& k, Data& data, std::size_t dims);
    double (*work)(std::size_t dims);
};

template <std::size_t kBytes>
double bytes_per_dim(std::size_t dims) {
    return static_cast<double>(kBytes * dims);
}

template <std::size_t kBits>
double code_bytes(std::size_t dims) {
    return static_cast<double>(kBlocks * kBlockLanes * kBits * dims) / 8;
}

template <unsigned kBits>
void call_scan(const Kernels& k, Data& data, std::size_t dims) {
    k.scan(data.edges(), data.query(dims, kBits), data.estimates.data());
}

double tile_operations(std::size_t dims) {
    return 2.0 * static_cast<double>(kTileRows * kTileRows * dims);
}

void call_tile(const Kernels& k, Data& data, std::size_t dims) {
    const Tile tile = data.tile(dims);
    k.dot_tile(tile, 0, kTileRows, tile, kTileRows / 16, data.out.data(), kTileRows);
}

const Subject kSubjects[] = {
    {"l2_squared",
     [](const Kernels& k, Data& d, std::size_t n) { sink = k.l2_squared(d.a.data(), d.b.data(), n); },
     bytes_per_dim<8>},
    {"inner_product",
     [](const Kernels& k, Data& d, std::size_t n) { sink = k.inner_product(d.a.data(), d.b.data(), n); },
     bytes_per_dim<8>},
    {"l1", [](const Kernels& k, Data& d, std::size_t n) { sink = k.l1(d.a.data(), d.b.data(), n); },
     bytes_per_dim<8>},
    {"dot_norms",
     [](const Kernels& k, Data& d, std::size_t n) { sink = k.dot_norms(d.a.data(), d.b.data(), n).norm_b; },
     bytes_per_dim<8>},
    {"l2_squared_f16",
     [](const Kernels& k, Data& d, std::size_t n) {
         sink = k.l2_squared_f16(d.a.data(), d.halves.data(), 0.5f, n);
     },
     bytes_per_dim<2>},
    {"l1_f16",
     [](const Kernels& k, Data& d, std::size_t n) { sink = k.l1_f16(d.a.data(), d.halves.data(), 0.5f, n); },
     bytes_per_dim<2>},
    {"l2_squared_i8",
     [](const Kernels& k, Data& d, std::size_t n) {
         sink = k.l2_squared_i8(d.a.data(), d.bytes.data(), 0.5f, n);
     },
     bytes_per_dim<1>},
    {"l1_i8",
     [](const Kernels& k, Data& d, std::size_t n) { sink = k.l1_i8(d.a.data(), d.bytes.data(), 0.5f, n); },
     bytes_per_dim<1>},
    {"to_f16", [](const Kernels& k, Data& d, std::size_t n) { k.to_f16(d.a.data(), d.halves.data(), n); },
     bytes_per_dim<4>},
    {"from_f16",
     [](const Kernels& k, Data& d, std::size_t n) { k.from_f16(d.halves.data(), d.floats.data(), n); },
     bytes_per_dim<2>},
    {"scan, 64 lanes, 1 bit", call_scan<1>, code_bytes<1>},
    {"scan, 64 lanes, 2 bits", call_scan<2>, code_bytes<2>},
    {"dot_tile, 192 x 192", call_tile, tile_operations},
};

void print_rows(const Subject& subject, Data& data) {
    for (SimdLevel level :
         {SimdLevel::kScalar, SimdLevel::kSse2, SimdLevel::kNeon, SimdLevel::kAvx2, SimdLevel::kAvx512}) {
        const Kernels* k = kernels_of(level);
        if (k == nullptr) continue;
        std::printf("%-24s%-8s", subject.name, k->name);
        for (std::size_t dims : kDims) {
            const double ns = time_call([&] { subject.call(*k, data, dims); });
            std::printf("%12.1f (%6.1f)", ns, subject.work(dims) / ns);
        }
        std::printf("\n");
    }
}

}  // namespace
}  // namespace vecidx

int main() {
    using namespace vecidx;
    std::printf("ns a call (GB/s of stored data; dot_tile: GOP/s)\n%-32s", "dimensions");
    for (std::size_t dims : kDims) std::printf("%12zu%9s", dims, "");
    std::printf("\n");
    Data data;
    for (const Subject& subject : kSubjects) print_rows(subject, data);
    return 0;
}

// Writes made-up vectors with the structure of real embeddings to standard output, as fvecs.
//
//   generate ROWS DIMS SEED base|query
//
// The model: a mixture of 2,000 Gaussian clusters whose sizes follow a power law (weight of rank r: 1 / (r +
// 8)). Centres lie on a curved manifold: 12 latent coordinates, mapped by a random linear map and by sines of
// another. Each cluster spreads along 24 directions of its own, with decaying scales, plus a little noise in
// all dimensions; so the local intrinsic dimension is near 20 whatever DIMS is, and neighbouring clusters
// overlap. A row depends on the seed and its number alone; queries are rows of the same model that are not in
// the base.
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <numbers>
#include <vector>

namespace {

constexpr std::size_t kClusters = 2000;
constexpr std::size_t kLatent = 12;
constexpr std::size_t kDirections = 24;  // per cluster
constexpr std::size_t kPool = 512;       // directions in all
constexpr float kSpread = 0.9f;          // of a cluster, relative to that of the centres
constexpr float kNoise = 0.02f;
constexpr std::uint64_t kFirstQuery = std::uint64_t{1} << 40;

// splitmix64; independent streams for different (seed, stream).
class Random {
  public:
    Random(std::uint64_t seed, std::uint64_t stream) : state_(seed * 0x9e3779b97f4a7c15u ^ mix(stream)) {}

    std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15u); }
    double uniform() { return static_cast<double>((next() >> 11) + 1) / 9007199254740993.0; }  // (0, 1)
    float normal() {
        const double radius = std::sqrt(-2 * std::log(uniform()));
        return static_cast<float>(radius * std::cos(2 * std::numbers::pi * uniform()));
    }

  private:
    static std::uint64_t mix(std::uint64_t z) {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

class Model {
  public:
    Model(std::size_t dims, std::uint64_t seed);

    // Row `number` into `row`, of dims values.
    void draw(std::uint64_t number, float* row) const;

  private:
    std::size_t cluster_of(double share) const;

    std::size_t dims_;
    std::uint64_t seed_;
    std::vector<float> pool_;           // kPool unit directions
    std::vector<float> centers_;        // kClusters x dims
    std::vector<double> share_;         // cumulative weights of the clusters, up to 1
    std::vector<std::uint32_t> picks_;  // kClusters x kDirections, into the pool
    std::vector<float> scales_;         // kClusters x kDirections
};

Model::Model(std::size_t dims, std::uint64_t seed)
    : dims_(dims),
      seed_(seed),
      pool_(kPool * dims),
      centers_(kClusters * dims),
      share_(kClusters),
      picks_(kClusters * kDirections),
      scales_(kClusters * kDirections) {
    Random random(seed, 1);
    const float unit = 1 / std::sqrt(static_cast<float>(dims));
    for (float& value : pool_) value = random.normal() * unit;

    std::vector<float> linear(dims * kLatent);
    std::vector<float> curved(dims * kLatent);
    for (float& value : linear) value = random.normal() * unit;
    for (float& value : curved) value = random.normal();

    double total = 0;
    for (std::size_t c = 0; c < kClusters; c++) {
        float latent[kLatent];
        for (float& value : latent) value = random.normal();
        for (std::size_t d = 0; d < dims; d++) {
            float straight = 0;
            float angle = 0;
            for (std::size_t j = 0; j < kLatent; j++) {
                straight += linear[d * kLatent + j] * latent[j];
                angle += curved[d * kLatent + j] * latent[j];
            }
            centers_[c * dims + d] = straight + unit * std::sin(angle / 2);
        }
        const float size = kSpread * std::exp(0.3f * random.normal());
        for (std::size_t j = 0; j < kDirections; j++) {
            picks_[c * kDirections + j] = static_cast<std::uint32_t>(random.next() % kPool);
            scales_[c * kDirections + j] = size / std::sqrt(1 + static_cast<float>(j) / 10);
        }
        share_[c] = total += 1 / static_cast<double>(c + 8);
    }
    for (double& share : share_) share /= total;
}

std::size_t Model::cluster_of(double share) const {
    std::size_t low = 0;
    std::size_t high = kClusters - 1;
    while (low < high) {
        const std::size_t middle = (low + high) / 2;
        if (share_[middle] < share) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void Model::draw(std::uint64_t number, float* row) const {
    Random random(seed_, number + 2);
    const std::size_t c = cluster_of(random.uniform());
    const float noise = kNoise / std::sqrt(static_cast<float>(dims_) / 128);
    for (std::size_t d = 0; d < dims_; d++) row[d] = centers_[c * dims_ + d] + noise * random.normal();
    for (std::size_t j = 0; j < kDirections; j++) {
        const float* direction = &pool_[picks_[c * kDirections + j] * dims_];
        const float length = scales_[c * kDirections + j] * random.normal();
        for (std::size_t d = 0; d < dims_; d++) row[d] += length * direction[d];
    }
}

bool parse(const char* text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
    return error == std::errc{} && *end == '\0';
}

}  // namespace

int main(int argc, char** argv) {
    std::uint64_t rows, dims, seed;
    if (argc != 5 || !parse(argv[1], rows) || !parse(argv[2], dims) || !parse(argv[3], seed) || dims == 0) {
        std::fprintf(stderr, "usage: generate ROWS DIMS SEED base|query\n");
        return 2;
    }
    const std::uint64_t first = std::strcmp(argv[4], "query") == 0 ? kFirstQuery : 0;
    const Model model(dims, seed);
    const auto header = static_cast<std::int32_t>(dims);
    std::vector<float> row(dims);
    for (std::uint64_t i = 0; i < rows; i++) {
        model.draw(first + i, row.data());
        std::fwrite(&header, sizeof header, 1, stdout);
        std::fwrite(row.data(), sizeof(float), dims, stdout);
    }
    return std::fflush(stdout) == 0 ? 0 : 1;
}

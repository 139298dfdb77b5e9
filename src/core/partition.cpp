// Partitioning into cells and leaves. See partition.hpp.
#include "vecidx/partition.hpp"

#include <algorithm>
#include <numeric>

#include "vecidx/build_level.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kRowBlock = 8;
constexpr std::size_t kGatherRows = 256;

class Halving {
  public:
    Halving(const VectorArray& vectors, std::span<const std::uint32_t> leaders,
            std::pmr::memory_resource* memory)
        : tile_(memory), order_(leaders.size(), memory), from_a_(memory), from_b_(memory), keys_(memory) {
        tile_.pack_around_mean(vectors, leaders);
        std::iota(order_.begin(), order_.end(), 0u);
        from_a_.resize(tile_.panel_count() * kBlockLanes);
        from_b_.resize(from_a_.size());
        keys_.resize(from_a_.size());
    }

    std::span<const std::uint32_t> run() {
        halve(order_);
        return order_;
    }

  private:
    // Distances from one to all, less a constant.
    void measure(std::size_t from, std::pmr::vector<std::int32_t>& keys) {
        kernels().dot_tile(tile_.tile(), from, 1, tile_.tile(), tile_.panel_count(), keys.data(),
                           keys.size());
        for (std::size_t i = 0; i < tile_.size(); ++i) keys[i] = tile_.norms()[i] - 2 * keys[i];
    }

    std::uint32_t farthest(std::span<const std::uint32_t> some,
                           const std::pmr::vector<std::int32_t>& keys) const {
        return *std::max_element(some.begin(), some.end(),
                                 [&](std::uint32_t x, std::uint32_t y) { return keys[x] < keys[y]; });
    }

    void halve(std::span<std::uint32_t> some) {
        if (some.size() < 3) return;
        measure(some[0], from_a_);
        const std::uint32_t a = farthest(some, from_a_);
        measure(a, from_a_);
        measure(farthest(some, from_a_), from_b_);
        for (const std::uint32_t i : some) keys_[i] = from_a_[i] - from_b_[i];
        const std::size_t half = some.size() / 2;
        std::nth_element(some.begin(), some.begin() + static_cast<std::ptrdiff_t>(half), some.end(),
                         [&](std::uint32_t x, std::uint32_t y) {
                             return keys_[x] != keys_[y] ? keys_[x] < keys_[y] : x < y;
                         });
        halve(some.first(half));
        halve(some.subspan(half));
    }

    PackedTile tile_;
    std::pmr::vector<std::uint32_t> order_;
    std::pmr::vector<std::int32_t> from_a_, from_b_, keys_;
};

}  // namespace

void put_near_together(const VectorArray& vectors, std::span<std::uint32_t> leaders,
                       std::pmr::memory_resource* memory) {
    const std::pmr::vector<std::uint32_t> before(leaders.begin(), leaders.end(), memory);
    Halving halving(vectors, before, memory);
    const std::span<const std::uint32_t> order = halving.run();
    std::transform(order.begin(), order.end(), leaders.begin(), [&](std::uint32_t i) { return before[i]; });
}

std::size_t leader_count(std::size_t rows, std::size_t fan_out, std::size_t leaf_size, std::size_t most) {
    return std::clamp(2 * rows * fan_out / leaf_size, 2 * fan_out, std::min(most, rows));
}

void Leaders::assign(const VectorArray& vectors, std::span<const std::uint32_t> rows, std::size_t fan_out,
                     std::uint16_t* choices) {
    chunk_.pack_in_frame_of(tile_, vectors, rows);
    const Kernels& k = kernels();
    const std::size_t width = tile_.panel_count() * kBlockLanes;
    dots_.resize(kRowBlock * width);
    for (std::size_t first = 0; first < rows.size(); first += kRowBlock) {
        const std::size_t count = std::min(kRowBlock, rows.size() - first);
        k.dot_tile(chunk_.tile(), first, count, tile_.tile(), tile_.panel_count(), dots_.data(), width);
        for (std::size_t i = 0; i < count; ++i) {
            nearest_.select(dots_.data() + i * width, tile_.norms(), tile_.size(), fan_out, kNoSelf);
            for (std::size_t j = 0; j < fan_out; ++j)
                choices[(first + i) * fan_out + j] = static_cast<std::uint16_t>(nearest_.index(j));
        }
    }
}

// The nearest leader of each row, to choices_.
void CellSplitter::assign(std::span<const std::uint32_t> rows) {
    choices_.resize(rows.size());
    for (std::size_t at = 0; at < rows.size(); at += kGatherRows) {
        const std::size_t count = std::min(kGatherRows, rows.size() - at);
        vectors_.gather(level_.vectors(), rows.subspan(at, count), window_);
        leaders_.assign(vectors_.array(), vectors_.members(), 1, choices_.data() + at);
    }
}

void CellSplitter::part(std::span<std::uint32_t> members, Random& random,
                        std::pmr::vector<std::size_t>& ends) {
    const std::size_t most = level_.params.leaf_size;
    std::pmr::vector<std::uint32_t> rows(members.begin(), members.end(), memory_);
    for (std::uint32_t& row : rows) row >>= level_.choice_bits();
    const std::size_t count = leader_count(rows.size(), 1, most, most);
    chosen_ = rows;
    random.sample_front(chosen_, count);
    chosen_.resize(count);
    vectors_.gather(level_.vectors(), chosen_, window_);
    leaders_.set(vectors_.array(), vectors_.members());
    assign(rows);

    const std::pmr::vector<std::uint32_t> before(members.begin(), members.end(), memory_);
    std::pmr::vector<std::size_t> at(count + 1, 0, memory_);
    for (const std::uint16_t c : choices_) ++at[c + 1];
    std::partial_sum(at.begin(), at.end(), at.begin());
    for (std::size_t i = 0; i < before.size(); ++i) members[at[choices_[i]]++] = before[i];
    ends.assign(at.begin(), at.end() - 1);
}

}  // namespace vecidx

// Partitioning into cells and leaves. See partition.hpp.
#include "vecidx/partition.hpp"

#include <algorithm>
#include <numeric>

#include "vecidx/build_level.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kRowBlock = 8;

}  // namespace

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

void CellSplitter::part(const VectorArray& vectors, std::span<std::uint32_t> members, unsigned shift,
                        Random& random, std::pmr::vector<std::size_t>& ends) {
    std::pmr::vector<std::uint32_t> rows(members.begin(), members.end(), memory_);
    for (std::uint32_t& row : rows) row >>= shift;
    const std::size_t count = leader_count(rows.size(), 1, leaf_size_, leaf_size_);
    chosen_ = rows;
    random.sample_front(chosen_, count);
    leaders_.set(vectors, std::span(chosen_).first(count));
    choices_.resize(rows.size());
    leaders_.assign(vectors, rows, 1, choices_.data());

    const std::pmr::vector<std::uint32_t> before(members.begin(), members.end(), memory_);
    std::pmr::vector<std::size_t> at(count + 1, 0, memory_);
    for (const std::uint16_t c : choices_) ++at[c + 1];
    std::partial_sum(at.begin(), at.end(), at.begin());
    for (std::size_t i = 0; i < before.size(); ++i) members[at[choices_[i]]++] = before[i];
    ends.assign(at.begin(), at.end() - 1);
}

}  // namespace vecidx

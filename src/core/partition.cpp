// Partitioning into leaves. See partition.hpp.
#include "vecidx/partition.hpp"

#include <algorithm>
#include <numeric>

#include "vecidx/nearest.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kChunk = 512;

class Splitter {
  public:
    Splitter(const VectorArray& vectors, const PartitionParams& params, Random& random,
             const Progress& progress, Leaves& leaves, std::pmr::memory_resource* memory)
        : vectors_(vectors),
          params_(params),
          random_(random),
          progress_(progress),
          leaves_(leaves),
          memory_(memory),
          leaders_(memory),
          chunk_(memory),
          nearest_(memory) {}

    void run(std::span<const std::uint32_t> rows) {
        leaves_.offsets.assign(1, 0);
        std::pmr::vector<std::uint32_t> all(rows.begin(), rows.end(), memory_);
        if (all.size() <= params_.leaf_size) {
            leaves_.order = all;
            add_leaf(all);
            return;
        }
        const std::size_t cells = split(all, params_.fan_out);
        first_choice_order(all, cells);
        std::pmr::vector<std::uint32_t> members(memory_);
        std::pmr::vector<std::size_t> offsets(memory_);
        gather_cells(all, cells, params_.fan_out, members, offsets);
        for (std::size_t c = 0; c < cells; ++c)
            finish(std::span(members).subspan(offsets[c], offsets[c + 1] - offsets[c]), 0);
    }

  private:
    static constexpr int kDeepest = 8;

    void add_leaf(std::span<const std::uint32_t> members) {
        if (members.size() < 2) return;
        leaves_.members.insert(leaves_.members.end(), members.begin(), members.end());
        leaves_.offsets.push_back(leaves_.members.size());
    }

    // Turns a cell into leaves: as it is, by another split, or, where leaders do not separate it, by cutting.
    void finish(std::span<std::uint32_t> cell, int depth) {
        if (cell.size() <= params_.leaf_size) return add_leaf(cell);
        if (depth == kDeepest) {
            for (std::size_t at = 0; at < cell.size(); at += params_.leaf_size)
                add_leaf(cell.subspan(at, std::min(params_.leaf_size, cell.size() - at)));
            return;
        }
        const std::size_t cells = split(cell, 1);
        std::pmr::vector<std::uint32_t> members(memory_);
        std::pmr::vector<std::size_t> offsets(memory_);
        gather_cells(cell, cells, 1, members, offsets);
        for (std::size_t c = 0; c < cells; ++c)
            finish(std::span(members).subspan(offsets[c], offsets[c + 1] - offsets[c]), depth + 1);
    }

    // Chooses leaders among the rows and assigns each row to its `fan_out` nearest, in choices_. Returns how
    // many.
    std::size_t split(std::span<std::uint32_t> rows, std::size_t fan_out) {
        const std::size_t wanted = 2 * rows.size() * fan_out / params_.leaf_size;
        const std::size_t count =
            std::clamp(wanted, 2 * fan_out, std::min(params_.most_leaders, rows.size()));
        std::pmr::vector<std::uint32_t> chosen(rows.begin(), rows.end(), memory_);
        random_.sample_front(chosen, count);
        chosen.resize(count);
        leaders_.pack_around_mean(vectors_, chosen);
        choices_.resize(rows.size() * fan_out);
        dots_.resize(8 * leaders_.panel_count() * kBlockLanes);
        for (std::size_t at = 0; at < rows.size(); at += kChunk) {
            if (fan_out > 1) progress_(Phase::kPartition, at, rows.size());
            assign(rows.subspan(at, std::min(kChunk, rows.size() - at)), fan_out,
                   choices_.data() + at * fan_out);
        }
        return count;
    }

    void assign(std::span<const std::uint32_t> rows, std::size_t fan_out, std::uint32_t* choices) {
        chunk_.pack_in_frame_of(leaders_, vectors_, rows);
        const Kernels& k = kernels();
        const std::size_t width = leaders_.panel_count() * kBlockLanes;
        for (std::size_t first = 0; first < rows.size(); first += 8) {
            const std::size_t count = std::min<std::size_t>(8, rows.size() - first);
            k.dot_tile(chunk_.tile(), first, count, leaders_.tile(), leaders_.panel_count(), dots_.data(),
                       width);
            for (std::size_t i = 0; i < count; ++i) {
                nearest_.select(dots_.data() + i * width, leaders_.norms(), leaders_.size(), fan_out,
                                kNoSelf);
                for (std::size_t j = 0; j < fan_out; ++j)
                    choices[(first + i) * fan_out + j] = nearest_.index(j);
            }
        }
    }

    // Counting sort of rows by the cells chosen for them.
    void gather_cells(std::span<const std::uint32_t> rows, std::size_t cells, std::size_t fan_out,
                      std::pmr::vector<std::uint32_t>& members, std::pmr::vector<std::size_t>& offsets) {
        offsets.assign(cells + 1, 0);
        for (const std::uint32_t c : choices_) ++offsets[c + 1];
        std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
        members.resize(choices_.size());
        std::pmr::vector<std::size_t> at(offsets.begin(), offsets.end() - 1, memory_);
        for (std::size_t i = 0; i < choices_.size(); ++i) members[at[choices_[i]]++] = rows[i / fan_out];
    }

    void first_choice_order(std::span<const std::uint32_t> rows, std::size_t cells) {
        std::pmr::vector<std::size_t> at(cells + 1, 0, memory_);
        for (std::size_t i = 0; i < rows.size(); ++i) ++at[choices_[i * params_.fan_out] + 1];
        std::partial_sum(at.begin(), at.end(), at.begin());
        leaves_.order.resize(rows.size());
        for (std::size_t i = 0; i < rows.size(); ++i)
            leaves_.order[at[choices_[i * params_.fan_out]]++] = rows[i];
    }

    const VectorArray& vectors_;
    const PartitionParams& params_;
    Random& random_;
    const Progress& progress_;
    Leaves& leaves_;
    std::pmr::memory_resource* memory_;
    PackedTile leaders_;
    PackedTile chunk_;
    NearestInRow nearest_;
    std::pmr::vector<std::uint32_t> choices_{memory_};
    std::pmr::vector<std::int32_t> dots_{memory_};
};

}  // namespace

void partition(const VectorArray& vectors, std::span<const std::uint32_t> rows, const PartitionParams& params,
               Random& random, const Progress& progress, Leaves& leaves) {
    Splitter(vectors, params, random, progress, leaves, leaves.members.get_allocator().resource()).run(rows);
}

}  // namespace vecidx

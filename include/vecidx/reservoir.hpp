// The reservoirs of a bulk build: each row's candidates, of which the nearest stay. A candidate is appended
// without a look at the others; only a full list is cleared of repetitions and of what is too far. So an
// offer touches one cache line.
#pragma once

#include <limits>
#include <memory_resource>
#include <span>
#include <vector>

#include "vecidx/adjacency.hpp"
#include "vecidx/rank_sort.hpp"
#include "vecidx/types.hpp"
#include "vecidx/visited.hpp"

namespace vecidx {

class Reservoirs {
  public:
    // What `lists` needs as capacity for reservoirs of `keep` candidates.
    static constexpr std::size_t capacity_for(std::size_t keep) { return keep + keep / 4; }
    // The most candidates that reservoirs in lists of this capacity may keep.
    static constexpr std::size_t kept_in(std::size_t capacity) { return capacity - capacity / 5; }

    Reservoirs(Adjacency& lists, std::size_t keep, std::pmr::memory_resource* memory)
        : lists_(lists),
          keep_(keep),
          limits_(lists.rows(), std::numeric_limits<float>::infinity(), memory),
          seen_(memory, 2 * lists.capacity()),
          sort_(memory) {}

    // Lets a candidate in unless it is too far. A row may be offered one candidate several times.
    void offer(std::size_t row, Neighbor candidate) {
        if (!(candidate.distance < limits_[row])) return;
        if (lists_.append(row, candidate)) return;
        settle(row);
        lists_.append(row, candidate);
    }

    // Gets ready for offers to a row soon.
    void prefetch(std::size_t row) const {
        __builtin_prefetch(&limits_[row]);
        lists_.prefetch_end(row);
    }

    // Sorts a row's candidates, each once, the nearest `keep` of them.
    void settle(std::size_t row) {
        const std::span<Neighbor> list = lists_.edit(row);
        seen_.clear();
        std::size_t size = 0;
        for (const Neighbor& n : list)
            if (seen_.insert(n.id)) list[size++] = n;
        sort_.sort_front(list.first(size), keep_);
        lists_.truncate(row, std::min(size, keep_));
        if (size >= keep_) limits_[row] = list[keep_ - 1].distance;
    }

  private:
    Adjacency& lists_;
    std::size_t keep_;
    std::pmr::vector<float> limits_;  // what is at least as far does not enter
    Visited seen_;
    RankSort sort_;
};

}  // namespace vecidx

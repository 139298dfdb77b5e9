// The shared arrays of a bulk build. A build has levels: all rows, a sample of them (the skeleton), a sample
// of that, and so on down to a set that is small enough for all pairs. Every level has the same arrays and
// goes through the same stages (bulk_build.hpp). Rows of a level are numbered from 0; in the lowest level,
// 0, rows that are near each other have near numbers ("home order").
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "vecidx/adjacency.hpp"
#include "vecidx/arena.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

struct BulkParams {
    std::size_t degree = 64;
    float alpha = 1.2f;             // on squared distances
    std::size_t leaf_size = 2000;   // most members of a leaf
    std::size_t fan_out = 8;        // leaves that a row is in
    std::size_t most_cells = 2000;  // of a level, at most kMostCells
    std::size_t per_leaf = 8;       // nearest of a row that a leaf gives as candidates, in each direction
    std::size_t candidates = 96;    // nearest candidates that a row's prune looks at
    std::size_t sample_ratio = 16;  // rows for one of the next level
    std::uint64_t seed = 1;
};

// Levels up to this size see all pairs.
inline constexpr std::size_t kAllPairs = 512;

// Cells of a level's partition: bounds the work of assigning a row.
inline constexpr std::size_t kMostCells = 2000;

// Rows of a build: with the number of a choice, of 8, they fit in 32 bits (Level::member).
inline constexpr std::size_t kMostRows = std::size_t{1} << 29;

// Edges to the skeleton that a row may get as candidates, where its neighbours do not lead there.
inline constexpr std::size_t kBridges = 8;

// What a row is to the build.
enum Settled : std::uint8_t {
    kFresh = 0,    // to be linked
    kSettled = 1,  // of the graph that is appended to
    kBuried = 2,   // of it too, and dead: walked, but nothing new leads there
};

struct Level {
    static constexpr std::uint32_t kNoSlot = 0xffffffff;

    // What the workers have in common beside arrays. All bytes 0 before the build.
    struct State {
        std::uint32_t rows;
        std::uint32_t cells;
        std::uint32_t fan_out;  // choices of a row that count: 1 where all rows are in one cell
        std::uint32_t medoid;
        std::uint32_t settled;    // 1: some rows are
        std::uint32_t skeleton;   // rows of the next level, 0: there is none
        std::uint32_t taken[12];  // one for each stage's shares
    };

    // Carves the arrays of a level of at most `rows` rows, chosen from `like.count` vectors. The same order
    // in every worker.
    Level(Arena& arena, std::size_t rows, const VectorArray& like, const BulkParams& p)
        : params(p),
          padded(like.padded),
          format(like.format),
          stride(list_bytes(p)),
          state(arena.carve<State>(1)),
          data(arena.carve<std::byte>(rows * stored_bytes(format, padded))),
          units(arena.carve<float>(rows)),
          source(arena.carve<std::uint32_t>(rows)),
          choices(arena.carve<std::uint16_t>(like.count * p.fan_out)),
          members(arena.carve<std::uint32_t>(rows * p.fan_out)),
          cell_end(arena.carve<std::uint32_t>(kMostCells + 1)),
          home_end(arena.carve<std::uint32_t>(kMostCells + 1)),
          turn(arena.carve<std::uint32_t>(kMostCells)),
          list_data(arena.carve<std::byte>(rows * stride)),
          sizes(arena.carve<std::uint16_t>(rows)),
          pinned(arena.carve<std::uint16_t>(rows)),
          bridges(arena.carve<std::uint32_t>(rows * kBridges)),
          slot(arena.carve<std::uint32_t>(rows)),
          incoming_end(arena.carve<std::uint64_t>(rows + 2)),
          incoming(arena.carve<Neighbor>(rows * p.degree)),
          parent(arena.carve<std::uint32_t>(rows)),
          settled(arena.carve<std::uint8_t>(rows)) {}

    // Ids that a row has from one leaf, and bytes that all its candidates and later its edges take.
    static std::size_t leaf_ids(const BulkParams& p) { return 2 * p.per_leaf; }
    static std::size_t list_bytes(const BulkParams& p) {
        return std::max(p.fan_out * leaf_ids(p) * sizeof(std::uint32_t), p.degree * sizeof(Neighbor));
    }

    std::size_t rows() const { return state->rows; }
    bool is_small() const { return state->rows <= kAllPairs; }
    VectorArray vectors() const { return {data, units, state->rows, padded, format}; }
    Lists edges() const {
        return {reinterpret_cast<Neighbor*>(list_data), sizes, state->rows, stride / sizeof(Neighbor)};
    }

    // A row's ids from its leaf number `choice`: `leaf_ids` of them, kNoNode where there are fewer. The same
    // bytes are the row's edges later.
    std::byte* leaf_slot(std::size_t row, std::size_t choice) const {
        return list_data + row * stride + choice * leaf_ids(params) * sizeof(std::uint32_t);
    }

    // A member of a cell is a row and the number of its choice, in one word.
    unsigned choice_bits() const { return static_cast<unsigned>(std::bit_width(params.fan_out - 1)); }
    std::uint32_t member(std::size_t row, std::size_t choice) const {
        return static_cast<std::uint32_t>(row << choice_bits() | choice);
    }
    std::span<std::uint32_t> members_of(std::size_t cell) const {
        const std::uint32_t first = cell > 0 ? cell_end[cell - 1] : 0;
        return {members + first, cell_end[cell] - first};
    }

    BulkParams params;
    std::size_t padded;
    OwnFormat format;
    std::size_t stride;

    State* state;
    std::byte* data;
    float* units;
    std::uint32_t* source;   // each row's number in the level above; in level 0, in the input
    std::uint16_t* choices;  // cells of a row, nearest first; in level 0 by number in the input
    std::uint32_t* members;  // of cell 0, of cell 1, ...
    std::uint32_t* cell_end;
    std::uint32_t* home_end;  // level 0: rows whose first choice is the cell are those before this
    std::uint32_t* turn;  // cells in the order in which they are done: near ones together, large ones first
    std::byte* list_data;
    std::uint16_t* sizes;
    std::uint16_t* pinned;        // edges of a row, the first ones, that stay
    std::uint32_t* bridges;       // rows of the skeleton in the row's home leaf
    std::uint32_t* slot;          // a row's number in the next level, or kNoSlot
    std::uint64_t* incoming_end;  // of row i at i + 1
    Neighbor* incoming;           // rows that have an edge to a row
    std::uint32_t* parent;        // the row from which a tree edge leads here; the medoid's is itself
    std::uint8_t* settled;        // of each row; in level 0 alone not all are kFresh
};

}  // namespace vecidx

// The rows of a build: the vectors in halves in one temporary file, what goes with them in another. Processes
// append extents of rows while they read the heap; then all map both files, followed by the arrays of the
// graph's build.
#pragma once

#include "am/build_team.hpp"
#include "pg/memory.hpp"
#include "pg/temp_file.hpp"
#include "storage/layout.hpp"
#include "vecidx/arena.hpp"
#include "vecidx/tile.hpp"

namespace vecidx {

// A row but for its vector. No row: one with neither TID nor node, in the unused rest of an extent.
struct BuildEntry {
    PendingEntry row;
    NodeId node;          // that the row is in the graph which is appended to, or 0, which is no node
    std::uint32_t alone;  // 1: equal vectors do not join it
    std::uint64_t hash;   // of the stored vector
};

// Arrays over all rows that were loaded, by their number there.
struct RowArrays {
    RowArrays(Arena& arena, std::size_t rows)
        : units(arena.carve<float>(rows)),
          left_out(arena.carve<std::uint8_t>(rows)),
          next_same(arena.carve<std::uint32_t>(rows)) {}

    float* units;              // of the vectors in graph space
    std::uint8_t* left_out;    // 1: no row, or one whose vector another row has
    std::uint32_t* next_same;  // the next heap row with the same vector, or kNoRow
};
inline constexpr std::uint32_t kNoRow = 0xffffffff;

class BuildRows {
  public:
    // `shared` says where the files are, once `create` was called in the leader.
    BuildRows(const NodeLayout& layout, BuildShared* shared);

    static std::uint32_t rows_per_extent(const NodeLayout& layout);

    void create();
    void open();

    // Appends a row to this process's extent. After the last one, `flush`.
    void add(const PendingEntry& row, const void* halves) { add({row, 0, 0, 0}, halves); }
    void add(BuildEntry entry, const void* halves);
    void flush();

    // When all have flushed: rows in all extents.
    std::size_t count() const { return std::size_t{shared_->extents} * shared_->extent_rows; }

    // In the leader, before the others map: makes room for `bytes` more behind the vectors.
    void allocate(std::size_t bytes);
    void map();

    std::byte* halves(std::size_t row) const { return vectors_at_ + row * width_; }
    BuildEntry& entry(std::size_t row) const { return entries_[row]; }
    VectorArray vectors(const RowArrays& arrays) const {
        return {vectors_at_, arrays.units, count(), width_ / sizeof(f16), OwnFormat::kF16};
    }
    bool is_row(std::size_t row) const { return entries_[row].row.tid.offset != 0 || is_settled(row); }
    bool is_settled(std::size_t row) const { return entries_[row].node != 0; }
    Arena arena() const { return Arena(vectors_at_ + vector_bytes()); }
    Mapping& mapping() { return mapping_; }

    // Joins equal vectors, this process its share of them: of each, the first stays, with the largest error,
    // and so does every node of the graph; the other heap rows follow from the first one's `next_same`.
    // `units` are those of the vectors as they are now.
    enum class Units { kAsLoaded, kInGraphSpace };
    void collapse_equal(const RowArrays& arrays, Units units, Window& window);

    // The heap rows of a row.
    template <typename Fn>
    void for_each_tid(const RowArrays& arrays, std::uint32_t row, Fn fn) const {
        for (; row != kNoRow; row = arrays.next_same[row])
            if (!is_settled(row)) fn(entries_[row].row.tid);
    }

    void close();

  private:
    std::size_t vector_bytes() const { return round_up(count() * width_, Mapping::alignment()); }
    std::size_t entry_bytes() const { return round_up(count() * sizeof(BuildEntry), Mapping::alignment()); }
    void collapse_part(const RowArrays& arrays, Units units, std::uint32_t part, Window& window,
                       std::pmr::vector<std::uint32_t>& table);
    void grow(std::pmr::vector<std::uint32_t>& table) const;

    BuildShared* shared_;
    std::size_t width_;
    TempFile vectors_, entries_file_;
    Mapping mapping_;
    std::byte* vectors_at_ = nullptr;
    BuildEntry* entries_ = nullptr;

    // The extent being filled.
    std::byte* extent_vectors_;
    BuildEntry* extent_entries_;
    std::size_t extent_size_ = 0;
};

}  // namespace vecidx

// Loaded rows in temporary files, and the joining of equal ones. See build_rows.hpp.
#include "am/build_rows.hpp"

#include <bit>

#include "am/row_store.hpp"
#include "vecidx/build_level.hpp"

namespace vecidx {
namespace {

constexpr std::size_t kExtentBytes = 1 << 18;
constexpr std::size_t kPollEvery = 1024;

// Equal vectors are looked for in parts, by their hash, so that a part's table is small.
constexpr std::uint32_t kParts = 16;

std::uint32_t part_of(std::uint64_t hash) {
    return static_cast<std::uint32_t>(hash >> 60);
}

// Positive floats are in the order of their bits.
void note_largest(std::uint32_t& largest, float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::atomic_ref<std::uint32_t> most(largest);
    std::uint32_t seen = most.load(std::memory_order_relaxed);
    while (bits > seen && !most.compare_exchange_weak(seen, bits, std::memory_order_relaxed)) continue;
}

}  // namespace

BuildRows::BuildRows(const NodeLayout& layout, BuildShared* shared)
    : shared_(shared),
      width_(stored_bytes(OwnFormat::kF16, layout.padded)),
      extent_vectors_(static_cast<std::byte*>(palloc(shared->extent_rows * width_))),
      extent_entries_(static_cast<BuildEntry*>(palloc0(shared->extent_rows * sizeof(BuildEntry)))) {}

std::uint32_t BuildRows::rows_per_extent(const NodeLayout& layout) {
    const std::size_t rows = kExtentBytes / stored_bytes(OwnFormat::kF16, layout.padded);
    return static_cast<std::uint32_t>(std::clamp<std::size_t>(rows, 16, 1024));
}

void BuildRows::create() {
    vectors_.create();
    entries_file_.create();
    strlcpy(shared_->rows_path, vectors_.path(), sizeof shared_->rows_path);
    strlcpy(shared_->entries_path, entries_file_.path(), sizeof shared_->entries_path);
}

void BuildRows::open() {
    vectors_.open(shared_->rows_path);
    entries_file_.open(shared_->entries_path);
}

void BuildRows::add(BuildEntry entry, const void* halves) {
    std::byte* to = extent_vectors_ + extent_size_ * width_;
    std::memcpy(to, halves, width_);
    entry.hash = hash_vector(to, width_, entry.row.unit);
    extent_entries_[extent_size_] = entry;
    note_largest(shared_->max_norm_bits, entry.row.norm_squared);
    if (++extent_size_ == shared_->extent_rows) flush();
}

void BuildRows::flush() {
    if (extent_size_ == 0) return;
    const std::size_t rows = shared_->extent_rows;
    std::memset(extent_vectors_ + extent_size_ * width_, 0, (rows - extent_size_) * width_);
    std::memset(extent_entries_ + extent_size_, 0, (rows - extent_size_) * sizeof(BuildEntry));
    const std::size_t extent = add_shared(shared_->extents, 1u);
    vectors_.write(extent_vectors_, rows * width_, extent * rows * width_);
    entries_file_.write(extent_entries_, rows * sizeof(BuildEntry), extent * rows * sizeof(BuildEntry));
    extent_size_ = 0;
}

void BuildRows::allocate(std::size_t bytes) {
    if (count() > kMostRows)
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("too many rows for one vamana index"),
                errdetail("An index is built of at most %zu rows.", kMostRows),
                errhint("Partition the table."));
    shared_->mapped = vector_bytes() + round_up(bytes, Mapping::alignment());
    vectors_.allocate(shared_->mapped);
    entries_file_.allocate(entry_bytes());
}

void BuildRows::map() {
    const Mapping::Part parts[] = {{&entries_file_, entry_bytes()}, {&vectors_, shared_->mapped}};
    mapping_.map(parts);
    entries_ = reinterpret_cast<BuildEntry*>(mapping_.data());
    vectors_at_ = mapping_.data() + entry_bytes();
}

void BuildRows::close() {
    mapping_.unmap();
    vectors_.close();
    entries_file_.close();
}

void BuildRows::collapse_equal(const RowArrays& arrays, Units units, Window& window) {
    std::pmr::memory_resource* memory = make_in<ContextResource>(CurrentMemoryContext, CurrentMemoryContext);
    std::pmr::vector<std::uint32_t> table(memory);
    take_shares(shared_->collapse_taken, kParts, 1, [&](std::size_t part, std::size_t) {
        collapse_part(arrays, units, static_cast<std::uint32_t>(part), window, table);
    });
}

void BuildRows::collapse_part(const RowArrays& arrays, Units units, std::uint32_t part, Window& window,
                              std::pmr::vector<std::uint32_t>& table) {
    const std::size_t rows = count();
    const std::size_t slots = std::bit_ceil(2 * rows / kParts + 64);
    table.assign(slots, kNoRow);
    std::size_t distinct = 0, alone = 0;
    const auto unit_of = [&](std::uint32_t row) {
        if (units == Units::kAsLoaded) return entries_[row].row.unit;
        window.use(arrays.units + row, sizeof(float));
        return arrays.units[row];
    };
    const auto same = [&](std::uint32_t a, std::uint32_t b) {
        window.use(entries_ + a, sizeof(BuildEntry));
        if (entries_[a].hash != entries_[b].hash || unit_of(a) != unit_of(b)) return false;
        window.use(halves(a), width_);
        window.use(halves(b), width_);
        return std::memcmp(halves(a), halves(b), width_) == 0;
    };
    for (std::uint32_t row = 0; row < rows; ++row) {
        if (row % kPollEvery == 0) {
            CHECK_FOR_INTERRUPTS();
            const std::size_t some = std::min<std::size_t>(kPollEvery, rows - row);
            window.use(entries_ + row, some * sizeof(BuildEntry));
            window.use(arrays.next_same + row, some * sizeof(std::uint32_t));
            window.use(arrays.left_out + row, some);
        }
        if (part_of(entries_[row].hash) != part) continue;
        arrays.next_same[row] = kNoRow;
        arrays.left_out[row] = 1;
        if (!is_row(row)) continue;
        if (entries_[row].alone != 0) {
            arrays.left_out[row] = 0;
            ++alone;
            continue;
        }
        std::size_t at = entries_[row].hash & (table.size() - 1);
        while (table[at] != kNoRow && !same(table[at], row)) at = (at + 1) & (table.size() - 1);
        if (table[at] == kNoRow) {
            table[at] = row;
            arrays.left_out[row] = 0;
            if (2 * ++distinct > table.size()) grow(table);
            continue;
        }
        if (is_settled(row)) {  // nodes that are equal only since they were moved to the graph's space
            arrays.left_out[row] = 0;
            ++alone;
            continue;
        }
        const std::uint32_t first = table[at];
        arrays.next_same[row] = arrays.next_same[first];
        window.use(arrays.next_same + first, sizeof(std::uint32_t));
        arrays.next_same[first] = row;
        PendingEntry &kept = entries_[first].row, &joins = entries_[row].row;
        kept.error = std::max(kept.error, joins.error);
        kept.fingerprint = join_fingerprints(kept.fingerprint, joins.fingerprint);
    }
    add_shared(shared_->distinct, std::uint64_t{distinct + alone});
}

// Twice the room, where hashes are not spread evenly.
void BuildRows::grow(std::pmr::vector<std::uint32_t>& table) const {
    std::pmr::vector<std::uint32_t> old(2 * table.size(), kNoRow, table.get_allocator());
    old.swap(table);
    for (const std::uint32_t row : old) {
        if (row == kNoRow) continue;
        std::size_t at = entries_[row].hash & (table.size() - 1);
        while (table[at] != kNoRow) at = (at + 1) & (table.size() - 1);
        table[at] = row;
    }
}

}  // namespace vecidx

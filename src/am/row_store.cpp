// Rows in memory and the joining of equal ones. See row_store.hpp.
#include "am/row_store.hpp"

#include <bit>

namespace vecidx {

// Vectors are a multiple of 32 bytes long.
std::uint64_t hash_vector(const std::byte* bytes, std::size_t size, float unit) {
    std::uint64_t hash = kHashStart ^ std::bit_cast<std::uint32_t>(unit);
    for (std::size_t at = 0; at < size; at += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes + at, 8);
        hash = hash_step(hash, word);
    }
    return hash;
}

void RowStore::reserve(std::size_t rows) {
    data_.reserve(rows * stored_bytes(OwnFormat::kF16, padded_));
    units_.reserve(rows);
    added_units_.reserve(rows);
    errors_.reserve(rows);
    norms_.reserve(rows);
    fingerprints_.reserve(rows);
    tids_.reserve(rows);
    own_blocks_.reserve(rows);
}

void RowStore::add(const PendingEntry& entry, const void* halves) {
    const auto* first = static_cast<const std::byte*>(halves);
    data_.insert(data_.end(), first, first + stored_bytes(OwnFormat::kF16, padded_));
    units_.push_back(entry.unit);
    added_units_.push_back(entry.unit);
    errors_.push_back(entry.error);
    norms_.push_back(entry.norm_squared);
    fingerprints_.push_back(entry.fingerprint);
    tids_.push_back(entry.tid);
    own_blocks_.push_back(entry.own_block);
}

void RowStore::collapse_equal() {
    const std::size_t rows = size(), width = stored_bytes(OwnFormat::kF16, padded_);
    const std::size_t slots = std::bit_ceil(rows * 2 + 1);
    std::pmr::vector<std::uint32_t> table(slots, kNoRow, data_.get_allocator().resource());
    next_same_.assign(rows, kNoRow);
    first_tid_.clear();
    std::size_t kept = 0;
    for (std::uint32_t i = 0; i < rows; ++i) {
        std::size_t at = hash_vector(bytes(i), width, units_[i]) & (slots - 1);
        while (table[at] != kNoRow &&
               (units_[table[at]] != units_[i] || std::memcmp(bytes(table[at]), bytes(i), width) != 0))
            at = (at + 1) & (slots - 1);
        if (table[at] != kNoRow) {
            const std::uint32_t same = table[at];
            next_same_[i] = first_tid_[same];
            first_tid_[same] = i;
            errors_[same] = std::max(errors_[same], errors_[i]);
            fingerprints_[same] = join_fingerprints(fingerprints_[same], fingerprints_[i]);
            if (own_blocks_[i] != kNoOwnBlock) spare_blocks_.push_back(own_blocks_[i]);
            continue;
        }
        table[at] = static_cast<std::uint32_t>(kept);
        first_tid_.push_back(i);
        if (kept != i) {
            std::memcpy(bytes(kept), bytes(i), width);
            units_[kept] = units_[i];
            added_units_[kept] = added_units_[i];
            errors_[kept] = errors_[i];
            norms_[kept] = norms_[i];
            fingerprints_[kept] = fingerprints_[i];
            own_blocks_[kept] = own_blocks_[i];
        }
        ++kept;
    }
    data_.resize(kept * width);
    units_.resize(kept);
    added_units_.resize(kept);
    errors_.resize(kept);
    norms_.resize(kept);
    fingerprints_.resize(kept);
    own_blocks_.resize(kept);
}

void RowStore::move_to_graph_space(const Space& space, double max_norm_squared, const float* mean,
                                   const float* direction) {
    std::pmr::vector<float> z(padded_, units_.get_allocator().resource());
    for (std::size_t i = 0; i < size(); ++i) {
        if (i % 1024 == 0) CHECK_FOR_INTERRUPTS();
        load_vector(vectors()[i], padded_, z.data());
        space.lift(z.data(), norms_[i], max_norm_squared, direction);
        for (std::size_t d = 0; d < padded_; ++d) z[d] -= mean[d];
        units_[i] = store_vector(OwnFormat::kF16, z.data(), padded_, bytes(i));
        errors_[i] += space.storage_error(z.data(), vectors()[i]);
    }
}

}  // namespace vecidx

// Reverse edges by estimated distances. See reverse.hpp.
#include "vecidx/reverse.hpp"

#include <algorithm>
#include <cstring>

namespace vecidx {

namespace {

constexpr std::size_t kNoLane = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kTableBytes = 4;  // of a look-up table, a dimension

// A damaged edge may name any centroid: its term is wrong, but it is read from the store.
constexpr std::size_t kTermsRead = std::size_t{std::numeric_limits<std::uint8_t>::max()} + 1;

}  // namespace

TableStore::TableStore(const Codebook& book, std::size_t count, std::pmr::memory_resource* memory)
    : code_dims_(book.code_dims),
      terms_each_(book.centroid_count),
      bits_(book.bits),
      rescale_unit_(book.rescale_unit),
      bytes_(count * kTableBytes * code_dims_, memory),
      terms_(count * terms_each_ + kTermsRead, memory),
      scalars_(count, memory) {}

std::size_t TableStore::bytes_per_vector(std::size_t code_dims, std::size_t centroids) {
    return kTableBytes * code_dims + centroids * sizeof(float) + sizeof(Scalars);
}

void TableStore::keep(std::size_t i, const QueryTable& table) {
    const std::size_t half = kTableBytes / 2 * code_dims_;
    std::memcpy(bytes_.data() + 2 * i * half, table.low, half);
    std::memcpy(bytes_.data() + (2 * i + 1) * half, table.high, half);
    std::copy_n(table.centroid_term, terms_each_, terms_.data() + i * terms_each_);
    scalars_[i] = {table.scale, table.offset};
}

QueryTable TableStore::operator[](std::size_t i) const {
    const std::size_t half = kTableBytes / 2 * code_dims_;
    const std::uint8_t* bytes = bytes_.data() + 2 * i * half;
    return {bytes,
            bytes + half,
            terms_.data() + i * terms_each_,
            code_dims_,
            bits_,
            scalars_[i].scale,
            scalars_[i].offset,
            rescale_unit_};
}

void ReverseLinker::begin(Node p) {
    node_ = p;
    z_ = nullptr;
    measured_ = false;
    own_.resize(p.layout().degree);
    other_.resize(p.layout().degree);
}

void ReverseLinker::begin(Node p, const float* z) {
    begin(p);
    z_ = z;
}

void ReverseLinker::begin(Node p, const QueryTable& own) {
    begin(p);
    own_table_ = own;
}

bool ReverseLinker::add(const Edge& x, const QueryTable& table, float distance, Pin pin) {
    const NodeId* ids = node_.ids();
    for (std::size_t lane = 0; lane < node_.degree(); ++lane) {
        if (ids[lane] != x.id) continue;
        if (pin == Pin::kYes) node_.set_pinned(lane, 1);
        return true;
    }
    const std::size_t room = node_.layout().degree;
    if (node_.degree() < room) {
        append(x, distance, pin);
        return true;
    }
    measure_own();
    kernels().scan(node_.blocks(), table, other_.data());
    if (pin == Pin::kNo && is_covered(distance)) return false;
    drop_covered(distance);
    if (node_.degree() == room) {
        const std::size_t victim = farthest();
        if (victim == kNoLane || (pin == Pin::kNo && own_[victim] <= distance)) return false;
        remove(victim);
    }
    append(x, distance, pin);
    return true;
}

void ReverseLinker::measure_own() {
    if (measured_) return;
    if (z_ != nullptr) {
        own_code_.prepare(book_, z_);
        own_table_ = own_code_.table();
    }
    kernels().scan(node_.blocks(), own_table_, own_.data());
    measured_ = true;
}

bool ReverseLinker::is_covered(float distance) const {
    for (std::size_t lane = 0; lane < node_.degree(); ++lane)
        if (own_[lane] < distance && alpha_ * other_[lane] <= distance) return true;
    return false;
}

void ReverseLinker::drop_covered(float distance) {
    for (std::size_t lane = node_.degree(); lane-- > 0;)
        if (!node_.pinned(lane) && own_[lane] > distance && alpha_ * other_[lane] <= own_[lane]) remove(lane);
}

// Fills the lane with the last one.
void ReverseLinker::remove(std::size_t lane) {
    const std::size_t last = node_.degree() - 1;
    if (lane != last) {
        node_.move_edge(last, lane);
        own_[lane] = own_[last];
    }
    node_.header().degree = static_cast<std::uint16_t>(last);
}

void ReverseLinker::append(const Edge& x, float distance, Pin pin) {
    const std::size_t lane = node_.degree();
    node_.write_edge(lane, x);
    node_.set_pinned(lane, pin == Pin::kYes ? 1 : 0);
    if (measured_) own_[lane] = distance;
    node_.header().degree = static_cast<std::uint16_t>(lane + 1);
}

std::size_t ReverseLinker::farthest() const {
    std::size_t found = kNoLane;
    for (std::size_t lane = 0; lane < node_.degree(); ++lane)
        if (!node_.pinned(lane) && (found == kNoLane || own_[lane] > own_[found])) found = lane;
    return found;
}

}  // namespace vecidx

// Reverse edges by estimated distances. See reverse.hpp.
#include "vecidx/reverse.hpp"

#include <algorithm>

namespace vecidx {

namespace {

constexpr std::size_t kNoLane = std::numeric_limits<std::size_t>::max();

}  // namespace

void ReverseLinker::begin(Node p, const float* z) {
    node_ = p;
    z_ = z;
    measured_ = false;
    own_.resize(p.layout().degree);
    other_.resize(p.layout().degree);
}

bool ReverseLinker::add(const Edge& x, const float* z, float distance, Pin pin) {
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
    other_code_.prepare(book_, z);
    kernels().scan(node_.blocks(), other_code_.table(), other_.data());
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
    own_code_.prepare(book_, z_);
    kernels().scan(node_.blocks(), own_code_.table(), own_.data());
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

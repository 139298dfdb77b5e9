// Node layouts: offsets, and the choice of degree, bits and formats for a dimension. See node.hpp.
#include "vecidx/node.hpp"

#include <algorithm>

namespace vecidx {

NodeLayout NodeLayout::make(std::size_t padded, std::size_t code_dims, unsigned bits, std::size_t degree,
                            OwnFormat format, OwnPlace place) {
    NodeLayout l{};
    l.degree = static_cast<std::uint16_t>(degree);
    l.padded = static_cast<std::uint16_t>(padded);
    l.code_dims = static_cast<std::uint16_t>(code_dims);
    l.bits = static_cast<std::uint8_t>(bits);
    l.own_format = format;
    l.own_place = place;
    const std::size_t own = place == OwnPlace::kInline ? stored_bytes(format, padded) : 0;
    l.own = static_cast<std::uint32_t>(round_up<std::size_t>(sizeof(NodeHeader) + l.code_bytes(), 8));
    std::size_t at = round_up<std::size_t>(l.own + own, 8);
    const auto take = [&at](std::size_t bytes) {
        const std::size_t offset = at;
        at += bytes;
        return static_cast<std::uint32_t>(offset);
    };
    l.ids = take(degree * sizeof(NodeId));
    l.add = take(degree * sizeof(float));
    l.rescale = take(degree * sizeof(f16));
    l.centroid = take(degree);
    l.pinned = take(degree / 8);
    l.codes = take(degree * l.code_bytes());
    l.size = static_cast<std::uint32_t>(round_up<std::size_t>(at, 8));
    return l;
}

namespace {

// By default a node has 64 edges, or 48 where one more node then shares a page: a third less space for 3 to
// 30 % more hops.
constexpr std::size_t kDefaultDegree = 64;
constexpr std::size_t kSmallerDegree = 48;
constexpr std::size_t kLeastDegree = 32;

unsigned default_bits(std::size_t padded) {
    return padded <= 64 ? 4 : padded <= 400 ? 2 : 1;
}

std::size_t default_degree(std::size_t padded, unsigned bits, std::size_t page_bytes) {
    if (padded > kMaxCodeDims) return kDefaultDegree;
    const auto nodes = [&](std::size_t degree) {
        return page_bytes /
               NodeLayout::make(padded, padded, bits, degree, OwnFormat::kF16, OwnPlace::kInline).size;
    };
    return nodes(kSmallerDegree) > nodes(kDefaultDegree) && nodes(kDefaultDegree) > 0 ? kSmallerDegree
                                                                                      : kDefaultDegree;
}

// The largest degree up to `degree` with which the node fits; 0 when none does.
std::size_t fitting_degree(NodeLayout l, std::size_t degree, std::size_t page_bytes) {
    for (; degree > 0; degree -= kBlockLanes)
        if (NodeLayout::make(l.padded, l.code_dims, l.bits, degree, l.own_format, l.own_place).size <=
            page_bytes)
            return degree;
    return 0;
}

// The most code dimensions, at least half of them, with which a node of the least degree fits; 0 when none
// do.
std::size_t fitting_code_dims(NodeLayout l, std::size_t degree, std::size_t page_bytes) {
    const std::size_t least = l.own_place == OwnPlace::kApart ? 16 : l.padded / 2;
    for (std::size_t dims = std::min<std::size_t>(l.padded, kMaxCodeDims); dims >= least; dims -= 16)
        if (NodeLayout::make(l.padded, dims, l.bits, degree, l.own_format, l.own_place).size <= page_bytes)
            return dims;
    return 0;
}

}  // namespace

NodeLayout choose_layout(const LayoutWish& wish, std::size_t page_bytes) {
    const unsigned bits = wish.bits != 0 ? wish.bits : default_bits(wish.padded);
    const std::size_t degree = wish.max_degree != 0 ? round_up(wish.max_degree, kBlockLanes)
                                                    : default_degree(wish.padded, bits, page_bytes);
    const std::size_t enough = std::min(degree, kLeastDegree);
    const auto make = [&](std::size_t dims, std::size_t r, OwnFormat format, OwnPlace place) {
        return NodeLayout::make(wish.padded, dims, bits, r, format, place);
    };
    if (wish.padded <= kMaxCodeDims) {
        // Halves bound the true distance ten times closer than bytes do, so that fewer rows are fetched
        // beyond those wanted: that is worth 16 edges.
        const NodeLayout halves = make(wish.padded, degree, OwnFormat::kF16, OwnPlace::kInline);
        const std::size_t with_halves = fitting_degree(halves, degree, page_bytes);
        if (with_halves >= std::min(degree, kSmallerDegree))
            return make(wish.padded, with_halves, OwnFormat::kF16, OwnPlace::kInline);
        const NodeLayout bytes = make(wish.padded, degree, OwnFormat::kI8, OwnPlace::kInline);
        const std::size_t fits = fitting_degree(bytes, degree, page_bytes);
        if (fits >= enough) return make(wish.padded, fits, OwnFormat::kI8, OwnPlace::kInline);
    }
    // Codes of fewer dimensions rather than fewer edges; then the own vector moves out.
    for (const OwnPlace place : {OwnPlace::kInline, OwnPlace::kApart}) {
        const OwnFormat format = place == OwnPlace::kInline ? OwnFormat::kI8 : OwnFormat::kF16;
        const NodeLayout l = make(16, enough, format, place);
        const std::size_t dims = fitting_code_dims(l, enough, page_bytes);
        if (dims > 0)
            return make(dims, fitting_degree(make(dims, degree, format, place), degree, page_bytes), format,
                        place);
    }
    return {};
}

}  // namespace vecidx

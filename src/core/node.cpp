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
    std::size_t at = round_up<std::size_t>(sizeof(NodeHeader) + own, 8);
    const auto take = [&at](std::size_t bytes) {
        const std::size_t offset = at;
        at += bytes;
        return static_cast<std::uint32_t>(offset);
    };
    l.ids = take(degree * sizeof(NodeId));
    l.add = take(degree * sizeof(float));
    l.rescale = take(degree * sizeof(f16));
    l.centroid = take(degree);
    l.codes = take(degree * l.code_bytes());
    l.size = static_cast<std::uint32_t>(round_up<std::size_t>(at, 8));
    return l;
}

namespace {

constexpr std::size_t kDefaultDegree = 64;
constexpr std::size_t kLeastDegree = 32;

unsigned default_bits(std::size_t padded) { return padded <= 64 ? 4 : padded <= 400 ? 2 : 1; }

// The largest degree up to `degree` with which the node fits; 0 when none does.
std::size_t fitting_degree(NodeLayout l, std::size_t degree, std::size_t page_bytes) {
    for (; degree > 0; degree -= kBlockLanes)
        if (NodeLayout::make(l.padded, l.code_dims, l.bits, degree, l.own_format, l.own_place).size <= page_bytes)
            return degree;
    return 0;
}

}  // namespace

NodeLayout choose_layout(const LayoutWish& wish, std::size_t page_bytes) {
    const unsigned bits = wish.bits != 0 ? wish.bits : default_bits(wish.padded);
    const std::size_t degree = round_up(wish.max_degree != 0 ? wish.max_degree : kDefaultDegree, kBlockLanes);
    const std::size_t enough = std::min(degree, kLeastDegree);
    struct Form {
        OwnFormat format;
        OwnPlace place;
    };
    std::size_t code_dims = std::min(wish.padded, kMaxCodeDims);
    for (const Form form : {Form{OwnFormat::kF16, OwnPlace::kInline}, Form{OwnFormat::kI8, OwnPlace::kInline},
                            Form{OwnFormat::kF16, OwnPlace::kApart}}) {
        NodeLayout l = NodeLayout::make(wish.padded, code_dims, bits, degree, form.format, form.place);
        std::size_t fits = fitting_degree(l, degree, page_bytes);
        // Codes of fewer dimensions, rather than fewer edges, once the own vector has moved out.
        while (form.place == OwnPlace::kApart && fits < enough) {
            l.code_dims = static_cast<std::uint16_t>(l.code_dims - 16);
            fits = fitting_degree(l, degree, page_bytes);
        }
        const bool full = fits == degree || (form.format == OwnFormat::kI8 && fits >= enough) ||
                          form.place == OwnPlace::kApart;
        if (!full) continue;
        return NodeLayout::make(wish.padded, l.code_dims, bits, fits, form.format, form.place);
    }
    return {};
}

}  // namespace vecidx

// A node of the graph as bytes: the same in a buffer page and in memory. All nodes of an index have one size,
// so a node is found by arithmetic, and one look at it evaluates its whole neighbourhood.
//
//   header | own code | own vector (unless kept apart)
//          | ids[R] | add[R] | rescale[R] | centroid[R] | pinned[R / 8] | codes[R / 16 blocks]
//
// A node's own code is what its neighbors hold of it: a new edge copies it, and a check compares with it.
//
// Edges are a structure of arrays over R lanes (R a multiple of 16); lane i belongs to edge i, and lanes from
// `degree` on hold nothing. Pinned edges form a tree from the medoid over all nodes: no pruning drops them,
// so every node can be reached, whatever is added and removed. Version 1 of the layout; kInline is the only
// form so far, and the metapage names the form, so that a compact one (ids, and each node's own code) can
// follow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "vecidx/fingerprint.hpp"
#include "vecidx/kernels.hpp"
#include "vecidx/quantizer.hpp"
#include "vecidx/stored_vector.hpp"
#include "vecidx/types.hpp"

namespace vecidx {

enum class NodeForm : std::uint8_t { kInline = 0 };

// A heap row, as Postgres's ItemPointerData stores it (two-byte alignment).
struct HeapTid {
    std::uint16_t block_high;
    std::uint16_t block_low;
    std::uint16_t offset;

    friend bool operator==(const HeapTid&, const HeapTid&) = default;
    std::uint64_t key() const {
        return static_cast<std::uint64_t>(block_high) << 32 | static_cast<std::uint32_t>(block_low) << 16 |
               offset;
    }
};
static_assert(sizeof(HeapTid) == 6 && alignof(HeapTid) == 2);

inline constexpr std::size_t kInlineTids = 3;

enum NodeFlags : std::uint16_t {
    kNodeUsed = 1,       // holds a vector; a slot without it is free
    kNodeTombstone = 2,  // no rows any more: still walked, never returned
};

inline constexpr std::uint32_t kNoPosting = 0xffffffff;
inline constexpr std::uint32_t kNoOwnBlock = 0xffffffff;

struct NodeHeader {
    std::uint16_t flags;
    std::uint16_t degree;
    std::uint8_t centroid;    // of the own code
    std::uint8_t tid_count;   // of `tids`; further rows are in the posting chain
    f16 rescale;              // of the own code
    float add;                // of the own code
    float unit;               // of the own vector
    float error;              // bound of |exact - stored|, over all rows of the node (Space::storage_error)
    float norm_squared;       // of the stored vector before the shift of origin
    std::uint32_t posting;    // first posting record, or kNoPosting
    std::uint32_t own_block;  // first block of an own vector kept apart, or kNoOwnBlock
    std::uint32_t batch;      // number of the merge that wrote the node: see Meta::merging
    std::uint16_t version;    // counts the uses of the slot
    HeapTid tids[kInlineTids];
    std::uint64_t fingerprint;  // of all rows of the node, or kNoFingerprint
};
static_assert(sizeof(NodeHeader) == 64 && std::is_trivially_copyable_v<NodeHeader>);

enum class OwnPlace : std::uint8_t { kInline = 0, kApart = 1 };

struct NodeLayout {
    std::uint16_t degree;     // R, a multiple of 16
    std::uint16_t padded;     // rotated dimensions
    std::uint16_t code_dims;  // of them in a code
    std::uint8_t bits;
    OwnFormat own_format;
    OwnPlace own_place;
    // Byte offsets in a node, and its size (a multiple of 8).
    std::uint32_t own, ids, add, rescale, centroid, pinned, codes, size;

    static NodeLayout make(std::size_t padded, std::size_t code_dims, unsigned bits, std::size_t degree,
                           OwnFormat format, OwnPlace place);

    std::size_t blocks_of(std::size_t edges) const { return ceil_div<std::size_t>(edges, kBlockLanes); }
    std::size_t plane_bytes() const { return code_dims / 8u; }
    std::size_t code_bytes() const { return bits * plane_bytes(); }

    friend bool operator==(const NodeLayout&, const NodeLayout&) = default;
};

// What the layout may choose from; 0 means by dimension.
struct LayoutWish {
    std::size_t padded;
    std::size_t max_degree = 0;
    unsigned bits = 0;
};

// The layout for a wish, with nodes of at most `page_bytes`, grown to fill a whole fraction of a page. When
// the wished degree does not fit, the nearest smaller one that does. src/README.md has the measurements
// behind the choice.
NodeLayout choose_layout(const LayoutWish& wish, std::size_t page_bytes);

// An edge as it is copied: the neighbour, the factors and the bytes of its code (layout.code_bytes(), plane
// after plane).
struct Edge {
    NodeId id;
    CodeFactors factors;
    const std::uint8_t* code;
};

// A view of a node's bytes. Byte is `std::byte` or `const std::byte`.
template <typename Byte>
class BasicNode {
    template <typename T>
    using Like = std::conditional_t<std::is_const_v<Byte>, const T, T>;

  public:
    BasicNode() = default;
    BasicNode(const NodeLayout& layout, Byte* bytes) : layout_(&layout), bytes_(bytes) {}
    operator BasicNode<const std::byte>() const { return {*layout_, bytes_}; }

    Like<NodeHeader>& header() const { return *at<NodeHeader>(0); }
    Like<std::uint8_t>* own_code() const { return at<std::uint8_t>(sizeof(NodeHeader)); }
    Like<void>* own() const { return at<char>(layout_->own); }
    Like<NodeId>* ids() const { return at<NodeId>(layout_->ids); }
    Like<float>* add() const { return at<float>(layout_->add); }
    Like<f16>* rescale() const { return at<f16>(layout_->rescale); }
    Like<std::uint8_t>* centroid() const { return at<std::uint8_t>(layout_->centroid); }
    Like<std::uint8_t>* pinned_bits() const { return at<std::uint8_t>(layout_->pinned); }
    Like<std::uint8_t>* codes() const { return at<std::uint8_t>(layout_->codes); }

    const NodeLayout& layout() const { return *layout_; }
    std::size_t degree() const { return header().degree; }
    bool used() const { return (header().flags & kNodeUsed) != 0; }
    bool live() const { return (header().flags & (kNodeUsed | kNodeTombstone)) == kNodeUsed; }
    std::span<const NodeId> neighbors() const { return {ids(), degree()}; }

    // The own vector where it is inline.
    StoredVector vector() const { return {own(), header().unit, layout_->own_format}; }

    CodeBlocks blocks() const {
        return {codes(), add(), rescale(), centroid(), layout_->blocks_of(degree())};
    }

    // The edge that leads here: what neighbours copy.
    Edge edge_to(NodeId id) const {
        return {id, {header().add, header().rescale, header().centroid}, own_code()};
    }
    void set_own_factors(const CodeFactors& factors) const requires(!std::is_const_v<Byte>) {
        header().add = factors.add;
        header().rescale = factors.rescale;
        header().centroid = factors.centroid;
    }

    bool pinned(std::size_t lane) const { return (pinned_bits()[lane / 8] >> lane % 8 & 1) != 0; }
    void set_pinned(std::size_t lane, std::uint8_t value) const requires(!std::is_const_v<Byte>) {
        const auto bit = static_cast<std::uint8_t>(1u << lane % 8);
        std::uint8_t& bits = pinned_bits()[lane / 8];
        bits = static_cast<std::uint8_t>(value != 0 ? bits | bit : bits & ~bit);
    }
    std::size_t pinned_count() const {
        std::size_t count = 0;
        for (std::size_t lane = 0; lane < degree(); ++lane) count += pinned(lane) ? 1 : 0;
        return count;
    }

    // Copies lane i out; `code` has room for layout.code_bytes().
    CodeFactors read_code(std::size_t lane, std::uint8_t* code) const {
        const std::uint8_t* first = lane_bytes(lane);
        for (std::size_t j = 0; j < layout_->code_bytes(); ++j) code[j] = first[j * kBlockLanes];
        return {add()[lane], rescale()[lane], centroid()[lane]};
    }

    // Writes lane i, not pinned. The degree is the caller's.
    void write_edge(std::size_t lane, const Edge& edge) const requires(!std::is_const_v<Byte>) {
        ids()[lane] = edge.id;
        add()[lane] = edge.factors.add;
        rescale()[lane] = edge.factors.rescale;
        centroid()[lane] = edge.factors.centroid;
        set_pinned(lane, 0);
        std::uint8_t* first = lane_bytes(lane);
        for (std::size_t j = 0; j < layout_->code_bytes(); ++j) first[j * kBlockLanes] = edge.code[j];
    }

    // Copies lane `from` over lane `to`.
    void move_edge(std::size_t from, std::size_t to) const requires(!std::is_const_v<Byte>) {
        ids()[to] = ids()[from];
        add()[to] = add()[from];
        rescale()[to] = rescale()[from];
        centroid()[to] = centroid()[from];
        set_pinned(to, pinned(from) ? 1 : 0);
        std::uint8_t* target = lane_bytes(to);
        const std::uint8_t* source = lane_bytes(from);
        for (std::size_t j = 0; j < layout_->code_bytes(); ++j)
            target[j * kBlockLanes] = source[j * kBlockLanes];
    }

  private:
    template <typename T>
    Like<T>* at(std::size_t offset) const {
        return reinterpret_cast<Like<T>*>(bytes_ + offset);
    }
    Like<std::uint8_t>* lane_bytes(std::size_t lane) const {
        return codes() + lane / kBlockLanes * layout_->code_bytes() * kBlockLanes + lane % kBlockLanes;
    }

    const NodeLayout* layout_ = nullptr;
    Byte* bytes_ = nullptr;
};

using Node = BasicNode<std::byte>;
using ConstNode = BasicNode<const std::byte>;

}  // namespace vecidx

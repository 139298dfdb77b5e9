// Nodes as bytes: layouts that fit and do not overlap for every dimension, and edges that come out as they
// went in.
#include "vecidx/node.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <string>

#include "support.hpp"
#include "vecidx/rotation.hpp"

namespace vecidx::test {
namespace {

constexpr std::size_t kPage = 8152;

std::string text(const NodeLayout& l) {
    return "padded " + std::to_string(l.padded) + ", code dims " + std::to_string(l.code_dims) + ", bits " +
           std::to_string(l.bits) + ", degree " + std::to_string(l.degree);
}

// The parts in order, each behind the one before, each aligned for what it holds.
void expect_sound(const NodeLayout& l) {
    const std::size_t own = l.own_place == OwnPlace::kInline ? stored_bytes(l.own_format, l.padded) : 0;
    struct Part {
        std::size_t offset, bytes, alignment;
    };
    const Part parts[] = {{0, sizeof(NodeHeader), alignof(NodeHeader)},
                          {sizeof(NodeHeader), l.code_bytes(), 1},
                          {l.own, own, alignof(f16)},
                          {l.ids, l.degree * sizeof(NodeId), alignof(NodeId)},
                          {l.add, l.degree * sizeof(float), alignof(float)},
                          {l.rescale, l.degree * sizeof(f16), alignof(f16)},
                          {l.centroid, l.degree, 1},
                          {l.pinned, l.degree / 8u, 1},
                          {l.codes, l.degree * l.code_bytes(), 1},
                          {l.size, 0, 8}};
    std::size_t end = 0;
    for (const Part& part : parts) {
        EXPECT_GE(part.offset, end) << text(l);
        EXPECT_EQ(part.offset % part.alignment, 0u) << text(l);
        end = part.offset + part.bytes;
    }
}

TEST(NodeLayoutTest, PartsDoNotOverlap) {
    for (std::size_t padded = 16; padded <= 16000; padded += padded < 1024 ? 16 : 112)
        for (std::size_t code_dims : {std::size_t{16}, std::min(padded, kMaxCodeDims)})
            for (unsigned bits : {1, 2, 4})
                for (std::size_t degree : {16, 48, 64, 256})
                    for (OwnFormat format : {OwnFormat::kF16, OwnFormat::kI8})
                        for (OwnPlace place : {OwnPlace::kInline, OwnPlace::kApart})
                            expect_sound(NodeLayout::make(padded, code_dims, bits, degree, format, place));
}

TEST(NodeLayoutTest, EveryWishGetsANodeThatFitsAPage) {
    for (std::size_t dims = 1; dims <= 16001; dims += dims < 2100 ? 7 : 100) {
        for (unsigned bits : {0, 1, 2, 4}) {
            for (std::size_t degree : {0, 16, 20, 32, 64, 128, 512}) {
                const LayoutWish wish{padded_dims(dims), degree, bits};
                const NodeLayout l = choose_layout(wish, kPage);
                ASSERT_GT(l.size, 0u) << dims << " " << bits << " " << degree;
                EXPECT_LE(l.size, kPage) << text(l);
                EXPECT_EQ(l.padded, wish.padded) << text(l);
                EXPECT_GE(l.degree, 16) << text(l);
                EXPECT_EQ(l.degree % kBlockLanes, 0u) << text(l);
                EXPECT_EQ(l.code_dims % 16, 0) << text(l);
                EXPECT_GE(l.code_dims, 16) << text(l);
                EXPECT_LE(l.code_dims, std::min<std::size_t>(l.padded, kMaxCodeDims)) << text(l);
                EXPECT_TRUE(bits == 0 || l.bits == bits) << text(l);
                EXPECT_TRUE(degree == 0 || l.degree <= round_up<std::size_t>(degree, kBlockLanes)) << text(l);
                expect_sound(l);
            }
        }
    }
}

TEST(NodeLayoutTest, DefaultsForKnownDimensions) {
    const NodeLayout small = choose_layout({128}, kPage);
    EXPECT_EQ(small.bits, 2);
    EXPECT_EQ(small.degree, 48);
    EXPECT_EQ(kPage / small.size, 3u) << "48 edges are for one node more a page";
    EXPECT_EQ(small.own_place, OwnPlace::kInline);
    const NodeLayout large = choose_layout({768}, kPage);
    EXPECT_EQ(large.bits, 1);
    EXPECT_EQ(large.degree, 48) << "halves are worth 16 edges";
    EXPECT_EQ(large.own_format, OwnFormat::kF16);
    EXPECT_EQ(choose_layout({1024}, kPage).own_format, OwnFormat::kI8);
    EXPECT_GE(choose_layout({1536}, kPage).degree, 32);
    EXPECT_EQ(choose_layout({16000}, kPage).own_place, OwnPlace::kApart);
}

// A node with nothing around it but bytes that must not change.
class NodeTest : public ::testing::TestWithParam<std::array<unsigned, 3>> {
  protected:
    NodeTest()
        : layout_(NodeLayout::make(GetParam()[0], GetParam()[0], GetParam()[1], GetParam()[2], OwnFormat::kI8,
                                   OwnPlace::kInline)),
          bytes_((layout_.size + 64) / 8, 0x5a5a5a5a5a5a5a5aULL) {}

    ~NodeTest() override {
        for (std::size_t i = layout_.size / 8; i < bytes_.size(); ++i)
            EXPECT_EQ(bytes_[i], 0x5a5a5a5a5a5a5a5aULL) << "written past the end";
    }

    Node node() { return {layout_, reinterpret_cast<std::byte*>(bytes_.data())}; }

    struct OwnedEdge {
        NodeId id;
        CodeFactors factors;
        std::vector<std::uint8_t> code;
        Edge view() const { return {id, factors, code.data()}; }
    };

    OwnedEdge random_edge() {
        OwnedEdge e{static_cast<NodeId>(random_()),
                    {normal(random_), static_cast<f16>(random_()), static_cast<std::uint8_t>(random_())},
                    std::vector<std::uint8_t>(layout_.code_bytes())};
        for (std::uint8_t& byte : e.code) byte = static_cast<std::uint8_t>(random_());
        return e;
    }

    void expect_edge(std::size_t lane, const OwnedEdge& expected) {
        std::vector<std::uint8_t> code(layout_.code_bytes());
        const CodeFactors factors = ConstNode(node()).read_code(lane, code.data());
        EXPECT_EQ(node().ids()[lane], expected.id);
        EXPECT_EQ(factors.add, expected.factors.add);
        EXPECT_EQ(factors.rescale, expected.factors.rescale);
        EXPECT_EQ(factors.centroid, expected.factors.centroid);
        EXPECT_EQ(code, expected.code);
    }

    Generator random_{1};
    NodeLayout layout_;
    std::vector<std::uint64_t> bytes_;
};

INSTANTIATE_TEST_SUITE_P(Layouts, NodeTest,
                         ::testing::Values(std::array{16u, 1u, 16u}, std::array{128u, 2u, 64u},
                                           std::array{112u, 4u, 48u}, std::array{768u, 1u, 32u}));

TEST_P(NodeTest, EdgesComeOutAsTheyWentIn) {
    std::vector<OwnedEdge> edges;
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) {
        edges.push_back(random_edge());
        node().write_edge(lane, edges[lane].view());
    }
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) expect_edge(lane, edges[lane]);
    for (int i = 0; i < 50; ++i) {
        const std::size_t from = random_() % layout_.degree, to = random_() % layout_.degree;
        node().move_edge(from, to);
        edges[to] = edges[from];
    }
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) expect_edge(lane, edges[lane]);
}

TEST_P(NodeTest, PinsAreOfTheirLane) {
    std::memset(bytes_.data(), 0, layout_.size);
    node().header().degree = layout_.degree;
    std::vector<bool> expected(layout_.degree);
    const auto expect_pins = [&] {
        for (std::size_t lane = 0; lane < layout_.degree; ++lane)
            ASSERT_EQ(ConstNode(node()).pinned(lane), expected[lane]) << lane;
        const auto count = static_cast<std::size_t>(std::count(expected.begin(), expected.end(), true));
        ASSERT_EQ(node().pinned_count(), count);
    };
    for (int i = 0; i < 200; ++i) {
        const std::size_t lane = random_() % layout_.degree;
        const auto value = static_cast<std::uint8_t>(random_() % 2);
        node().set_pinned(lane, value);
        expected[lane] = value != 0;
        expect_pins();
    }
    for (int i = 0; i < 100; ++i) {
        const std::size_t from = random_() % layout_.degree, to = random_() % layout_.degree;
        node().move_edge(from, to);
        expected[to] = expected[from];
        expect_pins();
    }
    for (std::size_t lane = 0; lane < layout_.degree; lane += 3) {
        node().write_edge(lane, random_edge().view());
        expected[lane] = false;
        expect_pins();
    }
}

TEST_P(NodeTest, PinsBeyondTheDegreeDoNotCount) {
    std::memset(bytes_.data(), 0, layout_.size);
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) node().set_pinned(lane, 1);
    for (std::size_t degree = 0; degree <= layout_.degree; ++degree) {
        node().header().degree = static_cast<std::uint16_t>(degree);
        ASSERT_EQ(node().pinned_count(), degree);
    }
}

// Setting a pin touches nothing else.
TEST_P(NodeTest, PinsAreBytesOfTheirOwn) {
    std::vector<OwnedEdge> edges;
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) {
        edges.push_back(random_edge());
        node().write_edge(lane, edges[lane].view());
    }
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) node().set_pinned(lane, 1);
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) {
        EXPECT_TRUE(node().pinned(lane));
        expect_edge(lane, edges[lane]);
    }
}

// Lane bytes lie where the scan looks for them.
TEST_P(NodeTest, CodesLieAsTheScanReadsThem) {
    const std::size_t plane = layout_.plane_bytes();
    for (std::size_t lane = 0; lane < layout_.degree; ++lane) {
        const OwnedEdge edge = random_edge();
        node().write_edge(lane, edge.view());
        const CodeBlocks blocks = ConstNode(node()).blocks();
        for (std::size_t p = 0; p < layout_.bits; ++p)
            for (std::size_t j = 0; j < plane; ++j)
                ASSERT_EQ(blocks.codes[((lane / 16 * layout_.bits + p) * plane + j) * 16 + lane % 16],
                          edge.code[p * plane + j]);
    }
    for (std::size_t degree = 0; degree <= layout_.degree; ++degree) {
        node().header().degree = static_cast<std::uint16_t>(degree);
        EXPECT_EQ(ConstNode(node()).blocks().blocks, (degree + 15) / 16);
        EXPECT_EQ(node().neighbors().size(), degree);
    }
}

TEST_P(NodeTest, TheEdgeToANodeIsItsOwnCode) {
    const OwnedEdge own = random_edge();
    std::memset(bytes_.data(), 0, layout_.size);
    node().set_own_factors(own.factors);
    std::copy(own.code.begin(), own.code.end(), node().own_code());
    const Edge edge = ConstNode(node()).edge_to(own.id);
    node().write_edge(layout_.degree - 1u, edge);
    expect_edge(layout_.degree - 1u, own);
    EXPECT_EQ(node().header().unit, 0);
    EXPECT_EQ(static_cast<std::int8_t*>(node().own())[0], 0);
}

TEST_P(NodeTest, FlagsTellWhatLives) {
    const auto with = [this](int flags) {
        node().header().flags = static_cast<std::uint16_t>(flags);
        return node();
    };
    EXPECT_FALSE(with(0).used());
    EXPECT_FALSE(with(0).live());
    EXPECT_TRUE(with(kNodeUsed).live());
    EXPECT_TRUE(with(kNodeUsed | kNodeTombstone).used());
    EXPECT_FALSE(with(kNodeUsed | kNodeTombstone).live());
    node().header().unit = 0.5f;
    EXPECT_EQ(node().vector().unit, 0.5f);
    EXPECT_EQ(node().vector().data, node().own());
}

TEST(HeapTidTest, KeysOrderByBlockAndOffset) {
    EXPECT_EQ((HeapTid{0x1234, 0x5678, 0x9abc}.key()), 0x123456789abcULL);
    EXPECT_LT((HeapTid{0, 0xffff, 0xffff}.key()), (HeapTid{1, 0, 0}.key()));
    EXPECT_LT((HeapTid{0, 0x8000, 9}.key()), (HeapTid{0x8000, 0, 1}.key()));
}

}  // namespace
}  // namespace vecidx::test

// Giving a node other edges: those that stay keep their lane and pin, the others are as wanted.
#include "vecidx/replace_edges.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "support.hpp"

namespace vecidx::test {
namespace {

class ReplaceEdgesTest : public testing::Test {
  protected:
    ReplaceEdgesTest()
        : layout_(NodeLayout::make(32, 32, 2, 16, OwnFormat::kF16, OwnPlace::kInline)),
          bytes_(layout_.size) {}

    Node node() { return {layout_, bytes_.data()}; }

    // The code of an edge tells where it leads.
    Edge edge_to(NodeId id) {
        codes_.assign(layout_.code_bytes(), static_cast<std::uint8_t>(id));
        return {id, {static_cast<float>(id), f16{}, static_cast<std::uint8_t>(id % 7)}, codes_.data()};
    }

    void give(std::span<const NodeId> ids) {
        for (const NodeId id : ids) {
            const std::size_t lane = node().degree();
            node().write_edge(lane, edge_to(id));
            node().header().degree = static_cast<std::uint16_t>(lane + 1);
        }
    }

    void expect_leads_to(std::span<const NodeId> wanted) {
        ASSERT_EQ(node().degree(), wanted.size());
        EXPECT_TRUE(leads_to(node(), wanted));
        std::vector<std::uint8_t> code(layout_.code_bytes());
        for (std::size_t lane = 0; lane < node().degree(); ++lane) {
            const NodeId id = node().ids()[lane];
            EXPECT_EQ(node().read_code(lane, code.data()).add, static_cast<float>(id));
            EXPECT_EQ(code, std::vector<std::uint8_t>(code.size(), static_cast<std::uint8_t>(id)));
        }
    }

    NodeLayout layout_;
    std::vector<std::byte> bytes_;
    std::vector<std::uint8_t> codes_;
};

TEST_F(ReplaceEdgesTest, AnyChange) {
    Generator random(3);
    for (int round = 0; round < 300; ++round) {
        std::set<NodeId> before, after;
        while (before.size() < static_cast<std::size_t>(round % 17)) before.insert(random() % 40);
        const std::size_t size = random() % 17;
        while (after.size() < size) after.insert(random() % 40);
        std::fill(bytes_.begin(), bytes_.end(), std::byte{0});
        const std::vector<NodeId> old(before.begin(), before.end()), wanted(after.begin(), after.end());
        give(old);
        std::map<NodeId, bool> pinned;
        for (std::size_t lane = 0; lane < node().degree(); lane += 2) node().set_pinned(lane, 1);
        for (std::size_t lane = 0; lane < node().degree(); ++lane)
            pinned[node().ids()[lane]] = node().pinned(lane);
        replace_edges(node(), wanted, [this](NodeId id) { return edge_to(id); });
        expect_leads_to(wanted);
        for (std::size_t lane = 0; lane < node().degree(); ++lane) {
            const NodeId id = node().ids()[lane];
            EXPECT_EQ(node().pinned(lane), before.count(id) != 0 && pinned[id]) << id;
        }
    }
}

TEST_F(ReplaceEdgesTest, EdgesThatStayKeepTheirLanes) {
    give(std::vector<NodeId>{9, 8, 7, 6, 5});
    replace_edges(node(), std::vector<NodeId>{1, 6, 7, 9, 30}, [this](NodeId id) { return edge_to(id); });
    const std::span<const NodeId> ids = node().neighbors();
    EXPECT_EQ(std::vector<NodeId>(ids.begin(), ids.end()), (std::vector<NodeId>{9, 1, 7, 6, 30}));
}

TEST_F(ReplaceEdgesTest, KnowsWhatItLeadsTo) {
    give(std::vector<NodeId>{3, 1, 2});
    EXPECT_TRUE(leads_to(node(), std::vector<NodeId>{1, 2, 3}));
    EXPECT_FALSE(leads_to(node(), std::vector<NodeId>{1, 2, 4}));
    EXPECT_FALSE(leads_to(node(), std::vector<NodeId>{1, 2}));
}

}  // namespace
}  // namespace vecidx::test

// Reverse edges by what a node holds. The vectors are sums of rows of a Hadamard matrix around a centroid, of
// which a code of several bits is nearly exact: the distances are known, and far from every limit of the
// rule.
#include "vecidx/reverse.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "support.hpp"

namespace vecidx::test {
namespace {

constexpr std::size_t kDims = 64;
constexpr std::size_t kDegree = 16;
constexpr float kAlpha = 1.2f;
constexpr std::uint64_t kFiller = 0x5a5a5a5a5a5a5a5aULL;

using Point = std::vector<float>;
using Ids = std::set<NodeId>;

// from + length times the k-th of 64 orthogonal unit vectors.
Point step(Point from, unsigned k, double length) {
    for (unsigned d = 0; d < kDims; ++d) {
        const double unit = (std::popcount(k & d) % 2 == 0 ? 1 : -1) / std::sqrt(double{kDims});
        from[d] += static_cast<float>(length * unit);
    }
    return from;
}

class ReverseTest : public ::testing::Test {
  protected:
    ReverseTest() {
        center_ = step(Point(kDims), 63, 0.7);
        centroids_ = center_;
        const Point other = step(center_, 62, 3);
        centroids_.insert(centroids_.end(), other.begin(), other.end());
        book_.padded = book_.code_dims = kDims;
        book_.bits = 4;
        book_.centroid_count = 2;
        book_.centroids = centroids_.data();
        layout_ = NodeLayout::make(kDims, kDims, book_.bits, kDegree, OwnFormat::kI8, OwnPlace::kInline);
        bytes_.assign((layout_.size + 64) / 8, kFiller);
        std::memset(bytes_.data(), 0, layout_.size);
        linker_.begin(node(), center_.data());
    }

    ~ReverseTest() override {
        for (std::size_t i = layout_.size / 8; i < bytes_.size(); ++i)
            EXPECT_EQ(bytes_[i], kFiller) << "written past the end";
    }

    Node node() { return {layout_, reinterpret_cast<std::byte*>(bytes_.data())}; }

    Point on(unsigned k, double length) const { return step(center_, k, length); }

    bool add(NodeId id, const Point& x, Pin pin, ReverseLinker& linker, std::uint8_t centroid = 0) {
        std::vector<std::uint8_t> code(layout_.code_bytes());
        const CodeFactors factors = encode(book_, x.data(), centroid, code.data());
        codes_[id] = {factors, code};
        const auto distance = static_cast<float>(squared_distance(x.data(), center_.data(), kDims));
        QueryCode table(std::pmr::new_delete_resource());
        table.prepare(book_, x.data());
        return linker.add({id, factors, code.data()}, table.table(), distance, pin);
    }
    bool add(NodeId id, const Point& x, Pin pin = Pin::kNo) { return add(id, x, pin, linker_); }

    // Nodes 0 to 15 in orthogonal directions, node i at `length(i)`.
    template <typename Fn>
    void fill(Fn length, const Ids& pinned = {}) {
        for (NodeId i = 0; i < kDegree; ++i)
            ASSERT_TRUE(add(i, on(i, length(i)), pinned.contains(i) ? Pin::kYes : Pin::kNo));
    }
    void fill_spiral(const Ids& pinned = {}) {
        fill([](NodeId i) { return 1 + 0.1 * i; }, pinned);
    }

    Ids ids() {
        const auto list = node().neighbors();
        const Ids set(list.begin(), list.end());
        EXPECT_EQ(set.size(), list.size()) << "an edge twice";
        return set;
    }
    static Ids range(NodeId first, NodeId last) {
        Ids set;
        for (NodeId i = first; i <= last; ++i) set.insert(i);
        return set;
    }
    static Ids changed(Ids set, const Ids& gone, const Ids& come) {
        for (const NodeId id : gone) set.erase(id);
        set.insert(come.begin(), come.end());
        return set;
    }
    Ids pinned_ids() {
        Ids set;
        for (std::size_t lane = 0; lane < node().degree(); ++lane)
            if (node().pinned(lane)) set.insert(node().ids()[lane]);
        return set;
    }

    // Every lane holds the code and the factors of the edge that it names.
    void expect_codes_intact() {
        for (std::size_t lane = 0; lane < node().degree(); ++lane) {
            const auto& [factors, expected] = codes_.at(node().ids()[lane]);
            std::vector<std::uint8_t> code(layout_.code_bytes());
            const CodeFactors held = node().read_code(lane, code.data());
            EXPECT_EQ(code, expected);
            EXPECT_EQ(held.add, factors.add);
            EXPECT_EQ(held.rescale, factors.rescale);
            EXPECT_EQ(held.centroid, factors.centroid);
        }
    }

    const Ids all_ = range(0, kDegree - 1);
    Codebook book_;
    Point center_;
    std::vector<float> centroids_;
    NodeLayout layout_{};
    std::vector<std::uint64_t> bytes_;
    std::map<NodeId, std::pair<CodeFactors, std::vector<std::uint8_t>>> codes_;
    ReverseLinker linker_{book_, kAlpha, std::pmr::new_delete_resource()};
};

// While there is room even an edge that another one covers is taken.
TEST_F(ReverseTest, AppendsWhileThereIsRoom) {
    for (NodeId i = 0; i < kDegree; ++i) {
        EXPECT_TRUE(add(i, on(0, 1 + 0.01 * i), i % 3 == 0 ? Pin::kYes : Pin::kNo));
        ASSERT_EQ(node().degree(), i + 1);
        EXPECT_EQ(node().ids()[i], i);
        EXPECT_EQ(node().pinned(i), i % 3 == 0);
    }
    expect_codes_intact();
}

TEST_F(ReverseTest, AnEdgeThatIsThereIsNotRepeatedButPinned) {
    EXPECT_TRUE(add(7, on(1, 1)));
    EXPECT_TRUE(add(7, on(1, 1)));
    EXPECT_EQ(node().degree(), 1u);
    EXPECT_FALSE(node().pinned(0));
    EXPECT_TRUE(add(7, on(1, 1), Pin::kYes));
    EXPECT_TRUE(node().pinned(0));
    EXPECT_TRUE(add(7, on(1, 1)));
    EXPECT_TRUE(node().pinned(0)) << "a pin stays";
    EXPECT_EQ(node().degree(), 1u);
}

TEST_F(ReverseTest, AnEdgeOfAFullNodeIsNotRepeatedEither) {
    fill_spiral();
    const std::vector<std::uint64_t> before = bytes_;
    EXPECT_TRUE(add(15, on(15, 2.5)));
    EXPECT_EQ(bytes_, before);
    EXPECT_TRUE(add(4, on(4, 1.4), Pin::kYes));
    EXPECT_EQ(ids(), all_);
    EXPECT_EQ(pinned_ids(), Ids{4});
}

TEST_F(ReverseTest, ACoveredOneIsLeftOut) {
    fill([](NodeId i) { return i < 15 ? 1 : 10; });
    const std::vector<std::uint64_t> before = bytes_;
    EXPECT_FALSE(add(100, on(3, 1.2)));
    EXPECT_EQ(bytes_, before) << "and the far node 15 stays";
}

// x at squared distance 2 from node 3, which is at 1 from p, and 3 from p.
TEST_F(ReverseTest, AlphaSaysWhatIsCovered) {
    const Point x = step(on(3, 1), 40, std::sqrt(2.0));
    fill([](NodeId i) { return i < 15 ? 1 : 10; });
    EXPECT_FALSE(add(100, x));
    ReverseLinker strict(book_, 2, std::pmr::new_delete_resource());
    strict.begin(node(), center_.data());
    EXPECT_TRUE(add(100, x, Pin::kNo, strict));
    EXPECT_EQ(ids(), changed(all_, {15}, {100}));
}

// Node 3 at squared distance 4 from x, which is at 1 from p, and 5 from p.
TEST_F(ReverseTest, AlphaSaysWhatMakesRoom) {
    const Point x = on(40, 1);
    for (const float alpha : {kAlpha, 2.0f}) {
        std::memset(bytes_.data(), 0, layout_.size);
        ReverseLinker linker(book_, alpha, std::pmr::new_delete_resource());
        linker.begin(node(), center_.data());
        for (NodeId i = 0; i < kDegree; ++i) {
            const Point v = i == 3 ? step(x, 50, 2) : on(i, i == 9 ? 5 : 1.1);
            ASSERT_TRUE(add(i, v, Pin::kNo, linker));
        }
        EXPECT_TRUE(add(100, x, Pin::kNo, linker));
        EXPECT_EQ(ids(), changed(all_, {alpha == kAlpha ? 3u : 9u}, {100}));
    }
}

// Nodes 3, 14 and 15 follow x on its ray, node 15 twice as far as that; node 13 is near x but nearer to p.
TEST_F(ReverseTest, FartherOnesThatItCoversMakeRoom) {
    for (NodeId i = 0; i < 13; ++i) ASSERT_TRUE(add(i, on(i, i == 3 ? 1.2 : 1)));
    ASSERT_TRUE(add(13, step(on(3, 0.3), 50, 0.8)));
    ASSERT_TRUE(add(14, on(3, 1.3)));
    ASSERT_TRUE(add(15, on(3, 2)));
    EXPECT_TRUE(add(100, on(3, 1)));
    EXPECT_EQ(ids(), changed(all_, {3, 14, 15}, {100}));
    EXPECT_EQ(node().degree(), 14u);
    expect_codes_intact();
}

TEST_F(ReverseTest, TheFarthestIsReplacedByANearerOne) {
    fill_spiral();
    EXPECT_FALSE(add(100, on(40, 2.6)));
    EXPECT_EQ(ids(), all_);
    EXPECT_TRUE(add(101, on(41, 2.35)));
    EXPECT_EQ(ids(), changed(all_, {15}, {101}));
    EXPECT_FALSE(add(102, on(42, 2.45))) << "farther than all that are there now";
    EXPECT_TRUE(add(103, on(43, 0.5)));
    EXPECT_EQ(ids(), changed(all_, {14, 15}, {101, 103}));
    expect_codes_intact();
}

// In whatever order they come, the nearest of orthogonal ones stay: what is known of a lane moves with it.
TEST_F(ReverseTest, TheNearestStayInAnyOrder) {
    Generator random(3);
    for (int round = 0; round < 20; ++round) {
        std::memset(bytes_.data(), 0, layout_.size);
        linker_.begin(node(), center_.data());
        std::vector<NodeId> order(48);
        std::iota(order.begin(), order.end(), 0u);
        std::shuffle(order.begin(), order.end(), random);
        for (const NodeId id : order) add(id, on(id, 1 + 0.05 * id), Pin::kNo, linker_, id % 2);
        EXPECT_EQ(ids(), all_);
        expect_codes_intact();
    }
}

TEST_F(ReverseTest, APinnedEdgeThatIsCoveredStays) {
    fill([](NodeId i) { return i == 3 ? 1.2 : i == 9 ? 3 : 1; }, {3});
    EXPECT_TRUE(add(100, on(3, 1.1)));
    EXPECT_EQ(ids(), changed(all_, {9}, {100})) << "the farthest goes instead";
    EXPECT_EQ(pinned_ids(), Ids{3});
    expect_codes_intact();
}

TEST_F(ReverseTest, OfThePinnedNoneIsReplaced) {
    fill_spiral({12, 14, 15});
    EXPECT_TRUE(add(100, on(40, 0.5)));
    EXPECT_EQ(ids(), changed(all_, {13}, {100}));
    EXPECT_EQ(pinned_ids(), (Ids{12, 14, 15}));
}

// It takes the place of the farthest that is not pinned, nearer or not.
TEST_F(ReverseTest, APinnedOneIsNotLeftOut) {
    fill([](NodeId i) { return i == 9 ? 3 : 1; }, {0, 1, 2});
    EXPECT_TRUE(add(100, on(3, 1.2), Pin::kYes)) << "though node 3 covers it";
    EXPECT_EQ(ids(), changed(all_, {9}, {100})) << "and node 3 stays";
    EXPECT_TRUE(add(101, on(40, 50), Pin::kYes)) << "though it is the farthest";
    const Ids after = ids();
    EXPECT_EQ(after.size(), kDegree);
    EXPECT_EQ(pinned_ids(), (Ids{0, 1, 2, 100, 101}));
    expect_codes_intact();
}

TEST_F(ReverseTest, WithAllPinnedNoneIsTaken) {
    fill_spiral(all_);
    const std::vector<std::uint64_t> before = bytes_;
    EXPECT_FALSE(add(100, on(40, 0.1), Pin::kYes));
    EXPECT_FALSE(add(101, on(41, 0.1), Pin::kNo));
    EXPECT_EQ(bytes_, before);
}

// Random ones, near each other and far, pinned now and then: no pin is lost before all lanes are pinned, no
// pinned one refused.
TEST_F(ReverseTest, PinsHoldWhateverComes) {
    Generator random(5);
    for (int round = 0; round < 30; ++round) {
        std::memset(bytes_.data(), 0, layout_.size);
        linker_.begin(node(), center_.data());
        Ids pinned;
        for (NodeId id = 0; id < 200; ++id) {
            Point x = on(static_cast<unsigned>(random() % 4), 1 + 0.1 * static_cast<double>(random() % 20));
            for (float& v : x) v += 0.05f * normal(random);
            const bool pin = random() % 12 == 0;
            const bool room = pinned.size() < kDegree;
            const bool taken = add(id, x, pin ? Pin::kYes : Pin::kNo, linker_, random() % 2);
            EXPECT_TRUE(taken || !pin || !room);
            EXPECT_EQ(ids().contains(id), taken);
            if (pin && taken) pinned.insert(id);
            ASSERT_LE(node().degree(), kDegree);
            ASSERT_EQ(pinned_ids(), pinned);
        }
        expect_codes_intact();
    }
}

// What was measured at one node says nothing of the next.
TEST_F(ReverseTest, EachNodeIsMeasuredAnew) {
    ReverseLinker other(book_, kAlpha, std::pmr::new_delete_resource());
    fill_spiral();
    EXPECT_TRUE(add(100, on(40, 0.9)));
    std::memset(bytes_.data(), 0, layout_.size);
    other.begin(node(), center_.data());
    for (NodeId i = 0; i < kDegree; ++i) ASSERT_TRUE(add(i, on(i, 2.5 - 0.1 * i), Pin::kNo, other));
    linker_.begin(node(), center_.data());
    EXPECT_TRUE(add(101, on(41, 2.3)));
    EXPECT_EQ(ids(), changed(all_, {0}, {101}));
}

// With its own vector's table in place of the vector a node gets the same edges.
TEST_F(ReverseTest, ATableStandsForTheVector) {
    QueryCode own(std::pmr::new_delete_resource());
    own.prepare(book_, center_.data());
    std::vector<std::uint64_t> by_vector;
    for (const bool by_table : {false, true}) {
        std::memset(bytes_.data(), 0, layout_.size);
        by_table ? linker_.begin(node(), own.table()) : linker_.begin(node(), center_.data());
        for (NodeId id = 0; id < 40; ++id)
            add(id, on(id, 1 + 0.05 * (id * 7 % 40)), Pin::kNo, linker_, id % 2);
        if (!by_table) by_vector = bytes_;
    }
    EXPECT_EQ(ids().size(), kDegree);
    EXPECT_EQ(bytes_, by_vector);
}

// Tables that are kept estimate as the ones they were copied from, whatever was prepared since.
TEST_F(ReverseTest, KeptTablesEstimateTheSame) {
    fill_spiral();
    constexpr std::size_t kCount = 5;
    TableStore store(book_, kCount, std::pmr::new_delete_resource());
    QueryCode code(std::pmr::new_delete_resource());
    std::vector<std::vector<float>> expected(kCount, std::vector<float>(kDegree));
    for (const unsigned i : {3u, 0u, 4u, 1u, 2u}) {
        code.prepare(book_, on(i, 1 + 0.3 * i).data());
        kernels().scan(node().blocks(), code.table(), expected[i].data());
        store.keep(i, code.table());
    }
    for (std::size_t i = 0; i < kCount; ++i) {
        std::vector<float> estimates(kDegree);
        kernels().scan(node().blocks(), store[i], estimates.data());
        EXPECT_EQ(estimates, expected[i]) << "vector " << i;
    }
}

// A damaged edge may name any centroid; run with SANITIZE=1 for what is read.
TEST_F(ReverseTest, KeptTablesHaveATermForEveryCentroid) {
    fill_spiral();
    node().centroid()[5] = 255;
    TableStore store(book_, 1, std::pmr::new_delete_resource());
    QueryCode code(std::pmr::new_delete_resource());
    code.prepare(book_, center_.data());
    store.keep(0, code.table());
    std::vector<float> estimates(kDegree);
    kernels().scan(node().blocks(), store[0], estimates.data());
    for (std::size_t lane = 0; lane < kDegree; ++lane) {
        if (lane == 5) continue;
        const double length = 1 + 0.1 * static_cast<double>(lane);
        EXPECT_NEAR(estimates[lane], length * length, 0.1) << "lane " << lane;
    }
}

}  // namespace
}  // namespace vecidx::test

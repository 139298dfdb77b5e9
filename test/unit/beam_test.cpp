// The beam against a plain list that is sorted after every step.
#include "vecidx/beam.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "support.hpp"

namespace vecidx::test {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What the header says, slowly. Among equal distances the first to come stays in front.
class PlainBeam {
  public:
    explicit PlainBeam(std::size_t capacity) : capacity_(capacity) {}

    void offer(NodeId id, float distance) {
        if (distance >= threshold() || !seen_.insert(id).second) return;
        entries_.push_back({distance, id, false});
        sort();
        if (entries_.size() > capacity_) entries_.pop_back();
    }

    NodeId next() {
        for (Entry& e : entries_) {
            if (e.expanded) continue;
            e.expanded = true;
            return current_ = e.id;
        }
        return kNoNode;
    }

    NodeId peek() const {
        for (const Entry& e : entries_)
            if (!e.expanded) return e.id;
        return kNoNode;
    }

    void settle(float distance) {
        for (Entry& e : entries_)
            if (e.id == current_) e.distance = distance;
        sort();
    }

    float threshold() const { return entries_.size() < capacity_ ? kInfinity : entries_.back().distance; }
    std::size_t size() const { return entries_.size(); }
    std::size_t visited() const { return seen_.size(); }

  private:
    struct Entry {
        float distance;
        NodeId id;
        bool expanded;
    };

    void sort() {
        std::stable_sort(entries_.begin(), entries_.end(),
                         [](const Entry& a, const Entry& b) { return a.distance < b.distance; });
    }

    std::size_t capacity_;
    std::vector<Entry> entries_;
    std::set<NodeId> seen_;
    NodeId current_ = kNoNode;
};

// `ids` small gives duplicates. Distances are distinct unless `steps` is small: then ties abound, and only
// what ties cannot change is compared.
void compare(std::size_t capacity, NodeId ids, std::uint64_t steps, std::uint64_t seed) {
    Generator random(seed);
    Beam beam(std::pmr::new_delete_resource(), 4);
    for (int use = 0; use < 3; ++use) {
        beam.reset(capacity);
        PlainBeam plain(capacity);
        const auto distance = [&] { return static_cast<float>(random() % steps) / 16; };
        for (int i = 0; i < 400; ++i) {
            if (random() % 4 != 0) {
                const auto id = static_cast<NodeId>(random() % ids);
                const float d = distance();
                beam.offer(id, d);
                plain.offer(id, d);
            } else {
                ASSERT_EQ(beam.peek(), plain.peek());
                const NodeId id = beam.next();
                ASSERT_EQ(id, plain.next());
                if (id != kNoNode && random() % 3 != 0) {
                    const float d = distance();
                    beam.settle(d);
                    plain.settle(d);
                }
            }
            ASSERT_EQ(beam.size(), plain.size());
            ASSERT_EQ(beam.threshold(), plain.threshold());
            ASSERT_EQ(beam.visited(), plain.visited());
        }
    }
}

TEST(BeamTest, BehavesAsAPlainList) {
    for (std::size_t capacity : {1, 2, 3, 10, 64, 300})
        for (std::uint64_t seed = 0; seed < 30; ++seed) compare(capacity, 100000, 1u << 24, seed);
}

TEST(BeamTest, LetsANodeInOnce) {
    for (std::size_t capacity : {1, 5, 64})
        for (std::uint64_t seed = 0; seed < 30; ++seed) compare(capacity, 50, 1u << 24, seed);
}

// With ties the order among equals is free; every node let in still comes out once, distances stay sorted.
TEST(BeamTest, TiesLoseNothing) {
    Generator random(1);
    for (std::size_t capacity : {1, 4, 32}) {
        Beam beam(std::pmr::new_delete_resource(), capacity);
        for (int use = 0; use < 50; ++use) {
            beam.reset(capacity);
            std::multiset<float> nearest;
            for (NodeId id = 0; id < 100; ++id) {
                const auto d = static_cast<float>(random() % 4);
                beam.offer(id, d);
                nearest.insert(d);
            }
            EXPECT_EQ(beam.size(), capacity);
            EXPECT_EQ(beam.threshold(), *std::next(nearest.begin(), static_cast<long>(capacity) - 1));
            std::set<NodeId> out;
            for (NodeId id; (id = beam.next()) != kNoNode;) {
                EXPECT_TRUE(out.insert(id).second) << id;
                beam.settle(static_cast<float>(random() % 4));
            }
            EXPECT_EQ(out.size(), capacity);
        }
    }
}

TEST(BeamTest, SettlingMovesTheThreshold) {
    Beam beam(std::pmr::new_delete_resource(), 3);
    beam.reset(3);
    for (NodeId id : {1u, 2u, 3u}) beam.offer(id, static_cast<float>(id));
    EXPECT_EQ(beam.threshold(), 3);
    EXPECT_EQ(beam.next(), 1u);
    beam.settle(10);
    EXPECT_EQ(beam.threshold(), 10);
    beam.offer(4, 9);
    EXPECT_EQ(beam.threshold(), 9);
    EXPECT_EQ(beam.next(), 2u);
    beam.settle(0.5f);
    EXPECT_EQ(beam.next(), 3u);
    EXPECT_EQ(beam.next(), 4u);
    EXPECT_EQ(beam.next(), kNoNode);
}

TEST(BeamTest, RefusesWhatIsNotNearer) {
    Beam beam(std::pmr::new_delete_resource(), 2);
    beam.offer(1, std::numeric_limits<float>::quiet_NaN());
    beam.offer(2, kInfinity);
    EXPECT_EQ(beam.size(), 0u);
    beam.offer(Beam::kMaxId, 1);
    EXPECT_EQ(beam.peek(), Beam::kMaxId);
    EXPECT_EQ(beam.next(), Beam::kMaxId);
    EXPECT_EQ(beam.next(), kNoNode);
    beam.reset(5);
    EXPECT_EQ(beam.size(), 0u);
    EXPECT_EQ(beam.visited(), 0u);
    EXPECT_EQ(beam.next(), kNoNode);
}

}  // namespace
}  // namespace vecidx::test

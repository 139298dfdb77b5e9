// Local repair around dead nodes. See repair.hpp.
//
// For every node with edges to dead ones: those edges go; what the dead nodes pinned is pinned here instead
// where the edge to the dead node was pinned, so the tree stays whole; and the lanes that are free then take
// the dead nodes' nearest other neighbors, by the estimates that their codes give. A node changes by one
// write, so a crash leaves a valid graph.
#include "am/repair.hpp"

#include "am/batch.hpp"
#include "am/merge_lock.hpp"
#include "pg/memory.hpp"
#include "storage/posting.hpp"

namespace vecidx {
namespace {

constexpr BlockNumber kSlice = 64;  // pages a hold of the graph lock

class Repair {
  public:
    Repair(Relation index, std::pmr::memory_resource* memory, void (*poll)())
        : index_(index),
          poll_(poll),
          meta_(read_meta(index)),
          layout_(meta_.shape.layout),
          dead_(memory),
          dead_bits_(memory),
          image_(memory),
          z_(layout_.padded, memory),
          estimates_(layout_.degree, memory),
          query_(meta_.shape, memory),
          walk_(memory),
          candidates_(memory),
          codes_(memory),
          homeless_(memory),
          hosts_(memory) {}

    void run() {
        collect_dead();
        if (dead_.empty()) return;
        with_lock(index_, IndexLock::kGraph, [this] { replace_entries(); });
        sliced([this](BlockNumber block) { repair_page(block); });
        with_lock(index_, IndexLock::kGraph, [this] { free_dead(); });
    }

  private:
    struct Candidate {
        float distance;
        NodeId id;
        CodeFactors factors;
        std::size_t code;  // offset in codes_
        Pin pin;
        friend bool operator<(const Candidate& a, const Candidate& b) {
            return std::tie(b.pin, a.distance, a.id) < std::tie(a.pin, b.distance, b.id);
        }
    };
    struct Step {
        NodeId id;
        Pin pin;  // whether the edge that led here was pinned
    };

    // Asked for every edge of the graph, so by a bit for each slot there was when the dead were collected.
    bool is_dead(NodeId id) const {
        return id / 64 < dead_bits_.size() && (dead_bits_[id / 64] >> id % 64 & 1) != 0;
    }
    IndexCache* cache() { return index_cache(index_, meta_); }

    // Calls fn for every block, a slice under the graph lock at a time.
    template <typename Fn>
    void sliced(Fn fn) {
        const BlockNumber blocks = RelationGetNumberOfBlocks(index_);
        for (BlockNumber first = kMetaBlock + 1; first < blocks; first += kSlice)
            with_lock(index_, IndexLock::kGraph, [&] {
                for (BlockNumber block = first; block < std::min(blocks, first + kSlice); ++block) {
                    poll_();
                    fn(block);
                }
            });
    }

    // Lends the nodes of a page, share locked, if it is a page of nodes.
    template <typename Fn>
    void each_node(BlockNumber block, Fn fn) {
        const Buffer buffer = ReadBuffer(index_, block);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const Page page = BufferGetPage(buffer);
        if (!PageIsNew(page)) {
            check_page(index_, block, page);
            for (std::size_t slot = 0;
                 page_kind(page) == PageKind::kNode && slot < meta_.shape.nodes_per_page; ++slot) {
                const ConstNode node = node_in(meta_.shape, page, slot);
                if (node.used()) fn(node_id(meta_.shape, block, slot), node);
            }
        }
        UnlockReleaseBuffer(buffer);
    }

    void collect_dead() {
        sliced([this](BlockNumber block) {
            each_node(block, [this](NodeId id, const ConstNode& node) {
                if (!node.live() && id != meta_.medoid) dead_.push_back(id);
            });
        });
        std::sort(dead_.begin(), dead_.end());
        if (dead_.empty()) return;
        dead_bits_.assign(dead_.back() / 64 + 1, 0);
        for (const NodeId id : dead_) dead_bits_[id / 64] |= std::uint64_t{1} << id % 64;
    }

    // Searches start at live nodes, or the medoid.
    void replace_entries() {
        NodeId entries[kMaxCentroids];
        meta_ = read_meta(index_);
        for (std::size_t c = 0; c < meta_.centroid_count; ++c) {
            entries[c] = meta_.entries[c];
            if (!is_dead(entries[c])) continue;
            NodeId replacement = meta_.medoid;
            with_node(index_, cache(), entries[c], [&](const ConstNode& node) {
                for (const NodeId id : node.neighbors())
                    if (replacement == meta_.medoid && !is_dead(id)) replacement = id;
            });
            entries[c] = replacement;
        }
        with_meta_write(index_, [&](Meta& meta) { std::copy_n(entries, meta.centroid_count, meta.entries); });
        meta_ = read_meta(index_);
    }

    void repair_page(BlockNumber block) {
        NodeId wanting[kPageBytes / sizeof(NodeHeader)];
        std::size_t count = 0;
        each_node(block, [&](NodeId id, const ConstNode& node) {
            if (is_dead(id)) return;
            const auto n = node.neighbors();
            if (std::any_of(n.begin(), n.end(), [this](NodeId to) { return is_dead(to); }))
                wanting[count++] = id;
        });
        for (std::size_t i = 0; i < count; ++i) repair_node(wanting[i]);
    }

    void repair_node(NodeId id) {
        load_image(id);
        const Node node(layout_, image_.data());
        gather(id, node);
        for (std::size_t lane = node.degree(); lane-- > 0;) {
            if (!is_dead(node.ids()[lane])) continue;
            const std::size_t last = node.degree() - 1;
            if (lane != last) node.move_edge(last, lane);
            node.header().degree = static_cast<std::uint16_t>(last);
        }
        homeless_.clear();
        for (std::size_t i = 0; i < candidates_.size(); ++i)
            if (!take(node, candidates_[i]) && candidates_[i].pin == Pin::kYes) homeless_.push_back(i);
        // Before the node itself, so that a crash leaves nothing without a way to it.
        for (const std::size_t i : homeless_) find_home(node, candidates_[i]);
        with_write(index_, block_of(meta_.shape, id), PageKind::kNode, [&](Page page) {
            write_edges(node, node_in(meta_.shape, page, slot_of(meta_.shape, id)));
        });
    }

    // Rows may have been added to the node since its image was made, so nothing but edges is copied.
    void write_edges(const ConstNode& from, const Node& to) {
        to.header().degree = from.header().degree;
        std::memcpy(to.ids(), from.ids(), layout_.size - layout_.ids);
    }

    // The node's bytes, and its vector as the query of its neighbors' estimates.
    void load_image(NodeId id) {
        image_.resize(layout_.size);
        const bool there = with_node(index_, cache(), id, [&](const ConstNode& node) {
            std::memcpy(image_.data(), &node.header(), layout_.size);
            load_graph_vector(index_, cache()->geometry, query_, node, z_.data());
        });
        if (!there)
            report_corruption(index_, block_of(meta_.shape, id), "A node vanished while it was repaired.");
        query_.prepare_in_graph(z_.data(), cache()->geometry);
    }

    // What the dead neighbors of a node lead to, pinned first, nearest first.
    void gather(NodeId id, const Node& node) {
        candidates_.clear();
        codes_.clear();
        walk_.clear();
        for (std::size_t lane = 0; lane < node.degree(); ++lane)
            if (is_dead(node.ids()[lane]))
                walk_.push_back({node.ids()[lane], node.pinned(lane) ? Pin::kYes : Pin::kNo});
        for (std::size_t at = 0; at < walk_.size(); ++at) {
            const Step step = walk_[at];
            with_node(index_, cache(), step.id, [&](const ConstNode& dead) {
                kernels().scan(dead.blocks(), *query_.graph.table, estimates_.data());
                for (std::size_t lane = 0; lane < dead.degree(); ++lane) {
                    const NodeId to = dead.ids()[lane];
                    const Pin pin = step.pin == Pin::kYes && dead.pinned(lane) ? Pin::kYes : Pin::kNo;
                    if (!is_dead(to) && to != id) note(dead, lane, pin);
                    // What a dead node pinned through other dead ones is inherited all the same.
                    if (is_dead(to) && pin == Pin::kYes) walk_.push_back({to, pin});
                }
            });
        }
        std::sort(candidates_.begin(), candidates_.end());
    }

    void note(const ConstNode& dead, std::size_t lane, Pin pin) {
        const std::size_t at = codes_.size();
        codes_.resize(at + layout_.code_bytes());
        const CodeFactors factors = dead.read_code(lane, codes_.data() + at);
        candidates_.push_back({estimates_[lane], dead.ids()[lane], factors, at, pin});
    }

    // Adds a candidate where there is a lane, or, for a pinned one, where one is not pinned.
    bool take(const Node& node, const Candidate& c) {
        std::size_t lane = 0, loose = node.degree();
        for (; lane < node.degree() && node.ids()[lane] != c.id; ++lane)
            if (!node.pinned(lane)) loose = lane;
        const bool there = lane < node.degree();
        if (!there && node.degree() == layout_.degree) {
            if (c.pin == Pin::kNo || loose == node.degree()) return false;
            lane = loose;
        }
        if (!there) node.write_edge(lane, {c.id, c.factors, codes_.data() + c.code});
        if (c.pin == Pin::kYes) node.set_pinned(lane, 1);
        if (lane == node.degree()) node.header().degree = static_cast<std::uint16_t>(lane + 1);
        return true;
    }

    // Pins a node below the parent that has no room for it, at the first node of the parent's own tree that
    // has: elsewhere it might come to hang below itself.
    void find_home(const ConstNode& parent, const Candidate& c) {
        hosts_.clear();
        const auto add_pinned = [this](const ConstNode& node) {
            for (std::size_t lane = 0; lane < node.degree(); ++lane)
                if (node.pinned(lane)) hosts_.push_back(node.ids()[lane]);
        };
        add_pinned(parent);
        for (std::size_t at = 0; at < hosts_.size(); ++at) {
            const NodeId host = hosts_[at];
            if (host == c.id) continue;
            bool room = false;
            with_node(index_, cache(), host, [&](const ConstNode& node) {
                room = node.degree() < layout_.degree || node.pinned_count() < node.degree();
                add_pinned(node);
            });
            if (!room || is_dead(host)) continue;
            with_write(index_, block_of(meta_.shape, host), PageKind::kNode,
                       [&](Page page) { take(node_in(meta_.shape, page, slot_of(meta_.shape, host)), c); });
            return;
        }
        ereport(WARNING,
                errmsg("index \"%s\" has no room to connect node %u", RelationGetRelationName(index_), c.id),
                errhint("Please REINDEX it."));
    }

    // Nothing leads to the dead nodes any more.
    void free_dead() {
        for (std::size_t at = 0; at < dead_.size();) {
            poll_();
            at = free_slots(at);
        }
    }

    // Frees the dead nodes of one page, and counts them, in one change; then what they kept elsewhere.
    // Returns the next.
    std::size_t free_slots(std::size_t first) {
        NodeHeader headers[kPageBytes / sizeof(NodeHeader)];
        const BlockNumber block = block_of(meta_.shape, dead_[first]);
        std::size_t end = first;
        PageChange change(index_);
        Meta* meta = page_contents<Meta>(change.edit(kMetaBlock, PageKind::kMeta));
        const Page page = change.edit(block, PageKind::kNode);
        for (; end < dead_.size() && block_of(meta_.shape, dead_[end]) == block; ++end) {
            NodeHeader& h = node_in(meta_.shape, page, slot_of(meta_.shape, dead_[end])).header();
            headers[end - first] = h;
            h = NodeHeader{};
            h.version = headers[end - first].version;
            h.posting = kNoPosting;
            h.own_block = kNoOwnBlock;
        }
        const auto count = static_cast<std::uint32_t>(end - first);
        meta->node_count -= count;
        meta->tombstones -= count;
        change.commit();
        list_free_nodes(index_, block);
        for (std::size_t i = first; i < end; ++i) {
            const NodeHeader& h = headers[i - first];
            free_postings(index_, h.posting, {dead_[i], h.version});
            if (layout_.own_place == OwnPlace::kApart) free_apart(index_, h.own_block);
        }
        return end;
    }

    Relation index_;
    void (*poll_)();
    Meta meta_;
    NodeLayout layout_;
    std::pmr::vector<NodeId> dead_;  // sorted
    std::pmr::vector<std::uint64_t> dead_bits_;
    std::pmr::vector<std::byte> image_;
    std::pmr::vector<float> z_, estimates_;
    PreparedQuery query_;
    std::pmr::vector<Step> walk_;
    std::pmr::vector<Candidate> candidates_;
    std::pmr::vector<std::uint8_t> codes_;
    std::pmr::vector<std::size_t> homeless_;  // of candidates_: pinned, without room
    std::pmr::vector<NodeId> hosts_;
};

}  // namespace

void repair_graph(Relation index, void (*poll)()) {
    const MemoryContext context =
        AllocSetContextCreate(CurrentMemoryContext, "vamana repair", ALLOCSET_DEFAULT_SIZES);
    const MemoryContext old = MemoryContextSwitchTo(context);
    auto* memory = make_in<ContextResource>(context, context);
    make_in<Repair>(context, index, memory, poll)->run();
    MemoryContextSwitchTo(old);
    MemoryContextDelete(context);
}

}  // namespace vecidx

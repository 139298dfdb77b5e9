// The part of a check that is about nodes, edges and the tree of pinned edges. See check.hpp.
#include "am/check.hpp"
#include "storage/node_store.hpp"

namespace vecidx {

void IndexCheck::fail_node(NodeId id, const char* what) {
    fail(block_of(shape_, id), psprintf("Node %u %s.", id, what));
}

bool IndexCheck::finite(const float* z) const {
    return std::all_of(z, z + layout_.padded, [](float f) { return std::isfinite(f); });
}

void IndexCheck::check_node_page(BlockNumber block, Page page) {
    for (std::size_t slot = 0; slot < shape_.nodes_per_page; ++slot)
        check_node(node_id(shape_, block, slot), node_in(shape_, page, slot));
}

// A node by itself; what edges need of it is noted.
void IndexCheck::check_node(NodeId id, const ConstNode& node) {
    const NodeHeader& h = node.header();
    if (!node.used()) {
        if (h.flags != 0) fail_node(id, "is a free slot with flags");
        return;
    }
    check_header(id, node);
    std::uint8_t state = kUsed;
    if (!node.live()) state |= kTombstone;
    if (unfinished(h)) state |= kUnfinished;
    slots_[id] = state;
    fingerprints_[id] = fingerprint(node.edge_to(id).factors, node.own_code());
    if ((state & kUnfinished) == 0) {
        ++used_;
        tombstones_ += node.live() ? 0 : 1;
        for (std::size_t i = 0; i < h.tid_count; ++i) add_row(block_of(shape_, id), h.tids[i], id, kInGraph);
    }
    if (!is_dropping()) check_chain(id, h);
    if (meta_.trained > 0) check_code(id, node);
}

void IndexCheck::check_header(NodeId id, const ConstNode& node) {
    const NodeHeader& h = node.header();
    if ((h.flags & ~(kNodeUsed | kNodeTombstone)) != 0)
        fail_node(id, psprintf("has unknown flags %u", h.flags));
    if (h.degree > layout_.degree)
        fail_node(id, psprintf("has degree %u, at most %u is possible", h.degree, layout_.degree));
    if (h.tid_count > kInlineTids)
        fail_node(id, psprintf("says that it holds %u rows, at most %zu fit", h.tid_count, kInlineTids));
    if (!node.live() && h.tid_count > 0) fail_node(id, "is a tombstone with rows");
    if (h.batch > meta_.batch && !unfinished(h))
        fail_node(id, psprintf("is of batch %u, which has not been", h.batch));
    if (meta_.trained == 0 && !unfinished(h)) fail_node(id, "is in use, but the index has no graph");
    if (meta_.trained > 0 && h.centroid >= meta_.centroid_count)
        fail_node(id, psprintf("has centroid %u, there are %u", h.centroid, meta_.centroid_count));
    if (!std::isfinite(h.unit) || h.unit <= 0 || !std::isfinite(h.error) || h.error < 0 ||
        !std::isfinite(h.norm_squared) || h.norm_squared < 0)
        fail_node(id, "has a number out of range");
    const bool apart = h.own_block != kNoOwnBlock;
    if (layout_.own_place == OwnPlace::kInline && apart) fail_node(id, "has its vector both in it and apart");
    if (layout_.own_place == OwnPlace::kApart && !apart && node.live()) fail_node(id, "has no vector");
}

// The own code is that of the own vector. A tombstone may have lost its vector where that was kept apart.
void IndexCheck::check_code(NodeId id, const ConstNode& node) {
    const NodeHeader& h = node.header();
    float* z = z_.data();
    if (layout_.own_place == OwnPlace::kInline) {
        load_vector(node.vector(), layout_.padded, z);
        if (!finite(z)) fail_node(id, "has a vector that is not finite");
        if (!encodes(node, z)) fail_node(id, "has a code that is not that of its vector");
        return;
    }
    if (h.own_block == kNoOwnBlock) return;
    if (!unfinished(h)) claim_apart(block_of(shape_, id), h.own_block);
    read_own_apart(block_of(shape_, id), h.own_block);
    load_vector({halves_.data(), h.unit, OwnFormat::kF16}, layout_.padded, z);
    if (!finite(z)) fail_node(id, "has a vector that is not finite");
    std::copy_n(z, layout_.padded, other_z_.data());
    to_graph_space(z, h.norm_squared);
    halve(z);
    if (encodes(node, z)) return;
    // A build of inner products rounds once more, between the lift and the shift.
    z = other_z_.data();
    space_.lift(z, h.norm_squared, meta_.max_norm_squared, floats_.data() + layout_.padded);
    halve(z);
    for (std::size_t d = 0; d < layout_.padded; ++d) z[d] -= floats_[d];
    halve(z);
    if (!encodes(node, z)) fail_node(id, "has a code that is not that of its vector");
}

// From a vector as the pending area has it: lifted, relative to the mean.
void IndexCheck::to_graph_space(float* z, double norm_squared) {
    space_.lift(z, norm_squared, meta_.max_norm_squared, floats_.data() + layout_.padded);
    for (std::size_t d = 0; d < layout_.padded; ++d) z[d] -= floats_[d];
}

// Rounds as a vector in halves is.
void IndexCheck::halve(float* z) {
    const float unit = store_vector(OwnFormat::kF16, z, layout_.padded, halves_.data());
    load_vector({halves_.data(), unit, OwnFormat::kF16}, layout_.padded, z);
}

bool IndexCheck::encodes(const ConstNode& node, const float* z) {
    const CodeFactors own = node.edge_to(0).factors;
    const CodeFactors f = encode(book_, z, own.centroid, code_.data());
    return fingerprint(f, code_.data()) == fingerprint(own, node.own_code());
}

std::uint64_t IndexCheck::fingerprint(const CodeFactors& factors, const std::uint8_t* code) const {
    std::uint32_t add;
    std::memcpy(&add, &factors.add, sizeof add);
    const std::uint64_t seed =
        std::uint64_t{add} << 32 | std::uint32_t{factors.rescale} << 8 | factors.centroid;
    return hash_bytes_extended(code, static_cast<int>(layout_.code_bytes()), seed);
}

void IndexCheck::check_all_edges() {
    for (BlockNumber block = kMetaBlock + 1; block < block_count_; ++block) {
        if (kind_of(block) != PageKind::kNode) continue;
        const Page page = read(block, page_.data(), PageKind::kNode);
        for (std::size_t slot = 0; slot < shape_.nodes_per_page; ++slot) {
            const NodeId id = node_id(shape_, block, slot);
            const ConstNode node = node_in(shape_, page, slot);
            if ((slots_[id] & kUsed) != 0) check_edges(id, node);
        }
    }
}

void IndexCheck::check_edges(NodeId id, const ConstNode& node) {
    const std::size_t degree = std::min<std::size_t>(node.degree(), layout_.degree);
    for (std::size_t lane = 0; lane < degree; ++lane) check_edge(id, node, lane);
    targets_.assign(node.ids(), node.ids() + degree);
    std::sort(targets_.begin(), targets_.end());
    const auto twice = std::adjacent_find(targets_.begin(), targets_.end());
    if (twice != targets_.end()) fail_node(id, psprintf("has two edges to node %u", *twice));
}

void IndexCheck::check_edge(NodeId id, const ConstNode& node, std::size_t lane) {
    const NodeId to = node.ids()[lane];
    if (to == id) fail_node(id, "has an edge to itself");
    if (to >= slots_.size())
        fail_node(id, psprintf("has an edge to node %u, which is past the end of the index", to));
    // A repair that was interrupted leaves dead nodes, to which nothing leads any more, with edges to slots
    // that it freed.
    const bool left_over = id != meta_.medoid && (slots_[id] & kTombstone) != 0;
    if ((slots_[to] & kUsed) == 0) {
        // Nodes of a batch lead to each other before all of them are written.
        if (left_over || (slots_[id] & kUnfinished) != 0) return;
        fail_node(id, psprintf("has an edge to node %u, which is not in use", to));
    }
    const CodeFactors factors = node.read_code(lane, code_.data());
    if (!left_over && fingerprint(factors, code_.data()) != fingerprints_[to])
        fail_node(id, psprintf("has an edge to node %u with a code that is not that node's", to));
    if (node.pinned(lane)) note_pin(id, to);
}

// A repair gives the children of a dead node to a live one, and frees the dead one later: until then both pin
// them. So of several sources one may be live; those that are dead are kept aside.
void IndexCheck::note_pin(NodeId from, NodeId to) {
    if (to == meta_.medoid) fail_node(from, psprintf("has a pinned edge to node %u, the medoid", to));
    const NodeId other = parents_[to];
    const auto dead = [this](NodeId id) { return id != meta_.medoid && (slots_[id] & kTombstone) != 0; };
    if (other == kNoNode) {
        parents_[to] = from;
    } else if (dead(from)) {
        further_pins_.push_back({from, to});
    } else if (dead(other)) {
        further_pins_.push_back({other, to});
        parents_[to] = from;
    } else {
        fail_node(from, psprintf("has a pinned edge to node %u, and so has node %u", to, other));
    }
}

// Where searches start.
void IndexCheck::check_entries() {
    if (meta_.trained == 0) return;
    const auto usable = [this](NodeId id) {
        return id < slots_.size() && (slots_[id] & (kUsed | kUnfinished)) == kUsed;
    };
    if (!usable(meta_.medoid))
        fail(kMetaBlock, psprintf("The medoid is node %u, which is not in use.", meta_.medoid));
    for (std::size_t c = 0; c < meta_.centroid_count; ++c)
        if (!usable(meta_.entries[c]))
            fail(kMetaBlock,
                 psprintf("The entry of centroid %zu is node %u, which is not in use.", c, meta_.entries[c]));
}

// Every live node has a way from the medoid along pinned edges, hence every search can reach it.
void IndexCheck::check_tree() {
    if (meta_.trained == 0) return;
    slots_[meta_.medoid] |= kRooted;
    do {
        for (NodeId id = 0; id < slots_.size(); ++id) {
            if (id % 4096 == 0) CHECK_FOR_INTERRUPTS();
            slots_[id] &= static_cast<std::uint8_t>(~kOnPath);
        }
        for (NodeId id = 0; id < slots_.size(); ++id) {
            if (id % 4096 == 0) CHECK_FOR_INTERRUPTS();
            if ((slots_[id] & kUsed) != 0) follow_parents(id);
        }
    } while (use_further_pins());
    for (NodeId id = 0; id < slots_.size(); ++id) {
        if ((slots_[id] & (kUsed | kTombstone | kUnfinished | kRooted)) != kUsed) continue;
        NodeId top = id;
        for (std::size_t steps = 0; steps < slots_.size() && parents_[top] != kNoNode; ++steps)
            top = parents_[top];
        fail_node(top, parents_[top] == kNoNode ? "is not the target of a pinned edge"
                                                : "is on a circle of pinned edges");
    }
}

// Marks the nodes from here upwards, as rooted if the way leads to the medoid. A node that was met before
// without becoming rooted leads nowhere.
void IndexCheck::follow_parents(NodeId from) {
    NodeId id = from;
    while ((slots_[id] & (kRooted | kOnPath)) == 0 && parents_[id] != kNoNode) {
        slots_[id] |= kOnPath;
        id = parents_[id];
    }
    if ((slots_[id] & kRooted) == 0) return;
    for (id = from; (slots_[id] & kRooted) == 0; id = parents_[id]) slots_[id] |= kRooted;
}

// Gives nodes that no way leads to another parent that one leads to. True when there was one.
bool IndexCheck::use_further_pins() {
    bool used = false;
    for (const Pinned& p : further_pins_) {
        if ((slots_[p.from] & kRooted) == 0 || (slots_[p.to] & kRooted) != 0 || parents_[p.to] == p.from)
            continue;
        parents_[p.to] = p.from;
        used = true;
    }
    return used;
}

void IndexCheck::check_counters() {
    if (used_ != meta_.node_count)
        fail(kMetaBlock,
             psprintf("The index has %u nodes, but its metapage says %u.", used_, meta_.node_count));
    if (tombstones_ != meta_.tombstones)
        fail(kMetaBlock, psprintf("The index has %u tombstones, but its metapage says %u.", tombstones_,
                                  meta_.tombstones));
}

}  // namespace vecidx

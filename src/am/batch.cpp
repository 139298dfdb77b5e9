// Searching for, linking and writing the rows of a batch. See batch.hpp.
#include "am/batch.hpp"

#include "am/merge_lock.hpp"
#include "am/progress.hpp"
#include "storage/posting.hpp"
#include "vecidx/bulk_graph.hpp"
#include "vecidx/search.hpp"

#include <numeric>

namespace vecidx {
namespace {

constexpr std::size_t kLocalCandidates = 48;
constexpr std::size_t kMostCandidates = 144;  // in the graph and in the batch

void poll() {
    vacuum_delay();
}

}  // namespace

std::size_t Batch::bytes_per_row(const NodeLayout& layout) {
    constexpr std::size_t kReverse = 48 * sizeof(Reverse);
    return layout.size + stored_bytes(OwnFormat::kF16, layout.padded) + kLocalCandidates * sizeof(Neighbor) +
           kReverse + 64;
}

Batch::Batch(Relation index, const Meta& meta, RowStore& rows, std::pmr::memory_resource* memory)
    : index_(index),
      meta_(meta),
      layout_(meta.shape.layout),
      rows_(rows),
      memory_(memory),
      floats_(memory),
      geometry_(index_cache(index, meta)->geometry),
      query_(meta.shape, memory),
      beam_(memory),
      pruner_(memory),
      local_(0, 0, memory),
      images_(memory),
      ids_(memory),
      joined_(memory),
      children_(memory),
      attached_(memory),
      reverse_(memory),
      within_(memory),
      z_(layout_.padded, memory),
      target_z_(layout_.padded, memory),
      found_(memory),
      found_codes_(memory),
      found_vectors_(memory),
      found_units_(memory),
      candidates_(memory),
      numbers_(memory),
      own_(memory),
      pins_(memory),
      unused_(memory) {}

// Copies what the geometry points to.
void Batch::own_geometry() {
    const std::size_t padded = layout_.padded;
    floats_.assign(geometry_.mean, geometry_.mean + geometry_floats(padded, geometry_.book.centroid_count));
    geometry_.mean = floats_.data();
    geometry_.direction = floats_.data() + padded;
    geometry_.book.centroids = floats_.data() + 2 * padded;
}

void Batch::link(LiveRows& live) {
    own_geometry();
    rows_.collapse_equal();
    rows_.move_to_graph_space(query_.space, geometry_.max_norm_squared, geometry_.mean, geometry_.direction);
    const std::size_t n = rows_.size();
    ids_.resize(n);
    allocate_nodes(index_, n, ids_.data());
    make_images();
    local_ = Adjacency(n, std::max<std::size_t>(kLocalCandidates, layout_.degree), memory_);
    BulkParams params;
    params.fan_out = 4;
    params.candidates = kLocalCandidates;
    nearest_in_leaves(rows_.vectors(), params, memory_, quiet_progress(), local_.lists());
    joined_.assign(n, 0);
    attached_.assign(n, 0);
    children_.assign(n, 0);
    for (std::uint32_t row = 0; row < n; ++row) {
        search_row(row);
        if (!join_equal(row)) link_row(row);
    }
    link_within_batch();
    with_lock(index_, IndexLock::kRows, [&] {
        live.refresh();
        write_images(live);
        add_equal_rows(live);
    });
    write_reverse_edges();
}

const float* Batch::row_vector(std::uint32_t row) {
    load_vector(rows_.vectors()[row], layout_.padded, z_.data());
    return z_.data();
}

// Everything of the new nodes but edges and heap rows.
void Batch::make_images() {
    images_.assign(rows_.size() * layout_.size, std::byte{0});
    own_.resize(stored_bytes(layout_.own_format, layout_.padded));
    const Codebook& book = geometry_.book;
    for (std::uint32_t row = 0; row < rows_.size(); ++row) {
        row_vector(row);
        const Node node = image(row);
        NodeHeader& h = node.header();
        h.flags = kNodeUsed;
        h.posting = kNoPosting;
        h.batch = meta_.merging;
        h.error = rows_.error(row);
        h.norm_squared = rows_.norm_squared(row);
        h.own_block = kNoOwnBlock;
        if (layout_.own_place == OwnPlace::kInline) {
            store_own(node, rows_.vectors()[row]);
            h.norm_squared =
                static_cast<float>(norm_squared_from(node.vector(), geometry_.mean, layout_.padded));
            load_vector(node.vector(), layout_.padded, z_.data());
        } else {
            h.own_block = rows_.own_block(row);
            h.unit = rows_.added_unit(row);
        }
        const std::uint8_t centroid = nearest_centroid(book, z_.data());
        node.set_own_factors(encode(book, z_.data(), centroid, node.own_code()));
    }
}

// Halves as they are; bytes rounded from z_, which holds the same.
void Batch::store_own(Node node, const StoredVector& vector) {
    NodeHeader& h = node.header();
    if (layout_.own_format == OwnFormat::kF16) {
        std::memcpy(node.own(), vector.data, stored_bytes(OwnFormat::kF16, layout_.padded));
        h.unit = vector.unit;
        return;
    }
    h.unit = store_vector(layout_.own_format, z_.data(), layout_.padded, node.own());
    h.error += query_.space.storage_error(z_.data(), node.vector());
}

// Finds the row's surroundings in the graph, as far as a search with the build's list size goes.
void Batch::search_row(std::uint32_t row) {
    query_.prepare_in_graph(row_vector(row), geometry_);
    found_.clear();
    found_codes_.clear();
    const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
    const auto* own = static_cast<const std::byte*>(rows_.vectors()[row].data);
    found_vectors_.assign(own, own + width);
    found_units_.assign(1, rows_.vectors()[row].unit);
    const auto sink = [this](const Visit& visit) { collect(visit); };
    DiskGraph graph(index_, index_cache(index_, meta_), query_, sink);
    beam_.reset(meta_.shape.build_list_size);
    search_from_entries(meta_, query_, graph, beam_, poll);
}

// Keeps a live node's vector, in halves and in graph space, and its code.
void Batch::collect(const Visit& visit) {
    if (!visit.node.live()) return;
    const Edge edge = visit.node.edge_to(visit.id);
    found_.push_back({visit.id, visit.graph_distance, edge.factors, visit.node.pinned_count()});
    found_codes_.insert(found_codes_.end(), edge.code, edge.code + layout_.code_bytes());
    const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded), at = found_vectors_.size();
    found_vectors_.resize(at + width);
    if (layout_.own_place == OwnPlace::kInline && layout_.own_format == OwnFormat::kF16) {
        std::memcpy(found_vectors_.data() + at, visit.own.data, width);
        found_units_.push_back(visit.own.unit);
        return;
    }
    load_vector(visit.own, layout_.padded, target_z_.data());
    if (layout_.own_place == OwnPlace::kApart) {
        const Geometry& g = geometry_;
        query_.space.lift(target_z_.data(), visit.node.header().norm_squared, g.max_norm_squared,
                          g.direction);
        for (std::size_t d = 0; d < layout_.padded; ++d) target_z_[d] -= g.mean[d];
    }
    found_units_.push_back(
        store_vector(OwnFormat::kF16, target_z_.data(), layout_.padded, found_vectors_.data() + at));
}

// A row whose vector has a node already gives its heap rows to that node. True when it did.
bool Batch::join_equal(std::uint32_t row) {
    const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
    const Node own = image(row);
    for (std::size_t i = 0; i < found_.size(); ++i) {
        const bool same =
            found_units_[i + 1] == found_units_[0] &&
            std::memcmp(found_vectors_.data() + (i + 1) * width, found_vectors_.data(), width) == 0;
        if (!same) continue;
        joined_[row] = 1;
        unused_.push_back(ids_[row]);
        ids_[row] = found_[i].id;
        own.set_own_factors(found_[i].factors);
        std::memcpy(own.own_code(), found_code(i), layout_.code_bytes());
        return true;
    }
    return false;
}

// Prunes what was found and the row's candidates within the batch into edges.
void Batch::link_row(std::uint32_t row) {
    const std::size_t width = stored_bytes(OwnFormat::kF16, layout_.padded);
    candidates_.clear();
    for (std::uint32_t i = 0; i < found_.size(); ++i) candidates_.push_back({found_[i].distance, i + 1});
    std::sort(candidates_.begin(), candidates_.end());
    choose_parent(row);
    const auto first_local = static_cast<std::uint32_t>(found_.size() + 1);
    const std::span<const Neighbor> local = local_.of(row);
    for (const Neighbor& n : local) {
        const StoredVector v = rows_.vectors()[n.id];
        const auto* bytes = static_cast<const std::byte*>(v.data);
        found_vectors_.insert(found_vectors_.end(), bytes, bytes + width);
        found_units_.push_back(v.unit);
    }
    numbers_.resize(found_units_.size());
    std::iota(numbers_.begin(), numbers_.end(), 0u);
    const VectorArray around{found_vectors_.data(), found_units_.data(), found_units_.size(), layout_.padded,
                             OwnFormat::kF16};
    pruner_.measure(around, numbers_, numbers_, kMostCandidates);
    const std::span<const Neighbor> kept = pruner_.prune({meta_.shape.alpha, layout_.degree});

    const Node node = image(row);
    std::pmr::vector<Neighbor> within(memory_);
    for (const Neighbor& k : kept) {
        if (k.id >= first_local) {
            within.push_back({k.distance, local[k.id - first_local].id});
            continue;
        }
        const std::size_t i = k.id - 1;
        node.write_edge(node.header().degree++, {found_[i].id, found_[i].factors, found_code(i)});
        reverse_.push_back({found_[i].id, row, k.distance, Pin::kNo});
    }
    local_.assign(row, within);
}

// The nearest node of the graph that has lanes left for a pinned edge; where none has, a row of the batch
// that has a parent.
void Batch::choose_parent(std::uint32_t row) {
    const std::size_t most = layout_.degree / 2;
    for (const Neighbor& c : candidates_) {
        const Found& f = found_[c.id - 1];
        auto at = std::lower_bound(pins_.begin(), pins_.end(), std::pair<NodeId, std::uint32_t>(f.id, 0));
        if (at == pins_.end() || at->first != f.id) at = pins_.insert(at, {f.id, 0});
        if (f.pinned + at->second >= most) continue;
        ++at->second;
        reverse_.push_back({f.id, row, c.distance, Pin::kYes});
        attached_[row] = 1;
        return;
    }
    if (attach_within_batch(row)) return;
    // All nodes met are dead: the medoid stays where it is, dead or not.
    reverse_.push_back({meta_.medoid, row, std::numeric_limits<float>::max(), Pin::kYes});
    attached_[row] = 1;
}

bool Batch::attach_within_batch(std::uint32_t row) {
    const std::size_t most = layout_.degree / 2;
    const auto attach = [&](std::uint32_t to, float distance) {
        if (attached_[to] == 0 || joined_[to] != 0 || children_[to] >= most) return false;
        ++children_[to];
        within_.push_back({to, row, distance, Pin::kYes});
        attached_[row] = 1;
        return true;
    };
    for (const Neighbor& n : local_.of(row))
        if (attach(n.id, n.distance)) return true;
    for (std::uint32_t to = row; to-- > 0;)
        if (attach(to, l2_squared(kernels(), row_vector(row), rows_.vectors()[to], layout_.padded)))
            return true;
    return false;
}

// Edges among the rows, in both directions, in the images. A row that joined a node stands for that node.
void Batch::link_within_batch() {
    const auto n = static_cast<std::uint32_t>(rows_.size());
    for (std::uint32_t row = 0; row < n; ++row) {
        if (joined_[row] != 0) continue;
        for (const Neighbor& e : local_.of(row)) {
            within_.push_back({row, e.id, e.distance, Pin::kNo});
            if (joined_[e.id] != 0)
                reverse_.push_back({ids_[e.id], row, e.distance, Pin::kNo});
            else
                within_.push_back({e.id, row, e.distance, Pin::kNo});
        }
    }
    std::sort(within_.begin(), within_.end(), [](const Reverse& a, const Reverse& b) {
        return std::tie(a.target, b.pin, a.distance, a.row) < std::tie(b.target, a.pin, b.distance, b.row);
    });
    ReverseLinker linker(geometry_.book, meta_.shape.alpha, memory_);
    std::uint32_t current = n;
    for (const Reverse& e : within_) {
        if (e.target != current) {
            CHECK_FOR_INTERRUPTS();
            current = e.target;
            load_vector(rows_.vectors()[current], layout_.padded, target_z_.data());
            linker.begin(image(current), target_z_.data());
        }
        linker.add(edge_to_row(e.row), row_vector(e.row), e.distance, e.pin);
    }
}

// The heap rows of a new node; its posting chain is written before the node is.
void Batch::finish_image(std::uint32_t row, const LiveRows& live) {
    NodeHeader& h = image(row).header();
    h.version = version_of_batch(h.batch);
    std::pmr::vector<HeapTid> tids(memory_);
    rows_.for_each_tid(row, [&](HeapTid tid) {
        if (live.is_live(tid)) tids.push_back(tid);
    });
    h.tid_count = static_cast<std::uint8_t>(std::min(tids.size(), kInlineTids));
    std::copy_n(tids.begin(), h.tid_count, h.tids);
    if (h.tid_count == 0) {
        h.flags |= kNodeTombstone;
        ++tombstones_;
    }
    h.posting =
        write_postings(index_, {ids_[row], h.version}, std::span<const HeapTid>(tids).subspan(h.tid_count));
}

// New nodes, each page once.
void Batch::write_images(const LiveRows& live) {
    const auto n = static_cast<std::uint32_t>(rows_.size());
    for (std::uint32_t row = 0; row < n; ++row)
        if (joined_[row] == 0) finish_image(row, live);
    for (std::uint32_t row = 0; row < n;) {
        CHECK_FOR_INTERRUPTS();
        if (joined_[row] != 0) {
            ++row;
            continue;
        }
        const BlockNumber block = block_of(meta_.shape, ids_[row]);
        with_write(index_, block, PageKind::kNode, [&](Page page) {
            for (; row < n && joined_[row] == 0 && block_of(meta_.shape, ids_[row]) == block; ++row) {
                std::byte* to = page_contents(page) + slot_of(meta_.shape, ids_[row]) * layout_.size;
                std::memcpy(to, images_.data() + row * layout_.size, layout_.size);
                ++added_;
            }
        });
    }
}

void Batch::write_reverse_edges() {
    std::sort(reverse_.begin(), reverse_.end(), [](const Reverse& a, const Reverse& b) {
        return std::tie(a.target, b.pin, a.distance, a.row) < std::tie(b.target, a.pin, b.distance, b.row);
    });
    ReverseLinker linker(geometry_.book, meta_.shape.alpha, memory_);
    for (std::size_t at = 0; at < reverse_.size();) {
        CHECK_FOR_INTERRUPTS();
        const BlockNumber block = block_of(meta_.shape, reverse_[at].target);
        with_write(index_, block, PageKind::kNode, [&](Page page) {
            while (at < reverse_.size() && block_of(meta_.shape, reverse_[at].target) == block) {
                const NodeId id = reverse_[at].target;
                const Node node = node_in(meta_.shape, page, slot_of(meta_.shape, id));
                check_node(index_, block, node);
                load_graph_vector(index_, geometry_, query_, node, target_z_.data());
                linker.begin(node, target_z_.data());
                for (; at < reverse_.size() && reverse_[at].target == id; ++at) {
                    const Reverse& e = reverse_[at];
                    linker.add(edge_to_row(e.row), row_vector(e.row), e.distance, e.pin);
                }
            }
        });
    }
}

void Batch::add_equal_rows(const LiveRows& live) {
    for (std::uint32_t row = 0; row < rows_.size(); ++row) {
        if (joined_[row] == 0) continue;
        CHECK_FOR_INTERRUPTS();
        std::pmr::vector<HeapTid> tids(memory_);
        rows_.for_each_tid(row, [&](HeapTid tid) {
            if (live.is_live(tid)) tids.push_back(tid);
        });
        join_node(index_, meta_.shape, ids_[row], tids, image(row).header().error);
    }
}

void Batch::release() {
    for (const NodeId id : unused_) list_free_nodes(index_, block_of(meta_.shape, id));
    if (layout_.own_place != OwnPlace::kApart) return;
    for (std::uint32_t row = 0; row < rows_.size(); ++row)
        if (joined_[row] != 0) free_apart(index_, rows_.own_block(row));
    for (const BlockNumber block : rows_.spare_blocks()) free_apart(index_, block);
}

}  // namespace vecidx

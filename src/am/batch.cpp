// Linking the rows of a batch: candidates, edges, parents. Writing is in batch_write.cpp. See batch.hpp.
#include "am/batch.hpp"

#include "am/progress.hpp"
#include "vecidx/bulk_graph.hpp"

#include <numeric>

namespace vecidx {
namespace {

constexpr std::size_t kShowEvery = 64;
constexpr std::size_t kLocalCandidates = 32;
constexpr std::size_t kMostCandidates = 112;  // in the graph and in the batch

}  // namespace

std::size_t Batch::bytes_per_row(const NodeLayout& layout) {
    constexpr std::size_t kReverse = 48 * sizeof(Reverse);
    return layout.size + stored_bytes(OwnFormat::kF16, layout.padded) + kLocalCandidates * sizeof(Neighbor) +
           TableStore::bytes_per_vector(layout.code_dims, kDefaultCentroids) + kReverse + 128;
}

Batch::Batch(Relation index, const Meta& meta, RowStore& rows, std::pmr::memory_resource* memory)
    : index_(index),
      meta_(meta),
      layout_(meta_.shape.layout),
      rows_(rows),
      memory_(memory),
      floats_(memory),
      geometry_(index_cache(index, meta)->geometry),
      search_(index, meta_, geometry_, memory),
      pruner_(memory),
      local_(0, 0, memory),
      tables_(geometry_.book, rows.size(), memory),
      linker_(geometry_.book, meta_.shape.alpha, memory),
      order_(memory),
      images_(memory),
      ids_(memory),
      joined_(memory),
      children_(memory),
      attached_(memory),
      reverse_(memory),
      within_(memory),
      z_(layout_.padded, memory),
      candidates_(memory),
      numbers_(memory),
      pins_(memory),
      unused_(memory),
      tids_(memory) {
    own_geometry();
}

// Copies what the geometry points to.
void Batch::own_geometry() {
    const std::size_t padded = layout_.padded;
    floats_.assign(geometry_.mean, geometry_.mean + geometry_floats(padded, geometry_.book.centroid_count));
    geometry_.mean = floats_.data();
    geometry_.direction = floats_.data() + padded;
    geometry_.book.centroids = floats_.data() + 2 * padded;
}

void Batch::link(LiveRows& live) {
    rows_.collapse_equal();
    rows_.move_to_graph_space(search_.query().space, geometry_.max_norm_squared, geometry_.mean,
                              geometry_.direction);
    const std::size_t n = rows_.size();
    find_near_rows();
    order_rows();
    number_rows();
    make_images();
    joined_.assign(n, 0);
    attached_.assign(n, 0);
    children_.assign(n, 0);
    enter_phase(BuildPhase::kSearch, n);
    for (std::size_t i = 0; i < n; ++i) {
        if (i % kShowEvery == 0) show_done(i);
        search_row(order_[i]);
        if (!join_equal(order_[i])) link_row(order_[i]);
    }
    attach_rest();
    link_within_batch();
    write_nodes(live);
    write_reverse_edges();
}

const float* Batch::row_vector(std::uint32_t row) {
    load_vector(rows_.vectors()[row], layout_.padded, z_.data());
    return z_.data();
}

void Batch::find_near_rows() {
    const std::size_t n = rows_.size();
    local_ = Adjacency(n, std::max<std::size_t>(kLocalCandidates, layout_.degree), memory_);
    BulkParams params;
    params.fan_out = 2;
    params.candidates = kLocalCandidates;
    nearest_in_leaves(rows_.vectors(), params, memory_, quiet_progress(), local_.lists());
}

// From each row to the nearest that was not there yet, depth first.
void Batch::order_rows() {
    const auto n = static_cast<std::uint32_t>(rows_.size());
    order_.reserve(n);
    std::pmr::vector<std::uint8_t> seen(n, 0, memory_);
    std::pmr::vector<std::uint32_t> stack(memory_);
    for (std::uint32_t first = 0; first < n; ++first) {
        stack.assign(1, first);
        while (!stack.empty()) {
            const std::uint32_t row = stack.back();
            stack.pop_back();
            if (seen[row] != 0) continue;
            seen[row] = 1;
            order_.push_back(row);
            const std::span<const Neighbor> near = local_.of(row);
            for (std::size_t i = near.size(); i-- > 0;)
                if (seen[near[i].id] == 0) stack.push_back(near[i].id);
        }
    }
}

void Batch::number_rows() {
    const std::size_t n = rows_.size();
    std::pmr::vector<NodeId> ids(n, memory_);
    allocate_nodes(index_, n, ids.data());
    ids_.resize(n);
    for (std::size_t i = 0; i < n; ++i) ids_[order_[i]] = ids[i];
}

// Everything of the new nodes but edges and heap rows.
void Batch::make_images() {
    images_.assign(rows_.size() * layout_.size, std::byte{0});
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
        h.fingerprint = rows_.fingerprint(row);
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
    h.error += search_.query().space.storage_error(z_.data(), node.vector());
}

// Finds the row's surroundings in the graph.
void Batch::search_row(std::uint32_t row) {
    search_.find(rows_.vectors()[row], row_vector(row));
    tables_.keep(row, search_.table());
}

// A row whose vector has a node already gives its heap rows to that node. True when it did.
bool Batch::join_equal(std::uint32_t row) {
    const std::size_t i = search_.equal();
    if (i == search_.found().size()) return false;
    joined_[row] = 1;
    unused_.push_back(ids_[row]);
    ids_[row] = search_.found()[i].id;
    image(row).set_own_factors(search_.found()[i].factors);
    std::memcpy(image(row).own_code(), search_.code(i), layout_.code_bytes());
    return true;
}

// Prunes what was found and the row's candidates within the batch into edges.
void Batch::link_row(std::uint32_t row) {
    choose_parent(row);
    const std::span<const BatchSearch::Found> found = search_.found();
    const auto first_local = static_cast<std::uint32_t>(found.size() + 1);
    const std::span<const Neighbor> local = local_.of(row);
    for (const Neighbor& n : local) search_.add(rows_.vectors()[n.id]);
    const VectorArray around = search_.vectors();
    numbers_.resize(around.count);
    std::iota(numbers_.begin(), numbers_.end(), 0u);
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
        node.write_edge(node.header().degree++, {found[i].id, found[i].factors, search_.code(i)});
        reverse_.push_back({found[i].id, row, k.distance, Pin::kNo});
    }
    local_.assign(row, within);
}

// The nearest node of the graph that has lanes left for a pinned edge.
void Batch::choose_parent(std::uint32_t row) {
    const std::size_t most = layout_.degree / 2;
    const std::span<const BatchSearch::Found> found = search_.found();
    candidates_.clear();
    for (std::uint32_t i = 0; i < found.size(); ++i) candidates_.push_back({found[i].distance, i});
    std::sort(candidates_.begin(), candidates_.end());
    for (const Neighbor& c : candidates_) {
        const BatchSearch::Found& f = found[c.id];
        std::uint32_t& pins = pins_.try_emplace(f.id, 0).first->second;
        if (f.pinned + pins >= most) continue;
        ++pins;
        reverse_.push_back({f.id, row, c.distance, Pin::kYes});
        attached_[row] = 1;
        return;
    }
}

// Rows that found no parent in the graph get one in the batch. In the order in which they came, not the near
// one: where all of the graph is dead, it is far parents that lead through the batch.
void Batch::attach_rest() {
    for (std::uint32_t row = 0; row < rows_.size(); ++row) {
        CHECK_FOR_INTERRUPTS();
        if (joined_[row] != 0 || attached_[row] != 0 || attach_within_batch(row)) continue;
        // The medoid stays where it is, dead or not.
        reverse_.push_back({meta_.medoid, row, std::numeric_limits<float>::max(), Pin::kYes});
        attached_[row] = 1;
    }
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
    std::sort(within_.begin(), within_.end());
    std::uint32_t current = n;
    for (const Reverse& e : within_) {
        if (e.target != current) {
            CHECK_FOR_INTERRUPTS();
            current = e.target;
            linker_.begin(image(current), tables_[current]);
        }
        linker_.add(edge_to_row(e.row), tables_[e.row], e.distance, e.pin);
    }
}

}  // namespace vecidx

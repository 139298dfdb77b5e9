// The planner's view of a scan: a search reads about one page a hop, before the first row, then nearly
// nothing for each further one until its list is used up.
#include "am/callbacks.hpp"
#include "am/options.hpp"
#include "storage/meta.hpp"

namespace vecidx {
namespace {

// Hops of a search are its list size and a little more on the way there.
constexpr double kHopsPerEntry = 1.2;
constexpr double kApproach = 10;

// Costs of the arithmetic of a hop, in units of cpu_operator_cost for each dimension.
constexpr double kOperatorsPerDimension = 0.05;

struct IndexFacts {
    double pages, pending_pages, nodes, list_size, dims;
};

IndexFacts facts_of(const IndexOptInfo* info) {
    const Relation index = index_open(info->indexoid, NoLock);
    const Meta meta = read_meta(index);
    const IndexFacts facts{std::max<double>(info->pages, 1), static_cast<double>(meta.pending_pages),
                           static_cast<double>(meta.node_count), static_cast<double>(search_list_size(index)),
                           static_cast<double>(meta.shape.dims)};
    index_close(index, NoLock);
    return facts;
}

void refuse(IndexPath* path, Cost* startup_cost, Cost* total_cost) {
    *startup_cost = *total_cost = get_float8_infinity();
    disable_path(path);
}

// Rows that the query will fetch from the index to satisfy its LIMIT; all where there is none.
double rows_wanted(const PlannerInfo* root, const IndexPath* path) {
    const double rows = std::max(path->indexinfo->tuples, 1.0);
    if (root->limit_tuples < 0) return rows;
    const RelOptInfo* rel = path->indexinfo->rel;
    const double selectivity = rel->tuples > 0 ? std::clamp(rel->rows / rel->tuples, 1e-6, 1.0) : 1.0;
    return std::min(rows, root->limit_tuples / selectivity);
}

}  // namespace

void vamana_cost_estimate(PlannerInfo* root, IndexPath* path, double loops, Cost* startup_cost,
                          Cost* total_cost, Selectivity* selectivity, double* correlation, double* pages) {
    *selectivity = 1;
    *correlation = 0;
    *pages = 0;
    // Without an order there is nothing that the index could tell.
    if (path->indexorderbys == NIL) return refuse(path, startup_cost, total_cost);
    const IndexFacts facts = facts_of(path->indexinfo);
    const double wanted = rows_wanted(root, path);
    // A scan that does not go on would return fewer rows than there are.
    const bool goes_on = settings().iterative_scan != static_cast<int>(IterativeScan::kOff);
    if (!goes_on && wanted > facts.list_size) return refuse(path, startup_cost, total_cost);

    double random_page, sequential_page;
    get_tablespace_page_costs(path->indexinfo->reltablespace, &random_page, &sequential_page);
    const double first = std::min(facts.nodes, kApproach + kHopsPerEntry * facts.list_size);
    const double all = std::min(facts.nodes, std::max(first, kApproach + kHopsPerEntry * wanted));
    // A page that many searches share is read once: the usual estimate of how many are not in the cache yet.
    const double touched = index_pages_fetched(all * std::max(loops, 1.0),
                                               static_cast<BlockNumber>(facts.pages), facts.pages, root) /
                           std::max(loops, 1.0);
    const double hop_cpu = facts.dims * kOperatorsPerDimension * cpu_operator_cost + cpu_index_tuple_cost;
    const double pending = facts.pending_pages * (sequential_page + hop_cpu);
    const double share = all > 0 ? first / all : 1;
    *pages = std::ceil(touched);
    *startup_cost = pending + share * touched * random_page + first * hop_cpu;
    *total_cost = pending + touched * random_page + all * hop_cpu + wanted * cpu_index_tuple_cost;
}

}  // namespace vecidx

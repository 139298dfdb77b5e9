// The planner's view of a scan: a search hops from page to page before its first row, and each further row
// costs its share of the rounds that follow.
//
// The unit is what the planner charges elsewhere. On a table of 128 dimensions in memory a unit took 6 us of
// a sequential scan with its sort, and a hop 1.5 us: a quarter of a unit. Of 768 dimensions a hop took 4.5 us
// and a unit of a sequential scan 170, because the planner charges no scan for reading TOAST, nor for long
// vectors. So a hop has one price, whatever the dimensions, and the comparison is fair where both sides
// matter.
//
// Hops are priced as work, not as reads: the index's pages are the hot ones. Only of an index larger than the
// cache (effective_cache_size) the rest is charged as reads.
#include "am/callbacks.hpp"
#include "am/options.hpp"
#include "storage/meta.hpp"

namespace vecidx {
namespace {

// A page that is looked at, by a hop, a sweep or for its pending rows, in units of cpu_operator_cost.
constexpr double kOperatorsPerPage = 80;

// Hops of a search are its list size and a little more on the way there.
constexpr double kHopsPerEntry = 1.2;
constexpr double kApproach = 10;

// Lists grow fourfold from round to round: all rounds together take a third more than the last.
constexpr double kRounds = 4.0 / 3;

// Sweeps after the rounds: one that finds what is left, one for what was late.
constexpr double kSweeps = 2;

// A scan that stops at vamana.max_scan_tuples has returned at least one in so many of them.
constexpr double kVisitsPerRow = 8;

// How far estimates of filters are trusted where too few rows would be wrong.
constexpr double kMargin = 2;

// More than any plan costs, and finite: infinity less infinity is no cost.
constexpr Cost kNever = 1e100;

struct IndexFacts {
    double pages, pending_pages, nodes, list_size;
    bool complete;  // no row is missing from the index
};

IndexFacts facts_of(const IndexOptInfo* info) {
    const double pages = std::max<double>(info->pages, 1);
    if (info->hypothetical) return {pages, 0, info->tuples, 64, true};
    const Relation index = index_open(info->indexoid, NoLock);
    const Meta meta = read_meta(index);
    const IndexFacts facts{pages, static_cast<double>(meta.pending_pages),
                           static_cast<double>(meta.node_count), static_cast<double>(search_list_size(index)),
                           meta.unindexed == 0};
    index_close(index, NoLock);
    return facts;
}

// Rows of the index that the query looks at to satisfy its LIMIT; all of them where it is not known to have
// one. Joins and locks throw rows away after the scan, nobody knows how many.
double rows_wanted(const PlannerInfo* root, const IndexPath* path) {
    const double rows = std::max(path->indexinfo->tuples, 1.0);
    const bool limited = root->limit_tuples >= 0 && root->parse->rowMarks == NIL &&
                         bms_membership(root->all_baserels) == BMS_SINGLETON;
    if (!limited) return rows;
    const double selectivity = std::clamp(path->indexinfo->rel->rows / rows, 1e-9, 1.0);
    if (path->indexinfo->rel->baserestrictinfo == NIL) return root->limit_tuples;
    return std::min(rows, kMargin * root->limit_tuples / selectivity);
}

// Rows that a scan returns at least, if there are so many.
double rows_promised(const IndexFacts& facts) {
    if (settings().iterative_scan == static_cast<int>(IterativeScan::kOff)) return facts.list_size;
    if (settings().max_scan_tuples == 0) return get_float8_infinity();
    return std::max(facts.list_size, settings().max_scan_tuples / kVisitsPerRow);
}

void refuse(IndexPath* path, Cost* startup_cost, Cost* total_cost) {
    *startup_cost = *total_cost = kNever;
    disable_path(path);
}

// Of the pages of the index, the share that the cache has no room for.
double missing_share(double pages) {
    return std::max(0.0, 1 - effective_cache_size / pages);
}

}  // namespace

void vamana_cost_estimate(PlannerInfo* root, IndexPath* path, double, Cost* startup_cost, Cost* total_cost,
                          Selectivity* selectivity, double* correlation, double* pages) {
    const IndexOptInfo* info = path->indexinfo;
    *selectivity = info->rel->tuples > 0 ? std::min(info->tuples / info->rel->tuples, 1.0) : 1;
    *correlation = 0;
    *pages = std::max<double>(info->pages, 1);
    // Without an order there is nothing that the index could tell.
    if (path->indexorderbys == NIL) return refuse(path, startup_cost, total_cost);
    const IndexFacts facts = facts_of(info);
    // A scan that stops early would return fewer rows than there are.
    if (rows_wanted(root, path) > rows_promised(facts)) return refuse(path, startup_cost, total_cost);

    double random_page, sequential_page;
    get_tablespace_page_costs(info->reltablespace, &random_page, &sequential_page);
    const double missing = missing_share(facts.pages);
    const double look = kOperatorsPerPage * cpu_operator_cost;
    const double hop = look + missing * random_page;
    const double swept_page = look + missing * sequential_page;
    const double rows = std::max(info->tuples, 1.0);

    const double search_hops = std::min(facts.nodes, kApproach + kHopsPerEntry * facts.list_size);
    const double all_hops = facts.nodes > 0 ? kHopsPerEntry * kRounds * rows : 0;
    const double pending = facts.pending_pages * swept_page;
    *startup_cost = pending + search_hops * hop;
    *total_cost = *startup_cost + all_hops * hop + rows * cpu_index_tuple_cost;
    if (facts.nodes > 0) *total_cost += kSweeps * facts.pages * swept_page;
    // Rows that are missing from the index come last, from the table.
    if (!facts.complete)
        *total_cost += info->rel->pages * sequential_page + info->rel->tuples * cpu_tuple_cost;
}

}  // namespace vecidx

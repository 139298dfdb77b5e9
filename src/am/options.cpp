// Options and settings. See options.hpp.
#include "am/options.hpp"

#include "pg/compat.hpp"
#include "vecidx/rotation.hpp"
#include "vecidx/space.hpp"

namespace vecidx {
namespace {

constexpr VamanaOptions kDefaults = {0, 0, 64, 1.2, 0, 64, 0};

relopt_kind option_kind;
Settings current = {0, static_cast<int>(IterativeScan::kStrictOrder), 0};

constexpr config_enum_entry kIterativeScans[] = {
    {"off", static_cast<int>(IterativeScan::kOff), false},
    {"relaxed_order", static_cast<int>(IterativeScan::kRelaxedOrder), false},
    {"strict_order", static_cast<int>(IterativeScan::kStrictOrder), false},
    {nullptr, 0, false},
};

void check_code_bits(Relation index, int bits) {
    if (bits == 0 || bits == 1 || bits == 2 || bits == 4) return;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("invalid value %d for option \"code_bits\" of index \"%s\"", bits,
                   RelationGetRelationName(index)),
            errdetail("Codes have 1, 2 or 4 bits a dimension; 0 chooses by the number of dimensions."));
}

}  // namespace

const Settings& settings() {
    return current;
}

void define_options() {
    option_kind = add_reloption_kind();
    const LOCKMODE build_only = AccessExclusiveLock;
    add_int_reloption(option_kind, "max_degree",
                      "Most edges of a node; 0 chooses by the number of dimensions", kDefaults.max_degree, 0,
                      512, build_only);
    add_int_reloption(option_kind, "build_list_size", "List size of the searches that link new rows",
                      kDefaults.build_list_size, 10, 2000, build_only);
    add_real_reloption(option_kind, "alpha", "How much shorter a path must be before it replaces an edge",
                       kDefaults.alpha, 1.0, 2.0, build_only);
    add_int_reloption(option_kind, "code_bits",
                      "Bits of a neighbor's code: 1, 2 or 4; 0 chooses by the number of dimensions",
                      kDefaults.code_bits, 0, 4, build_only);
    add_int_reloption(option_kind, "search_list_size",
                      "List size of searches where vamana.search_list_size is 0", kDefaults.search_list_size,
                      1, 10000, ShareUpdateExclusiveLock);
    add_int_reloption(option_kind, "pending_limit",
                      "Rows outside the graph from which a merge is due; 0 chooses by row size",
                      kDefaults.pending_limit, 0, 1000000, ShareUpdateExclusiveLock);

    DefineCustomIntVariable(
        "vamana.search_list_size", "Sets the list size of index scans.",
        "A longer list finds more of the true neighbors and takes longer; 0 takes the index's option.",
        &current.search_list_size, 0, 0, 10000, PGC_USERSET, 0, nullptr, nullptr, nullptr);
    DefineCustomEnumVariable(
        "vamana.iterative_scan",
        "Sets how an index scan goes on when more rows are wanted than its list holds.",
        "strict_order holds back rows found too late for their place, relaxed_order returns them at once.",
        &current.iterative_scan, current.iterative_scan, kIterativeScans, PGC_USERSET, 0, nullptr, nullptr,
        nullptr);
    DefineCustomIntVariable(
        "vamana.max_scan_tuples", "Sets how many nodes an index scan may visit when it goes on.",
        "0 means no limit: a scan returns every row before it ends.", &current.max_scan_tuples, 0, 0, INT_MAX,
        PGC_USERSET, 0, nullptr, nullptr, nullptr);
    MarkGUCPrefixReserved("vamana");
}

namespace {

relopt_parse_elt option(const char* name, relopt_type type, std::size_t offset) {
    relopt_parse_elt element{};
    element.optname = name;
    element.opttype = type;
    element.offset = static_cast<int>(offset);
    return element;
}

}  // namespace

bytea* vamana_options(Datum reloptions, bool validate) {
    const relopt_parse_elt table[] = {
        option("max_degree", RELOPT_TYPE_INT, offsetof(VamanaOptions, max_degree)),
        option("build_list_size", RELOPT_TYPE_INT, offsetof(VamanaOptions, build_list_size)),
        option("alpha", RELOPT_TYPE_REAL, offsetof(VamanaOptions, alpha)),
        option("code_bits", RELOPT_TYPE_INT, offsetof(VamanaOptions, code_bits)),
        option("search_list_size", RELOPT_TYPE_INT, offsetof(VamanaOptions, search_list_size)),
        option("pending_limit", RELOPT_TYPE_INT, offsetof(VamanaOptions, pending_limit)),
    };
    return static_cast<bytea*>(
        build_reloptions(reloptions, validate, option_kind, sizeof(VamanaOptions), table, lengthof(table)));
}

VamanaOptions options_of(Relation index) {
    const auto* options = reinterpret_cast<const VamanaOptions*>(index->rd_options);
    return options != nullptr ? *options : kDefaults;
}

int search_list_size(Relation index) {
    return current.search_list_size > 0 ? current.search_list_size : options_of(index).search_list_size;
}

IndexShape make_shape(Relation index, const TypeSupport& support) {
    const VamanaOptions options = options_of(index);
    check_code_bits(index, options.code_bits);
    const int dims = TupleDescAttr(RelationGetDescr(index), 0)->atttypmod;
    if (dims < 1)
        ereport(
            ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("column does not have dimensions"),
            errhint("Declare the number of dimensions, as in vector(768), or index a cast to such a type."));
    if (dims > support.max_dims)
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("column cannot have more than %d dimensions for vamana index", support.max_dims));

    const Space space(support.metric, static_cast<std::size_t>(dims));
    IndexShape shape;
    std::memset(&shape, 0, sizeof shape);
    shape.dims = static_cast<std::uint32_t>(dims);
    shape.metric = support.metric;
    shape.node_form = NodeForm::kInline;
    shape.rotation_version = kRotationVersion;
    shape.layout = choose_layout({space.padded, static_cast<std::size_t>(options.max_degree),
                                  static_cast<unsigned>(options.code_bits)},
                                 kPageBytes);
    if (shape.layout.size == 0)
        ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                errmsg("a node of this index does not fit in a page"),
                errhint("Lower max_degree or code_bits."));
    shape.nodes_per_page = static_cast<std::uint16_t>(kPageBytes / shape.layout.size);
    shape.alpha = static_cast<float>(options.alpha);
    shape.build_list_size = static_cast<std::uint32_t>(options.build_list_size);
    return shape;
}

}  // namespace vecidx

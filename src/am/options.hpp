// Index options (WITH (...)) and settings (SET vamana...), and the shape that they give a new index.
#pragma once

#include "am/type_support.hpp"
#include "storage/layout.hpp"

namespace vecidx {

// As reloptions parse into it.
struct VamanaOptions {
    std::int32_t length_word;
    int max_degree;  // 0: by dimension
    int build_list_size;
    double alpha;
    int code_bits;  // 0: by dimension
    int search_list_size;
    int pending_limit;  // rows; 0: by the size of a row
};

enum class IterativeScan : int { kOff, kRelaxedOrder, kStrictOrder };

// Settings of the session.
struct Settings {
    int search_list_size;  // 0: the index's
    int iterative_scan;    // an IterativeScan
    int max_scan_tuples;   // nodes that one scan may visit; 0: no limit
};
const Settings& settings();

// Called once, when the library is loaded.
void define_options();

bytea* vamana_options(Datum reloptions, bool validate);

// The options of an index, defaults where it has none.
VamanaOptions options_of(Relation index);

// The list size of a search of this index in this session.
int search_list_size(Relation index);

// The shape for a new index. ERROR when the column has no dimensions or too many for the access method.
IndexShape make_shape(Relation index, const TypeSupport& support);

}  // namespace vecidx

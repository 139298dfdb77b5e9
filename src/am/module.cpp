// The library's module block: what Postgres looks for when it loads the library, and the settings that do
// not belong to one access method.
#include "am/gathering.hpp"
#include "am/options.hpp"
#include "pg/compat.hpp"
#include "vecidx/kernels.hpp"

extern "C" {
PG_MODULE_MAGIC;
PGDLLEXPORT void _PG_init(void);
}

namespace {

using vecidx::SimdLevel;

// The setting's values are SIMD levels, and one more for "the best that the machine has".
constexpr int kAuto = -1;
constexpr int value_of(SimdLevel level) {
    return static_cast<int>(level);
}

int simd_setting = kAuto;

// Not const: levels that this machine lacks are hidden, so that hints list only what can be chosen.
config_enum_entry simd_values[] = {
    {"auto", kAuto, false},
    {"scalar", value_of(SimdLevel::kScalar), false},
    {"sse2", value_of(SimdLevel::kSse2), false},
    {"avx2", value_of(SimdLevel::kAvx2), false},
    {"avx512", value_of(SimdLevel::kAvx512), false},
    {"neon", value_of(SimdLevel::kNeon), false},
    {nullptr, 0, false},
};

bool is_available(int value) {
    return value == kAuto || vecidx::kernels_of(static_cast<SimdLevel>(value)) != nullptr;
}

// "auto, scalar, sse2": what simd_values does not hide.
char* available_values() {
    StringInfoData list;
    initStringInfo(&list);
    for (const config_enum_entry* entry = simd_values; entry->name != nullptr; entry++)
        if (!entry->hidden) appendStringInfo(&list, list.len == 0 ? "%s" : ", %s", entry->name);
    return list.data;
}

bool check_simd(int* value, void**, GucSource) {
    if (is_available(*value)) return true;

    const char* name = "";
    for (const config_enum_entry* entry = simd_values; entry->name != nullptr; entry++)
        if (entry->val == *value) name = entry->name;
    GUC_check_errcode(ERRCODE_INVALID_PARAMETER_VALUE);
    GUC_check_errmsg("SIMD level \"%s\" is not available on this machine", name);
    GUC_check_errhint("Available values: %s.", available_values());
    return false;
}

void assign_simd(int value, void*) {
    vecidx::set_simd_level(value == kAuto ? vecidx::best_simd_level() : static_cast<SimdLevel>(value));
}

const char* show_simd(void) {
    return vecidx::kernels().name;
}

void define_simd_setting() {
    for (config_enum_entry* entry = simd_values; entry->name != nullptr; entry++)
        entry->hidden = !is_available(entry->val);

    DefineCustomEnumVariable("vecidx.simd", "Sets the SIMD level of vector arithmetic.",
                             "\"auto\" takes the best level of this machine; SHOW tells the level in force.",
                             &simd_setting, kAuto, simd_values, PGC_USERSET, 0, check_simd, assign_simd,
                             show_simd);
}

}  // namespace

void _PG_init(void) {
    define_simd_setting();
    MarkGUCPrefixReserved("vecidx");
    vecidx::define_options();
    vecidx::watch_gatherings();
}

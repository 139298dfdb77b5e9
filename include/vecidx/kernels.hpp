// The arithmetic that depends on the processor, as one table of function pointers per SIMD level. The table
// is chosen once, when the library is loaded, and can be set to any level that the machine has, so that
// tests cover each. Callers fetch the table once per operation (`const Kernels& k = kernels();`), never per
// vector.
//
// Contract of all kernels: pointers need no alignment; any n >= 0 works (tails are handled); inputs are
// finite; no kernel reads past the end of its inputs. Integer kernels give the same result on every level,
// bit for bit; float kernels may differ in the last bits (order of summation, FMA).
#pragma once

#include <cstddef>
#include <cstdint>

#include "vecidx/types.hpp"

namespace vecidx {

enum class SimdLevel : std::uint8_t { kScalar, kSse2, kAvx2, kAvx512, kNeon };

// Dot product and both squared norms, from one pass over the data.
struct DotNorms {
    float dot;
    float norm_a;  // sum of a[i]^2
    float norm_b;  // sum of b[i]^2
};

// Lanes in one FastScan block. A node's edges are stored in blocks of 16.
inline constexpr std::size_t kBlockLanes = 16;

// Most dimensions that a code covers: the u16 accumulators of `scan` sum code_dims / 8 pairs of table
// entries of at most 127 each, 256 * 254 < 2^16.
inline constexpr std::size_t kMaxCodeDims = 2048;

// A run of FastScan blocks and the factors of the distance estimate (quantizer.hpp has the formula).
// codes:    block-major, then bit plane (plane p weighs 2^p), then byte j of the plane, then lane: byte
//           ((block * bits + plane) * code_dims/8 + j) * 16 + lane; bit i of it belongs to dimension 8j + i.
// add, rescale, centroid: one entry per lane, all blocks in a row.
struct CodeBlocks {
    const std::uint8_t* codes;
    const float* add;
    const f16* rescale;
    const std::uint8_t* centroid;
    std::size_t blocks;
};

// A query made ready for `scan`.
// low, high: 16 bytes for each j < code_dims/8; low[16 j + m] is the quantized sum of q[8j + i] over the bits
//           i set in m (i < 4), high[16 j + m] of q[8j + 4 + i]; each at most 127.
// estimate(lane) = add + centroid_term[centroid] + rescale * (scale * sum + offset), where sum is
//           the sum over planes p of 2^p * (low[...] + high[...] over all j).
struct QueryTable {
    const std::uint8_t* low;
    const std::uint8_t* high;
    const float* centroid_term;
    std::size_t code_dims;  // a multiple of 16, at most kMaxCodeDims
    unsigned bits;          // planes: 1, 2 or 4
    float scale;
    float offset;
    float rescale_unit;  // multiplies every stored f16 factor
};

// Vectors in 8 bits, packed for the all-pairs kernel `dot_tile` (tile.hpp packs them).
// rows:   row-major, row i at rows + i * stride, each byte the value + 128.
// panels: groups of 16 vectors; panel p at panels + p * 16 * stride; in it, for each k < stride/4, 64
//         bytes: the four values 4k .. 4k+3 of vector 16p, then of vector 16p+1, and so on.
// bias:   for each vector -128 * (sum of its values), which takes the rows' offset out again.
struct Tile {
    const std::uint8_t* rows;
    const std::int8_t* panels;
    const std::int32_t* bias;
    std::size_t stride;  // dimensions, a multiple of 4 (zero padded)
};

// Of a vector packed to 8 bits: the sum of its values and of their squares.
struct PackedSums {
    std::int32_t sum;
    std::int32_t norm;
};

// Lanes that `lane_minima` keeps apart.
inline constexpr std::size_t kMinimaLanes = 32;

struct Kernels {
    SimdLevel level;
    const char* name;  // as SHOW vecidx.simd prints it: "scalar", "sse2", "avx2", "avx512", "neon"

    // Float vectors.
    float (*l2_squared)(const float* a, const float* b, std::size_t n);
    float (*inner_product)(const float* a, const float* b, std::size_t n);
    float (*l1)(const float* a, const float* b, std::size_t n);
    DotNorms (*dot_norms)(const float* a, const float* b, std::size_t n);

    // A float query against a stored vector: halves or 8-bit values, times `unit`.
    float (*l2_squared_f16)(const float* q, const f16* x, float unit, std::size_t n);
    float (*l1_f16)(const float* q, const f16* x, float unit, std::size_t n);
    float (*l2_squared_i8)(const float* q, const std::int8_t* x, float unit, std::size_t n);
    float (*l1_i8)(const float* q, const std::int8_t* x, float unit, std::size_t n);

    // Conversions, round to nearest even; exact IEEE semantics (subnormals, infinities;
    // a NaN stays a NaN).
    void (*to_f16)(const float* in, f16* out, std::size_t n);
    void (*from_f16)(const f16* in, float* out, std::size_t n);

    // FastScan: estimates of all lanes, 16 floats a block. See CodeBlocks and QueryTable.
    void (*scan)(const CodeBlocks& edges, const QueryTable& query, float* estimates);

    // All pairs: out[i * out_stride + j] = dot(row i, vector j) for i < row_count (from row `first_row` of
    // `rows`), j < 16 * panel_count of `columns` (from panel 0). Exact in int32.
    void (*dot_tile)(const Tile& rows, std::size_t first_row, std::size_t row_count, const Tile& columns,
                     std::size_t panel_count, std::int32_t* out, std::size_t out_stride);

    // Packing of a stored vector around a centre c. largest_*: max |unit x[i] - c[i]|. pack_*: writes
    // row[i] = v + 128 for v = (unit x[i] - c[i]) * inverse, rounded (halves up) and cut to -127 .. 127.
    float (*largest_f16)(const float* c, const f16* x, float unit, std::size_t n);
    float (*largest_i8)(const float* c, const std::int8_t* x, float unit, std::size_t n);
    PackedSums (*pack_f16)(const float* c, const f16* x, float unit, float inverse, std::uint8_t* row,
                           std::size_t n);
    PackedSums (*pack_i8)(const float* c, const std::int8_t* x, float unit, float inverse, std::uint8_t* row,
                          std::size_t n);

    // Keys norms[j] - 2 dots[j], which order a row of dot products as its squared distances.
    // lane_minima: minima[l] = the least key of the columns j with j % 32 = l; the largest integer where
    // there is none.
    // keys_up_to: the columns with a key of at most `limit`, ascending; `columns` has room for n. Returns how
    // many.
    void (*lane_minima)(const std::int32_t* dots, const std::int32_t* norms, std::size_t n,
                        std::int32_t* minima);
    std::size_t (*keys_up_to)(const std::int32_t* dots, const std::int32_t* norms, std::size_t n,
                              std::int32_t limit, std::uint32_t* columns);
};

// The table in force. Never null, cheap, and constant unless set_simd_level is called.
const Kernels& kernels();

// The table of one level, or nullptr where this machine (or this build) does not have it.
const Kernels* kernels_of(SimdLevel level);

// The best level of this machine.
SimdLevel best_simd_level();

// Puts a level in force. False, and no change, where the machine does not have it.
bool set_simd_level(SimdLevel level);

}  // namespace vecidx

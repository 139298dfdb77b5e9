// Turns a file of vectors into COPY's binary format on standard output, rows (id bigint, value).
//
//   copy_binary FILE [ROWS [FIRST [SECONDS]]]
//
// FILE is fvecs (float32) or bvecs (uint8), which become type `vector`, or ivecs (int32), which become
// int4[]: for each row an int32 number of dimensions, the same in all, and the values, little-endian. A row's
// id is its number in the file, from 0. ROWS rows at most from row FIRST on, and none after SECONDS: COPY
// then ends with what is on the way by then.
#include <bit>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

constexpr std::uint32_t kInt4Oid = 23;

enum class Format { kFloats, kBytes, kInts };

// Values in network byte order.
void put16(std::vector<std::uint8_t>& out, unsigned value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}
void put32(std::vector<std::uint8_t>& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

// A vector: dims and an unused field, 16 bits each, then float4 values.
void put_vector(std::vector<std::uint8_t>& out, const std::vector<std::uint8_t>& raw, std::uint32_t dims,
                Format format) {
    put32(out, 4 + 4 * dims);
    put16(out, dims);
    put16(out, 0);
    for (std::uint32_t d = 0; d < dims; d++) {
        const float value = format == Format::kBytes ? static_cast<float>(raw[d])
                                                     : reinterpret_cast<const float*>(raw.data())[d];
        put32(out, std::bit_cast<std::uint32_t>(value));
    }
}

// An int4[]: one dimension, no nulls, lower bound 1.
void put_array(std::vector<std::uint8_t>& out, const std::vector<std::uint8_t>& raw, std::uint32_t dims) {
    put32(out, 20 + 8 * dims);
    for (std::uint32_t field : {1u, 0u, kInt4Oid, dims, 1u}) put32(out, field);
    for (std::uint32_t d = 0; d < dims; d++) {
        put32(out, 4);
        put32(out, reinterpret_cast<const std::uint32_t*>(raw.data())[d]);
    }
}

Format format_of(std::string_view name) {
    if (name.ends_with(".bvecs")) return Format::kBytes;
    return name.ends_with(".ivecs") ? Format::kInts : Format::kFloats;
}

struct Part {
    std::uint64_t rows = UINT64_MAX;
    std::uint64_t first = 0;
    double seconds = 1e9;
};

Part parse_part(int argc, char** argv) {
    Part part;
    if (argc > 2 && *argv[2] != '\0') part.rows = std::strtoull(argv[2], nullptr, 10);
    if (argc > 3 && *argv[3] != '\0') part.first = std::strtoull(argv[3], nullptr, 10);
    if (argc > 4 && *argv[4] != '\0') part.seconds = std::strtod(argv[4], nullptr);
    return part;
}

// Moves to row `first`. False when the file has none.
bool skip_rows(std::FILE* file, Format format, std::uint64_t first) {
    std::uint32_t dims;
    if (first == 0) return true;
    if (std::fread(&dims, sizeof dims, 1, file) != 1) return false;
    const std::uint64_t row = sizeof dims + std::uint64_t{dims} * (format == Format::kBytes ? 1 : 4);
    return fseeko(file, static_cast<off_t>(first * row), SEEK_SET) == 0;
}

// False when the file ends inside a row.
bool write_rows(std::FILE* file, Format format, const Part& part) {
    const auto started = std::chrono::steady_clock::now();
    std::vector<std::uint8_t> raw;
    std::vector<std::uint8_t> out;
    std::uint32_t dims;
    for (std::uint64_t i = 0; i < part.rows && std::fread(&dims, sizeof dims, 1, file) == 1; i++) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - started;
        if (spent.count() > part.seconds) break;
        raw.resize(std::size_t{dims} * (format == Format::kBytes ? 1 : 4));
        if (std::fread(raw.data(), 1, raw.size(), file) != raw.size()) return false;
        const std::uint64_t id = part.first + i;
        out.clear();
        put16(out, 2);  // fields
        put32(out, 8);
        put32(out, static_cast<std::uint32_t>(id >> 32));
        put32(out, static_cast<std::uint32_t>(id));
        format == Format::kInts ? put_array(out, raw, dims) : put_vector(out, raw, dims, format);
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    static_assert(std::endian::native == std::endian::little, "the files are little-endian");
    std::FILE* file = argc > 1 ? std::fopen(argv[1], "rb") : nullptr;
    if (file == nullptr) {
        std::fprintf(stderr, "usage: copy_binary FILE [ROWS [FIRST [SECONDS]]]\n");
        return 2;
    }
    const Format format = format_of(argv[1]);
    const Part part = parse_part(argc, argv);
    std::fwrite("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 1, 19, stdout);
    if (!skip_rows(file, format, part.first) || !write_rows(file, format, part)) {
        std::fprintf(stderr, "copy_binary: %s ends too early\n", argv[1]);
        return 1;
    }
    std::fwrite("\377\377", 1, 2, stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
}

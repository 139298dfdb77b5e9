// Turns a file of vectors into COPY's binary format on standard output, rows (id bigint, value).
//
//   copy_binary FILE [ROWS]
//
// FILE is fvecs (float32) or bvecs (uint8), which become type `vector`, or ivecs (int32), which become
// int4[]: for each row an int32 number of dimensions and the values, little-endian. Ids count from 0.
#include <bit>
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

}  // namespace

int main(int argc, char** argv) {
    static_assert(std::endian::native == std::endian::little, "the files are little-endian");
    std::FILE* file = argc > 1 ? std::fopen(argv[1], "rb") : nullptr;
    if (file == nullptr) {
        std::fprintf(stderr, "usage: copy_binary FILE [ROWS]\n");
        return 2;
    }
    const std::string_view name = argv[1];
    const Format format = name.ends_with(".bvecs")   ? Format::kBytes
                          : name.ends_with(".ivecs") ? Format::kInts
                                                     : Format::kFloats;
    const std::uint64_t limit = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : UINT64_MAX;

    std::fwrite("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 1, 19, stdout);
    std::vector<std::uint8_t> raw;
    std::vector<std::uint8_t> out;
    std::uint32_t dims;
    for (std::uint64_t id = 0; id < limit && std::fread(&dims, sizeof dims, 1, file) == 1; id++) {
        raw.resize(std::size_t{dims} * (format == Format::kBytes ? 1 : 4));
        if (std::fread(raw.data(), 1, raw.size(), file) != raw.size()) {
            std::fprintf(stderr, "copy_binary: %s ends inside a row\n", argv[1]);
            return 1;
        }
        out.clear();
        put16(out, 2);  // fields
        put32(out, 8);
        put32(out, static_cast<std::uint32_t>(id >> 32));
        put32(out, static_cast<std::uint32_t>(id));
        format == Format::kInts ? put_array(out, raw, dims) : put_vector(out, raw, dims, format);
        std::fwrite(out.data(), 1, out.size(), stdout);
    }
    std::fwrite("\377\377", 1, 2, stdout);
    return std::fflush(stdout) == 0 ? 0 : 1;
}

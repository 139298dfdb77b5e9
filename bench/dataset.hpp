// Reading of the usual vector files (fvecs, bvecs, ivecs: an int32 count, then the values) for the
// stand-alone benchmarks.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace bench {

[[noreturn]] inline void fail(const std::string& what) {
    std::cerr << what << '\n';
    std::exit(1);
}

template <typename T>
struct Matrix {
    std::size_t rows = 0, dims = 0;
    std::vector<T> values;
    const T* row(std::size_t i) const { return values.data() + i * dims; }
};

// Values of type Stored on file, as T in memory.
template <typename T, typename Stored>
Matrix<T> read_vecs(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) fail("cannot open " + path);
    Matrix<T> m;
    std::vector<Stored> row;
    for (std::int32_t dims; in.read(reinterpret_cast<char*>(&dims), sizeof dims);) {
        if (dims <= 0 || (m.rows > 0 && static_cast<std::size_t>(dims) != m.dims)) fail("malformed " + path);
        m.dims = static_cast<std::size_t>(dims);
        row.resize(m.dims);
        if (!in.read(reinterpret_cast<char*>(row.data()),
                     static_cast<std::streamsize>(m.dims * sizeof(Stored))))
            fail("truncated " + path);
        m.values.insert(m.values.end(), row.begin(), row.end());
        ++m.rows;
    }
    return m;
}

inline Matrix<float> read_vectors(const std::string& path) {
    return path.ends_with(".bvecs") ? read_vecs<float, std::uint8_t>(path) : read_vecs<float, float>(path);
}

struct Dataset {
    std::string name, metric;
    Matrix<float> base, queries;
    Matrix<std::int32_t> truth;
};

// The text value of a key of a flat JSON object; up to the first blank.
inline std::string json_text(const std::string& json, const std::string& key) {
    const std::size_t at = json.find("\"" + key + "\"");
    if (at == std::string::npos) fail("meta.json has no " + key);
    const std::size_t first = json.find('"', json.find(':', at)) + 1;
    const std::string value = json.substr(first, json.find('"', first) - first);
    return value.substr(0, value.find(' '));
}

// A folder with meta.json, which names metric and files.
inline Dataset read_dataset(const std::string& folder) {
    std::ifstream in(folder + "/meta.json");
    if (!in) fail("cannot open " + folder + "/meta.json");
    std::stringstream text;
    text << in.rdbuf();
    const std::string json = text.str();
    return {json_text(json, "name"), json_text(json, "metric"),
            read_vectors(folder + "/" + json_text(json, "base")),
            read_vectors(folder + "/" + json_text(json, "query")),
            read_vecs<std::int32_t, std::int32_t>(folder + "/" + json_text(json, "groundtruth"))};
}

}  // namespace bench

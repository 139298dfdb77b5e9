// Temporary files that processes share and map: the memory of a build. Dynamic shared memory would do as
// well, but for /dev/shm, which is 64 MB in a container, and because a file may be larger than the memory
// that a build is allowed. Arrays in it are position independent: each process maps it somewhere else.
#pragma once

#include "pg/compat.hpp"

namespace vecidx {

// A temporary file of this transaction, deleted when the process that made it closes it, at the latest at the
// transaction's end.
class TempFile {
  public:
    // Makes a file in a temporary tablespace.
    void create();

    // Opens one that another process has made.
    void open(const char* path);

    const char* path() const { return FilePathName(file_); }

    // ERROR when the disk is full or temp_file_limit is reached.
    void write(const void* data, std::size_t bytes, std::size_t offset);

    // Makes the file `bytes` long, zeros behind its end, all of it on disk: touching it later never fails for
    // want of room. ERROR as for `write`.
    void allocate(std::size_t bytes);

    // Valid until the next use of a file by this process: Postgres closes files to stay within its limit.
    int descriptor() const;
    void close();

  private:
    File file_ = -1;
};

// At most two files mapped one behind the other, readable and writable, until the current memory context is
// reset.
class Mapping {
  public:
    // Each file counts `bytes` of it, a multiple of `alignment()`.
    struct Part {
        const TempFile* file;
        std::size_t bytes;
    };
    void map(std::span<const Part> parts);

    static std::size_t alignment();

    std::byte* data() const { return data_; }
    std::size_t bytes() const { return bytes_; }

    // Makes whole pages of it not resident in this process. The files keep everything.
    void let_go(std::size_t offset, std::size_t bytes);

    // Copies into the files, past the mapping.
    void write(std::size_t offset, const void* from, std::size_t bytes) const;

    void unmap();

  private:
    static constexpr std::size_t kMostParts = 2;

    // The part of an offset, which becomes one in the part's file.
    const TempFile* part_of(std::size_t& offset) const;

    Part parts_[kMostParts] = {};
    std::byte* data_ = nullptr;
    std::size_t bytes_ = 0;
    MemoryContextCallback at_reset_{};
};

}  // namespace vecidx

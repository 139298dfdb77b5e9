// Temporary files and their mappings. See temp_file.hpp.
#include "pg/temp_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cerrno>

namespace vecidx {
namespace {

[[noreturn]] void report_failure(const char* what, const char* path) {
    ereport(ERROR, errcode_for_file_access(), errmsg("could not %s temporary file \"%s\": %m", what, path));
    pg_unreachable();
}

}  // namespace

void TempFile::create() {
    PrepareTempTablespaces();
    file_ = OpenTemporaryFile(false);
}

void TempFile::open(const char* path) {
    file_ = PathNameOpenFile(path, O_RDWR | PG_BINARY);
    if (file_ < 0) report_failure("open", path);
}

void TempFile::write(const void* data, std::size_t bytes, std::size_t offset) {
    errno = 0;
    if (write_file(file_, data, bytes, static_cast<off_t>(offset)) == static_cast<std::int64_t>(bytes))
        return;
    if (errno == 0) errno = ENOSPC;
    report_failure("write to", path());
}

void TempFile::allocate(std::size_t bytes) {
    if (temp_file_limit >= 0 && bytes > static_cast<std::size_t>(temp_file_limit) * 1024)
        ereport(ERROR, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
                errmsg("temporary file size exceeds temp_file_limit (%dkB)", temp_file_limit),
                errdetail("Building the index takes a temporary file of %zu kB.", bytes / 1024));
    int result;
    while ((result = posix_fallocate(descriptor(), 0, static_cast<off_t>(bytes))) == EINTR)
        CHECK_FOR_INTERRUPTS();
    errno = result;
    if (result != 0) report_failure("extend", path());
}

int TempFile::descriptor() const {
    if (FileSize(file_) < 0) report_failure("open", path());  // opens it again, which FileGetRawDesc may not
    return FileGetRawDesc(file_);
}

void TempFile::close() {
    if (file_ >= 0) FileClose(file_);
    file_ = -1;
}

std::size_t Mapping::alignment() {
    return static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

void Mapping::map(std::span<const Part> parts) {
    std::copy(parts.begin(), parts.end(), parts_);
    for (const Part& part : parts) bytes_ += part.bytes;
    void* room = mmap(nullptr, bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        ereport(ERROR, errcode(ERRCODE_OUT_OF_MEMORY),
                errmsg("could not reserve %zu bytes of address space", bytes_));
    data_ = static_cast<std::byte*>(room);
    at_reset_.func = [](void* self) { static_cast<Mapping*>(self)->unmap(); };
    at_reset_.arg = this;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, &at_reset_);
    std::size_t at = 0;
    for (const Part& part : parts) {
        if (part.bytes > 0 && mmap(data_ + at, part.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                   part.file->descriptor(), 0) == MAP_FAILED)
            report_failure("map", part.file->path());
        at += part.bytes;
    }
    // Else pages come in large folios, of which the whole is mapped when a byte is touched.
    madvise(data_, bytes_, MADV_RANDOM);
}

void Mapping::let_go(std::size_t offset, std::size_t bytes) {
    madvise(data_ + offset, std::min(bytes, bytes_ - offset), MADV_DONTNEED);
}

const TempFile* Mapping::part_of(std::size_t& offset) const {
    const Part* part = parts_;
    for (; offset >= part->bytes; ++part) offset -= part->bytes;
    return part->file;
}

void Mapping::write(std::size_t offset, const void* from, std::size_t bytes) const {
    const TempFile* file = part_of(offset);
    errno = 0;
    const ssize_t done = pwrite(file->descriptor(), from, bytes, static_cast<off_t>(offset));
    if (done != static_cast<ssize_t>(bytes)) report_failure("write to", file->path());
}

void Mapping::unmap() {
    if (data_ != nullptr) munmap(data_, bytes_);
    data_ = nullptr;
}

}  // namespace vecidx

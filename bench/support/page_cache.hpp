#pragma once

#include <fcntl.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "posix/descriptor.hpp"

namespace reelfarm::bench {

/// Lets go of the file's pages, which must be on the disk already (fsync). Throws std::system_error.
inline void drop_from_cache(const std::filesystem::path& path) {
  const posix::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = file ? ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED) : errno;
  if (error != 0) throw std::system_error(error, std::generic_category(), "drop " + path.string() + " from the cache");
}

}  // namespace reelfarm::bench

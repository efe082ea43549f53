#include "cli/disk/usage.hpp"

#include <sys/stat.h>

namespace reelfarm::cli {

namespace fs = std::filesystem;

std::uint64_t DiskUsage::of_file(const fs::path& path) {
  constexpr std::uint64_t kBytesPerBlock = 512;  // of st_blocks, whatever the file system's own are
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return 0;
  if (status.st_nlink > 1 && !S_ISDIR(status.st_mode) && !seen_.emplace(status.st_dev, status.st_ino).second) return 0;
  return static_cast<std::uint64_t>(status.st_blocks) * kBytesPerBlock;
}

std::uint64_t DiskUsage::of(const fs::path& path) {
  std::uint64_t bytes = of_file(path);
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) return bytes;
  for (fs::recursive_directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    bytes += of_file(entry->path());
  }
  return bytes;
}

}  // namespace reelfarm::cli

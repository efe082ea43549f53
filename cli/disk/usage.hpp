#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <set>
#include <utility>

namespace reelfarm::cli {

/// Adds up what files take on the disk. A file with several names, such as a window that two takes share, counts once,
/// for whoever is asked about first. Links are not followed; what goes away meanwhile counts nothing.
class DiskUsage {
 public:
  /// Bytes of a file, or of everything below a folder; 0 when it is not there.
  std::uint64_t of(const std::filesystem::path& path);

 private:
  std::uint64_t of_file(const std::filesystem::path& path);

  std::set<std::pair<dev_t, ino_t>> seen_;
};

}  // namespace reelfarm::cli

#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "posix/descriptor.hpp"

namespace reelfarm::artifacts {

/// An flock(2) on a file that is made where there is none. At most one process holds it, children that it forks with
/// it; the kernel lets go of it when the last of them dies, however it dies.
class FileLock {
 public:
  /// Waits until no other process holds it. Throws StorageError.
  static FileLock take(const std::filesystem::path& path);

  /// Nothing when another process still holds it after `patience`. Throws StorageError.
  static std::optional<FileLock> try_take(const std::filesystem::path& path, std::chrono::milliseconds patience);

 private:
  explicit FileLock(posix::Descriptor file) : file_(std::move(file)) {}

  posix::Descriptor file_;
};

}  // namespace reelfarm::artifacts

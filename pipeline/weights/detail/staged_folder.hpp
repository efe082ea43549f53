#pragma once

#include <cstdint>
#include <filesystem>

namespace reelfarm::weights::detail {

/// A folder that is built under a temporary name beside its place, and appears there whole or not at all.
class StagedFolder {
 public:
  /// Throws WeightError when `target` is there already, or cannot be built.
  explicit StagedFolder(const std::filesystem::path& target);
  /// Removes what was built, unless publish() ran to its end.
  ~StagedFolder();
  StagedFolder(const StagedFolder&) = delete;
  StagedFolder& operator=(const StagedFolder&) = delete;

  /// Where to build.
  const std::filesystem::path& path() const { return path_; }

  /// Throws WeightError when the file system has not so many bytes left: better before hours of writing than after.
  void require_space(std::uint64_t bytes) const;

  /// Syncs every file and folder and renames.
  void publish();

 private:
  std::filesystem::path target_, path_;
};

}  // namespace reelfarm::weights::detail

#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace reelfarm::weights::detail {

/// SHA-256 of files, kept in one JSON file between runs. Processes may share it: the last one to save wins, and what is
/// lost is only computed again.
class DigestCache {
 public:
  /// Reads the file; an empty path, a missing or an unreadable file is an empty cache.
  explicit DigestCache(std::filesystem::path file);

  /// The digest from the cache, or of the file's bytes. Throws WeightError, also when the file changes meanwhile.
  std::string digest_of(const std::filesystem::path& file);

  /// Writes the cache if there is something new in it.
  void save() const;

 private:
  std::filesystem::path file_;
  std::map<std::string, std::string> digests_;  // by identity: path, size, inode, times
  bool changed_ = false;
};

}  // namespace reelfarm::weights::detail

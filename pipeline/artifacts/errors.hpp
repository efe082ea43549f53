#pragma once

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>

namespace reelfarm::artifacts {

/// Base of everything that can go wrong with files of the farm.
class ArtifactError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The file system said no: names the path, what was tried, the bytes and the system's words.
class StorageError : public ArtifactError {
 public:
  /// `attempt` completes "cannot ...": "write", "create folder". `bytes` 0 means that no data was being written.
  StorageError(const std::string& attempt, std::filesystem::path path, std::uint64_t bytes, int error_number);

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  const std::error_code& code() const { return code_; }
  /// Disk or quota full: worth another try when space is free again.
  bool no_space() const;
  /// Permission or read-only file system: an operator has to act.
  bool not_writable() const;

 private:
  std::filesystem::path path_;
  std::uint64_t bytes_;
  std::error_code code_;
};

/// An artifact that is there but is not what its manifest says.
class CorruptArtifact : public ArtifactError {
 public:
  using ArtifactError::ArtifactError;
};

/// Whether the file itself is at fault, damaged or not there: what made it has to make it again. False where the disk
/// or the network is, and another try may help.
bool is_lost(const ArtifactError& error);

}  // namespace reelfarm::artifacts

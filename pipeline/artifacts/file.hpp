#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "posix/descriptor.hpp"

namespace reelfarm::artifacts {

/// An open file descriptor whose every failure is a StorageError with path and bytes.
class File {
 public:
  static File open_to_read(const std::filesystem::path& path);
  /// Makes or empties the file; it can be read back and sought in.
  static File create(const std::filesystem::path& path);

  /// Bytes read, 0 at the end.
  std::size_t read(std::span<std::uint8_t> buffer);
  /// Writes all of it, however many calls that takes.
  void write(std::span<const std::uint8_t> bytes);
  void write(std::string_view bytes);
  /// `whence` as in lseek(2); the new position.
  std::int64_t seek(std::int64_t offset, int whence);
  std::int64_t size() const;
  /// Returns when the data is on the disk.
  void sync();
  /// Unlike the destructor, reports what close(2) says (a full network file system says it only here).
  void close();

  const std::filesystem::path& path() const { return path_; }

 private:
  File(posix::Descriptor descriptor, std::filesystem::path path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  posix::Descriptor descriptor_;
  std::filesystem::path path_;
};

/// The whole file; throws StorageError, and ArtifactError when it is larger than `max_bytes`.
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 30);

/// The same, or nothing where there is no such file.
std::optional<std::string> read_file_if_there(const std::filesystem::path& path);

/// Replaces the file as one step that survives a power cut: temporary sibling, fsync, rename, fsync of the folder.
void write_file_durably(const std::filesystem::path& path, std::string_view content);

/// fsync of a file or folder that is already written.
void sync_path(const std::filesystem::path& path);

/// Renames within one file system and syncs the folder of `to`. Never overwrites: throws StorageError (EEXIST).
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

/// mkdir -p with a StorageError.
void create_folders(const std::filesystem::path& path);

}  // namespace reelfarm::artifacts

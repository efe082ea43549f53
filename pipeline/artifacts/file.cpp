#include "pipeline/artifacts/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "pipeline/artifacts/errors.hpp"

namespace reelfarm::artifacts {
namespace {

posix::Descriptor open_or_throw(const std::filesystem::path& path, int flags, const char* attempt) {
  for (;;) {
    posix::Descriptor descriptor(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    if (descriptor) return descriptor;
    if (errno != EINTR) throw StorageError(attempt, path, 0, errno);
  }
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace

File File::open_to_read(const std::filesystem::path& path) {
  return File(open_or_throw(path, O_RDONLY, "open"), path);
}

File File::create(const std::filesystem::path& path) {
  return File(open_or_throw(path, O_RDWR | O_CREAT | O_TRUNC, "create"), path);
}

std::size_t File::read(std::span<std::uint8_t> buffer) {
  for (;;) {
    const ssize_t count = ::read(descriptor_.get(), buffer.data(), buffer.size());
    if (count >= 0) return static_cast<std::size_t>(count);
    if (errno != EINTR) throw StorageError("read", path_, 0, errno);
  }
}

void File::write(std::span<const std::uint8_t> bytes) {
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_.get(), bytes.data(), bytes.size());
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      throw StorageError("write", path_, whole, count == 0 ? EIO : errno);
    }
  }
}

void File::write(std::string_view bytes) {
  write(std::span(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()));
}

std::int64_t File::seek(std::int64_t offset, int whence) {
  const off_t position = ::lseek(descriptor_.get(), offset, whence);
  if (position < 0) throw StorageError("seek in", path_, 0, errno);
  return position;
}

std::int64_t File::size() const {
  struct stat status;
  if (::fstat(descriptor_.get(), &status) != 0) throw StorageError("stat", path_, 0, errno);
  return status.st_size;
}

void File::sync() {
  // EINVAL: a device or pipe, which has no disk behind it.
  if (::fsync(descriptor_.get()) != 0 && errno != EINVAL) throw StorageError("fsync", path_, 0, errno);
}

void File::close() {
  if (descriptor_ && ::close(descriptor_.release()) != 0) throw StorageError("close", path_, 0, errno);
}

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  File file = File::open_to_read(path);
  const auto size = static_cast<std::uint64_t>(file.size());
  if (size > max_bytes) {
    throw ArtifactError(path.string() + " has " + std::to_string(size) + " bytes: at most " +
                        std::to_string(max_bytes) + " are read");
  }
  std::string content(size, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const std::size_t count =
        file.read(std::span(reinterpret_cast<std::uint8_t*>(content.data()) + done, content.size() - done));
    if (count == 0) break;
    done += count;
  }
  content.resize(done);
  return content;
}

std::optional<std::string> read_file_if_there(const std::filesystem::path& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  return read_file(path);
}

void write_file_durably(const std::filesystem::path& path, std::string_view content) {
  static std::atomic<std::uint64_t> counter{0};
  std::filesystem::path temporary = path;
  temporary += ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
  try {
    File file = File::create(temporary);
    file.write(content);
    file.sync();
    file.close();
    if (::rename(temporary.c_str(), path.c_str()) != 0) throw StorageError("rename to", path, content.size(), errno);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_path(folder_of(path));
}

void sync_path(const std::filesystem::path& path) {
  File::open_to_read(path).sync();
}

void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to) {
  int result = ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  if (result != 0 && errno == EINVAL) {
    // Network file systems without RENAME_NOREPLACE: names carry a nonce, so nobody else makes `to` in between.
    struct stat status;
    if (::lstat(to.c_str(), &status) == 0) throw StorageError("rename to", to, 0, EEXIST);
    result = ::rename(from.c_str(), to.c_str());
  }
  if (result != 0) throw StorageError("rename " + from.string() + " to", to, 0, errno);
  sync_path(folder_of(to));
}

void create_folders(const std::filesystem::path& path) {
  std::error_code code;
  std::filesystem::create_directories(path, code);
  if (code) throw StorageError("create folder", path, 0, code.value());
}

}  // namespace reelfarm::artifacts

#include "pipeline/artifacts/file_lock.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <thread>

#include "pipeline/artifacts/errors.hpp"

namespace reelfarm::artifacts {
namespace {

constexpr std::chrono::milliseconds kLook{100};

posix::Descriptor open_lock(const std::filesystem::path& path) {
  posix::Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file) throw StorageError("create", path, 0, errno);
  return file;
}

/// False when another process holds it and LOCK_NB is in `operation`.
bool lock(const posix::Descriptor& file, int operation, const std::filesystem::path& path) {
  while (::flock(file.get(), operation) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) throw StorageError("lock", path, 0, errno);
  }
  return true;
}

}  // namespace

FileLock FileLock::take(const std::filesystem::path& path) {
  posix::Descriptor file = open_lock(path);
  lock(file, LOCK_EX, path);
  return FileLock(std::move(file));
}

std::optional<FileLock> FileLock::try_take(const std::filesystem::path& path, std::chrono::milliseconds patience) {
  const auto limit = std::chrono::steady_clock::now() + patience;
  posix::Descriptor file = open_lock(path);
  while (!lock(file, LOCK_EX | LOCK_NB, path)) {
    if (std::chrono::steady_clock::now() >= limit) return std::nullopt;
    std::this_thread::sleep_for(kLook);  // flock(2) knows no time-out
  }
  return FileLock(std::move(file));
}

}  // namespace reelfarm::artifacts

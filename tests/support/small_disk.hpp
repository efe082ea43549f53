#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace reelfarm::test {

/// This process and its children see mounts of their own from here on. To be called before there is a second thread.
/// Returns why not, or nothing.
inline std::string enter_mount_namespace() {
  const uid_t user = ::geteuid();
  const gid_t group = ::getegid();
  const int wanted = user == 0 ? CLONE_NEWNS : CLONE_NEWUSER | CLONE_NEWNS;
  if (::unshare(wanted) != 0) return std::string("unshare: ") + std::strerror(errno);
  if (user != 0) {
    std::ofstream("/proc/self/setgroups") << "deny";
    std::ofstream("/proc/self/uid_map") << user << " " << user << " 1";
    std::ofstream("/proc/self/gid_map") << group << " " << group << " 1";
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::string("mount --make-rprivate /: ") + std::strerror(errno);
  }
  return {};
}

/// A data folder on a file system of its own, in memory, that can become full. Redis has another disk, as where the
/// queue is another machine. Needs enter_mount_namespace(). Throws std::system_error.
class SmallDisk {
 public:
  /// `root`: a folder nobody else has; made, and removed with all in it by the destructor.
  SmallDisk(std::filesystem::path root, std::uintmax_t bytes) : root_(std::move(root)) {
    std::filesystem::create_directories(data());
    std::filesystem::create_directories(root_ / "redis");
    mount("none", data(), "tmpfs", 0, size(bytes));
    std::filesystem::create_directories(data() / "redis");
    mount((root_ / "redis").string(), data() / "redis", nullptr, MS_BIND, "");
  }
  ~SmallDisk() {
    ::umount2((data() / "redis").c_str(), MNT_DETACH);
    ::umount2(data().c_str(), MNT_DETACH);
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  std::filesystem::path data() const { return root_ / "data"; }

  /// The disk has that many bytes from now on. Throws where more is in use.
  void resize(std::uintmax_t bytes) const { mount("none", data(), nullptr, MS_REMOUNT, size(bytes)); }

 private:
  static std::string size(std::uintmax_t bytes) { return "size=" + std::to_string(bytes); }
  static void mount(const std::string& source, const std::filesystem::path& target, const char* type,
                    unsigned long flags, const std::string& options) {
    if (::mount(source.c_str(), target.c_str(), type, flags, options.c_str()) == 0) return;
    throw std::system_error(errno, std::generic_category(), "mount " + target.string() + " " + options);
  }

  std::filesystem::path root_;
};

}  // namespace reelfarm::test

#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>

namespace reelfarm::queue {

/// When Redis forces its append-only file to the disk.
enum class AppendFsync { always, everysec, no };

struct PrivateRedisOptions {
  std::filesystem::path directory{};  ///< holds the append-only file, the log and the socket; made when missing
  std::string program = "redis-server";
  int port = 0;                  ///< TCP port beside the unix socket; 0: none
  bool every_interface = false;  ///< the port is for other machines, too, not for the loopback alone; wants a password
  std::string password{};        ///< empty: none (the socket is 0600 and the port loopback only)
  bool append_only = true;
  AppendFsync fsync = AppendFsync::always;
  std::string maxmemory_policy = "noeviction";
  std::chrono::milliseconds lock_patience{1000};   ///< for another server on the same directory to end
  std::chrono::milliseconds start_timeout{15000};  ///< includes loading the append-only file
  bool die_with_parent = true;  ///< the kernel kills it with this process (thread); off for a detached farm
};

/// The password that `file` holds; made, 128 random bits, where there is none. For its owner alone to read. Throws
/// ServerStartError.
std::string kept_password(const std::filesystem::path& file);

/// A redis-server child of this process with its own folder. The destructor stops it (SIGTERM, then SIGKILL).
class PrivateRedis {
 public:
  /// Starts the server and waits until it answers PING. Throws ServerStartError with the tail of its log.
  explicit PrivateRedis(PrivateRedisOptions options);
  ~PrivateRedis();
  PrivateRedis(PrivateRedis&& other) noexcept;
  PrivateRedis& operator=(PrivateRedis&&) = delete;
  PrivateRedis(const PrivateRedis&) = delete;

  /// unix:// URL of the socket, with the password if there is one. The socket lies under the temporary directory where
  /// its path would be longer than the system allows (107 bytes), or with every_interface: the directory is then on
  /// storage that machines share, which need not know sockets.
  const std::string& url() const { return url_; }
  /// redis:// URL for other machines, which know this one as `host`.
  std::string url_for_others(const std::string& host) const;
  pid_t pid() const { return pid_; }
  bool running();

  /// SIGTERM, wait, SIGKILL after `grace`. Redis writes what is left before it exits. Does nothing when it is stopped.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(10));

  /// SIGKILL and wait: what a crash of the server looks like to the farm.
  void kill();

  /// Starts it again on the same folder and socket. Throws ServerStartError.
  void start();

  /// Leaves the server running and forgets it: the destructor will not stop it.
  pid_t release();

 private:
  void wait_until_ready();
  std::string log_tail() const;

  PrivateRedisOptions options_;
  std::filesystem::path socket_;
  std::string url_;
  pid_t pid_ = -1;
};

}  // namespace reelfarm::queue

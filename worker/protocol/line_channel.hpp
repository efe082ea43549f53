#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace reelfarm::worker {

/// An owned file descriptor; -1 when empty.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor();

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() noexcept;

 private:
  int fd_ = -1;
};

/// A connected stream socket that carries lines. Not thread-safe; reading and writing may be on two threads.
/// Every method throws std::system_error when the socket fails otherwise than by its peer going away.
class LineChannel {
 public:
  explicit LineChannel(Descriptor socket);

  /// Connects to the listening socket at `path`.
  static LineChannel connect(const std::filesystem::path& path);

  /// Sends the line and a newline, waiting until the peer takes it. False: the peer has gone.
  bool send(std::string_view line);

  /// Reads what has come without waiting. False: the peer has gone (lines read before are still there).
  bool receive();

  /// The next whole line received.
  std::optional<std::string> next_line();

  int descriptor() const { return socket_.get(); }

 private:
  Descriptor socket_;
  std::string buffer_;
};

/// A listening socket of the local machine, removed from the file system at destruction.
class Listener {
 public:
  /// Throws std::system_error naming the path (longer than 107 bytes, folder not writable, in use).
  explicit Listener(std::filesystem::path path);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  /// A connection that waits to be taken, if any.
  std::optional<LineChannel> accept();

  int descriptor() const { return socket_.get(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  Descriptor socket_;
};

}  // namespace reelfarm::worker

#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "posix/descriptor.hpp"

namespace reelfarm::worker {

/// A connected stream socket that carries lines. Not thread-safe; reading and writing may be on two threads.
/// Every method throws std::system_error when the socket fails otherwise than by its peer going away.
class LineChannel {
 public:
  explicit LineChannel(posix::Descriptor socket);

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
  posix::Descriptor socket_;
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
  posix::Descriptor socket_;
};

}  // namespace reelfarm::worker

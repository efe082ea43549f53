#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "worker/protocol/line_channel.hpp"

namespace reelfarm::chaos {

/// The way between the farm and its Redis: a TCP port on loopback whose connections go on to the server's socket, with
/// a thread of its own that carries the bytes. Methods may be called while it runs.
class Proxy {
 public:
  /// Throws std::system_error. The server need not be there; connections that do not reach it are closed.
  explicit Proxy(std::filesystem::path server_socket);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  std::string url() const;

  /// Resets every connection. New ones may come at once.
  void cut();
  /// Every byte that comes from now on arrives that much later; 0 ends it.
  void delay(std::chrono::milliseconds time);
  /// While it is on nothing arrives and nothing is refused; afterwards what was sent in between arrives.
  void black_hole(bool on);

 private:
  void carry(const std::stop_token& stop);
  void wake() const;

  std::filesystem::path server_socket_;
  posix::Descriptor listener_;
  posix::Descriptor wake_;
  int port_ = 0;
  std::atomic<std::chrono::milliseconds> delay_{std::chrono::milliseconds(0)};
  std::atomic<bool> black_hole_{false};
  std::atomic<int> cuts_{0};
  std::jthread thread_;
};

}  // namespace reelfarm::chaos

#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <optional>
#include <string>

#include "worker/protocol/line_channel.hpp"

namespace reelfarm::chaos {

/// The bytes that go one way through a connection, each of which may be written from a certain time on.
class OneWay {
 public:
  using Clock = std::chrono::steady_clock;

  bool full() const { return bytes_ >= kMostBytes; }
  bool due(Clock::time_point now) const { return !pieces_.empty() && pieces_.front().due <= now; }
  std::optional<Clock::time_point> next_due() const;

  /// Reads what is there; false: the socket has ended.
  bool read_from(int socket, Clock::time_point due);
  /// Writes what is due and fits; false: the socket has ended.
  bool write_to(int socket, Clock::time_point now);

 private:
  static constexpr std::size_t kMostBytes = 1 << 20;
  struct Piece {
    Clock::time_point due;
    std::string bytes;
  };
  std::deque<Piece> pieces_;
  std::size_t bytes_ = 0;
};

/// A client's connection and the one to the server that belongs to it.
struct ProxiedConnection {
  posix::Descriptor client;
  posix::Descriptor server;
  OneWay to_server;
  OneWay to_client;

  /// The client sees a reset instead of an orderly end.
  void reset_at_close() const;
};

}  // namespace reelfarm::chaos

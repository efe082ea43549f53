#pragma once

#include <httplib.h>

#include <array>
#include <atomic>
#include <chrono>

namespace reelfarm::http {

/// What is known of one connection while it is served. A slow client is one that waits long.
struct Connection {
  int socket = -1;
  /// When the thread began to wait for the client, in steady-clock ticks; 0: it is not waiting for it.
  std::atomic<std::chrono::steady_clock::rep> waiting_since{0};
};

struct StreamLimits {
  std::chrono::milliseconds idle{5000};    ///< from one request of a connection to the next
  std::chrono::milliseconds head{10000};   ///< for the whole head of a request, however it trickles in
  std::uint64_t body_bytes_per_s = 65536;  ///< a body may take `head` and a second for each of these
  std::chrono::milliseconds stall{30000};  ///< without a byte taken by the client, when sending
  std::size_t head_bytes = 65536;
};

/// A connected socket as httplib reads and writes it, with a deadline for each request as a whole: a client that sends
/// a byte every few seconds is cut off like one that sends nothing. Reading is buffered over requests.
class SocketStream : public httplib::Stream {
 public:
  SocketStream(Connection& connection, const StreamLimits& limits);

  /// Waits for the first byte of a request; false: none came in time, or the client went.
  bool wait_for_request();
  /// From here on a body of so many bytes is read.
  void expect_body(std::uint64_t bytes);
  /// Says that nothing more comes and lets the client read what was sent, at most a moment.
  void close_gently();

  bool is_readable() const override;
  bool is_writable() const override;
  ssize_t read(char* target, size_t size) override;
  ssize_t write(const char* source, size_t size) override;
  void get_remote_ip_and_port(std::string& ip, int& port) const override;
  void get_local_ip_and_port(std::string& ip, int& port) const override;
  socket_t socket() const override { return connection_.socket; }

 private:
  using Clock = std::chrono::steady_clock;

  bool wait(short events, Clock::time_point deadline) const;
  bool fill();

  Connection& connection_;
  const StreamLimits& limits_;
  Clock::time_point read_deadline_;
  std::uint64_t read_left_ = 0;  ///< bytes that may still come of this head or body
  std::array<char, 16384> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace reelfarm::http

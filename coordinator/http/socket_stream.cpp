#include "coordinator/http/socket_stream.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace reelfarm::http {
namespace {

constexpr std::chrono::milliseconds kFarewell{500};
constexpr std::size_t kFarewellBytes = std::size_t{1} << 20;

std::pair<std::string, int> numbers_of(const sockaddr_storage& address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), length, host.data(), host.size(), port.data(),
                    port.size(), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  return {host.data(), std::atoi(port.data())};
}

}  // namespace

SocketStream::SocketStream(Connection& connection, const StreamLimits& limits)
    : connection_(connection), limits_(limits) {}

bool SocketStream::wait(short events, Clock::time_point deadline) const {
  connection_.waiting_since = Clock::now().time_since_epoch().count();
  bool there = false;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) break;
    pollfd poll{connection_.socket, events, 0};
    const int count = ::poll(&poll, 1, static_cast<int>(left.count()));
    if (count < 0 && errno == EINTR) continue;
    there = count > 0;
    break;
  }
  connection_.waiting_since = 0;
  return there;
}

bool SocketStream::fill() {
  for (;;) {
    if (!wait(POLLIN, read_deadline_)) return false;
    const ssize_t count = ::recv(connection_.socket, buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    begin_ = 0;
    end_ = static_cast<std::size_t>(count);
    return true;
  }
}

bool SocketStream::wait_for_request() {
  read_deadline_ = Clock::now() + limits_.idle;
  if (begin_ == end_ && !fill()) return false;
  read_deadline_ = Clock::now() + limits_.head;
  read_left_ = limits_.head_bytes;
  return true;
}

void SocketStream::expect_body(std::uint64_t bytes) {
  read_left_ = bytes;
  read_deadline_ = Clock::now() + limits_.head + std::chrono::seconds(bytes / limits_.body_bytes_per_s);
}

void SocketStream::close_gently() {
  // Closing with something unread would reset the connection, and the client might lose the answer with it.
  ::shutdown(connection_.socket, SHUT_WR);
  read_deadline_ = Clock::now() + kFarewell;
  for (std::size_t discarded = end_ - begin_; discarded < kFarewellBytes && fill(); discarded += end_) {
  }
}

bool SocketStream::is_readable() const {
  return begin_ < end_ || wait(POLLIN, read_deadline_);
}

bool SocketStream::is_writable() const {
  return wait(POLLOUT, Clock::now() + limits_.stall);
}

ssize_t SocketStream::read(char* target, size_t size) {
  size = std::min<std::uint64_t>(size, read_left_);
  if (size == 0) return -1;
  if (begin_ == end_ && !fill()) return -1;
  const std::size_t count = std::min(size, end_ - begin_);
  std::memcpy(target, buffer_.data() + begin_, count);
  begin_ += count;
  read_left_ -= count;
  return static_cast<ssize_t>(count);
}

ssize_t SocketStream::write(const char* source, size_t size) {
  for (;;) {
    if (!wait(POLLOUT, Clock::now() + limits_.stall)) return -1;
    const ssize_t count = ::send(connection_.socket, source, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0 || (errno != EINTR && errno != EAGAIN && errno != EWOULDBLOCK)) return count;
  }
}

void SocketStream::get_remote_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(connection_.socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return;
  std::tie(ip, port) = numbers_of(address, length);
}

void SocketStream::get_local_ip_and_port(std::string& ip, int& port) const {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getsockname(connection_.socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return;
  std::tie(ip, port) = numbers_of(address, length);
}

}  // namespace reelfarm::http

#include "tests/chaos/proxied_connection.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace reelfarm::chaos {
namespace {

bool would_block() {
  return errno == EAGAIN || errno == EINTR;
}

}  // namespace

std::optional<OneWay::Clock::time_point> OneWay::next_due() const {
  if (pieces_.empty()) return std::nullopt;
  return pieces_.front().due;
}

bool OneWay::read_from(int socket, Clock::time_point due) {
  std::array<char, 65536> buffer{};
  const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (count < 0) return would_block();
  if (count == 0) return false;
  pieces_.push_back({due, std::string(buffer.data(), static_cast<std::size_t>(count))});
  bytes_ += static_cast<std::size_t>(count);
  return true;
}

bool OneWay::write_to(int socket, Clock::time_point now) {
  while (due(now)) {
    std::string& bytes = pieces_.front().bytes;
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return would_block();
    bytes_ -= static_cast<std::size_t>(count);
    bytes.erase(0, static_cast<std::size_t>(count));
    if (bytes.empty()) pieces_.pop_front();
  }
  return true;
}

void ProxiedConnection::reset_at_close() const {
  const linger at_once{1, 0};
  ::setsockopt(client.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

}  // namespace reelfarm::chaos

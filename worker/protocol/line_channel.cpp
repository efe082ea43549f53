#include "worker/protocol/line_channel.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace reelfarm::worker {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof(address.sun_path)) {
    errno = ENAMETOOLONG;
    fail("socket path '" + text + "' of " + std::to_string(text.size()) + " bytes (at most " +
         std::to_string(sizeof(address.sun_path) - 1) + ")");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

posix::Descriptor stream_socket() {
  posix::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) fail("cannot make a local socket");
  return socket;
}

bool peer_has_gone(int error) {
  return error == EPIPE || error == ECONNRESET;
}

}  // namespace

LineChannel::LineChannel(posix::Descriptor socket) : socket_(std::move(socket)) {}

LineChannel LineChannel::connect(const std::filesystem::path& path) {
  const sockaddr_un address = address_of(path);
  posix::Descriptor socket = stream_socket();
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot connect to the agent's socket '" + path.string() + "'");
  }
  return LineChannel(std::move(socket));
}

bool LineChannel::send(std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  std::string_view rest = bytes;
  while (!rest.empty()) {
    // MSG_NOSIGNAL: a peer that has gone is an answer, not a SIGPIPE.
    const ssize_t sent = ::send(socket_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      rest.remove_prefix(static_cast<std::size_t>(sent));
    } else if (peer_has_gone(errno)) {
      return false;
    } else if (errno != EINTR) {
      fail("cannot write to a local socket");
    }
  }
  return true;
}

bool LineChannel::receive() {
  for (;;) {
    char piece[65536];
    const ssize_t count = ::recv(socket_.get(), piece, sizeof piece, MSG_DONTWAIT);
    if (count > 0) {
      buffer_.append(piece, static_cast<std::size_t>(count));
    } else if (count == 0 || peer_has_gone(errno)) {
      return false;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno != EINTR) {
      fail("cannot read from a local socket");
    }
  }
}

std::optional<std::string> LineChannel::next_line() {
  const std::size_t end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return line;
}

Listener::Listener(std::filesystem::path path) : path_(std::move(path)), socket_(stream_socket()) {
  const sockaddr_un address = address_of(path_);
  ::unlink(address.sun_path);
  if (::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("cannot make the socket '" + path_.string() + "'");
  }
  if (::listen(socket_.get(), 4) != 0) fail("cannot listen on '" + path_.string() + "'");
}

Listener::~Listener() {
  ::unlink(path_.c_str());
}

std::optional<LineChannel> Listener::accept() {
  pollfd ready{socket_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 0) <= 0) return std::nullopt;
  const int fd = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return std::nullopt;
  return LineChannel(posix::Descriptor(fd));
}

}  // namespace reelfarm::worker

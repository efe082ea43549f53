#include "tests/chaos/proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <list>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/chaos/proxied_connection.hpp"

namespace reelfarm::chaos {
namespace {

using Clock = OneWay::Clock;
using posix::Descriptor;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void do_not_block(int socket) {
  ::fcntl(socket, F_SETFL, ::fcntl(socket, F_GETFL) | O_NONBLOCK);
}

Descriptor connect_to(const std::filesystem::path& path) {
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  do_not_block(socket.get());
  return socket;
}

/// The connections of one proxy, and one turn of carrying their bytes.
class Traffic {
 public:
  void add(Descriptor client, Descriptor server) {
    do_not_block(client.get());
    const int yes = 1;
    ::setsockopt(client.get(), IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connections_.push_back({std::move(client), std::move(server), {}, {}});
  }

  void cut() {
    for (const ProxiedConnection& connection : connections_) connection.reset_at_close();
    connections_.clear();
  }

  /// Appends two entries per connection, in the order in which carry() expects them.
  void ask(std::vector<pollfd>& polls, Clock::time_point now) const {
    const auto events = [&](const OneWay& in, const OneWay& out) {
      return static_cast<short>((in.full() ? 0 : POLLIN) | (out.due(now) ? POLLOUT : 0));
    };
    for (const ProxiedConnection& connection : connections_) {
      polls.push_back({connection.client.get(), events(connection.to_server, connection.to_client), 0});
      polls.push_back({connection.server.get(), events(connection.to_client, connection.to_server), 0});
    }
  }

  /// How long poll() may wait, in milliseconds; -1: nothing is under way.
  int patience(Clock::time_point now) const {
    std::optional<Clock::time_point> first;
    for (const ProxiedConnection& connection : connections_) {
      for (const OneWay* way : {&connection.to_server, &connection.to_client}) {
        const auto due = way->next_due();
        if (due && *due > now && (!first || *due < *first)) first = due;
      }
    }
    return first ? static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*first - now).count()) : -1;
  }

  void carry(const pollfd* polls, std::chrono::milliseconds delay) {
    const auto now = Clock::now();
    for (auto connection = connections_.begin(); connection != connections_.end();) {
      const pollfd& client = *polls++;
      const pollfd& server = *polls++;
      bool open = true;
      if (client.revents != 0) open = connection->to_server.read_from(client.fd, now + delay);
      if (open && server.revents != 0) open = connection->to_client.read_from(server.fd, now + delay);
      open = open && connection->to_server.write_to(server.fd, now) && connection->to_client.write_to(client.fd, now);
      connection = open ? std::next(connection) : connections_.erase(connection);
    }
  }

 private:
  std::list<ProxiedConnection> connections_;
};

}  // namespace

Proxy::Proxy(std::filesystem::path server_socket)
    : server_socket_(std::move(server_socket)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (!wake_) fail("eventfd");
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) fail("bind to loopback");
  if (::listen(listener_.get(), SOMAXCONN) != 0) fail("listen on loopback");
  ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ::ntohs(address.sin_port);
  thread_ = std::jthread([this](const std::stop_token& stop) { carry(stop); });
}

Proxy::~Proxy() {
  thread_.request_stop();
  wake();
}

std::string Proxy::url() const {
  return "redis://127.0.0.1:" + std::to_string(port_) + "/0";
}

void Proxy::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
}

void Proxy::cut() {
  ++cuts_;
  wake();
}

void Proxy::delay(std::chrono::milliseconds time) {
  delay_ = time;
  wake();
}

void Proxy::black_hole(bool on) {
  black_hole_ = on;
  wake();
}

void Proxy::carry(const std::stop_token& stop) {
  Traffic traffic;
  std::vector<pollfd> polls;
  int cuts_seen = 0;
  while (!stop.stop_requested()) {
    const auto now = Clock::now();
    const bool nothing_passes = black_hole_;
    polls.assign({{wake_.get(), POLLIN, 0}, {nothing_passes ? -1 : listener_.get(), POLLIN, 0}});
    if (!nothing_passes) traffic.ask(polls, now);
    ::poll(polls.data(), polls.size(), nothing_passes ? -1 : traffic.patience(now));
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t taken = ::read(wake_.get(), &count, sizeof count);
    if (cuts_seen != cuts_) {
      cuts_seen = cuts_;
      traffic.cut();
      continue;
    }
    if (nothing_passes) continue;
    traffic.carry(polls.data() + 2, delay_);
    for (;;) {
      Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) break;
      if (Descriptor server = connect_to(server_socket_)) traffic.add(std::move(client), std::move(server));
    }
  }
}

}  // namespace reelfarm::chaos

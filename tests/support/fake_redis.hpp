#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <thread>

namespace reelfarm::test {

/// Answers every command on one connection with a fixed reply, or not at all.
class FakeRedis {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit FakeRedis(Answer answer) : answer_(std::move(answer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~FakeRedis() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  FakeRedis(const FakeRedis&) = delete;
  FakeRedis& operator=(const FakeRedis&) = delete;

  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

  static std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  /// Answers as a server of this version would until somebody reads the version.
  static Answer of_version(const std::string& version) {
    return [version](const std::string& request) {
      return request.find("INFO") == std::string::npos ? "+PONG\r\n"
                                                       : bulk("# Server\r\nredis_version:" + version + "\r\n");
    };
  }

 private:
  void serve() {
    for (;;) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0) return;
      char buffer[4096];
      ssize_t got = 0;
      while ((got = ::read(client, buffer, sizeof buffer)) > 0) {
        const std::string reply = answer_(std::string(buffer, static_cast<std::size_t>(got)));
        if (!reply.empty() && ::write(client, reply.data(), reply.size()) < 0) break;
      }
      ::close(client);
    }
  }

  Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace reelfarm::test

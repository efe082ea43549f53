#include "tests/coordinator/http/raw_client.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace reelfarm::test {
namespace {

constexpr int kPatience_s = 20;

RawAnswer read_head(const std::string& text) {
  RawAnswer answer;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  if (line.size() > 12) answer.status = std::stoi(line.substr(9, 3));
  while (std::getline(lines, line) && line.size() > 1) {
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    answer.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
  return answer;
}

std::string joined(const std::vector<std::string>& headers) {
  std::string text;
  for (const std::string& header : headers) text += header + "\r\n";
  return text;
}

}  // namespace

RawClient::RawClient(const http::Address& address) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{kPatience_s, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in target{};
  target.sin_family = AF_INET;
  target.sin_port = htons(static_cast<std::uint16_t>(address.port));
  target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0) {
    throw std::runtime_error("cannot connect to " + address.url());
  }
}

RawClient::~RawClient() {
  if (socket_ >= 0) ::close(socket_);
}

RawClient::RawClient(RawClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}

bool RawClient::send(const std::string& bytes) const {
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t count = ::send(socket_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  return true;
}

bool RawClient::more() {
  std::array<char, 65536> piece;
  const ssize_t count = ::recv(socket_, piece.data(), piece.size(), 0);
  if (count > 0) buffer_.append(piece.data(), static_cast<std::size_t>(count));
  return count > 0;
}

std::string RawClient::read_until(const std::string& text) {
  while (buffer_.find(text) == std::string::npos && more()) {
  }
  return buffer_;
}

RawAnswer RawClient::answer() {
  const std::string all = read_until("\r\n\r\n");
  const std::size_t end = all.find("\r\n\r\n");
  if (end == std::string::npos) return {};
  RawAnswer answer = read_head(all.substr(0, end + 2));
  const std::size_t length =
      answer.headers.contains("content-length") ? std::stoul(answer.headers["content-length"]) : 0;
  while (buffer_.size() < end + 4 + length && more()) {
  }
  answer.body = buffer_.substr(end + 4, length);
  buffer_.erase(0, end + 4 + length);
  return answer;
}

bool RawClient::ends() {
  std::array<char, 64> piece;
  return buffer_.empty() && ::recv(socket_, piece.data(), piece.size(), 0) == 0;
}

RawAnswer ask(const http::Address& address, const std::string& target, const std::vector<std::string>& headers) {
  RawClient client(address);
  client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\n" + joined(headers) + "\r\n");
  return client.answer();
}

RawAnswer post(const http::Address& address, const std::string& target, const std::string& body,
               const std::vector<std::string>& headers) {
  RawClient client(address);
  client.send("POST " + target + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) +
              "\r\n" + joined(headers) + "\r\n" + body);
  return client.answer();
}

}  // namespace reelfarm::test

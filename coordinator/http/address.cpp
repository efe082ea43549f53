#include "coordinator/http/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {
namespace {

constexpr int kMaxPort = 65535;
constexpr std::uint32_t kLoopbackNet = 127;
constexpr int kFirstOctetShift = 24;

[[noreturn]] void refuse(std::string_view text) {
  throw SetupError("'" + std::string(text) +
                   "' is no address to listen on: give HOST:PORT, such as 127.0.0.1:8080, [::1]:8080 or 0.0.0.0:8080");
}

int parse_port(std::string_view digits, std::string_view whole) {
  int port = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size() || port < 0 || port > kMaxPort) {
    refuse(whole);
  }
  return port;
}

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == ':' || c == '_';
}

}  // namespace

bool Address::is_loopback() const {
  if (host == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> kFirstOctetShift == kLoopbackNet;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

std::string Address::url() const {
  const bool bare_v6 = host.find(':') != std::string::npos;
  return "http://" + (bare_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_address(std::string_view text) {
  Address address;
  std::string_view host;
  std::string_view port = text;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close + 1 >= text.size() || text[close + 1] != ':') refuse(text);
    host = text.substr(1, close - 1);
    port = text.substr(close + 2);
    if (host.empty()) refuse(text);
  } else if (const std::size_t colon = text.rfind(':'); colon != std::string_view::npos) {
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (host.find(':') != std::string_view::npos) refuse(text);
  }
  if (!std::all_of(host.begin(), host.end(), is_name_character)) refuse(text);
  if (!host.empty()) address.host = host;
  address.port = parse_port(port, text);
  return address;
}

std::string host_of_header(std::string_view value) {
  if (value.starts_with('[')) {
    value = value.substr(1, value.find(']') - 1);
  } else {
    value = value.substr(0, value.find(':'));
  }
  std::string host(value);
  std::transform(host.begin(), host.end(), host.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return host;
}

}  // namespace reelfarm::http

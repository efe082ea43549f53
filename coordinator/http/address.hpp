#pragma once

#include <string>
#include <string_view>

namespace reelfarm::http {

/// Where a server listens.
struct Address {
  std::string host = "127.0.0.1";  ///< a name or a number; without the brackets of an IPv6 number
  int port = 0;                    ///< 0: any free one

  /// Only this machine can reach it: 127.0.0.0/8, ::1 or "localhost".
  bool is_loopback() const;
  /// "http://HOST:PORT", an IPv6 number in brackets.
  std::string url() const;
};

/// "HOST:PORT", "[::1]:PORT"; ":PORT" and "PORT" mean 127.0.0.1. Throws SetupError with the text and the rule.
Address parse_address(std::string_view text);

/// The host of a Host header ("farm:8080", "[::1]:8080"), in lower case, without port and brackets.
std::string host_of_header(std::string_view value);

}  // namespace reelfarm::http

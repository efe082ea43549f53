#pragma once

#include <string>
#include <string_view>

namespace reelfarm::queue {

/// Where a Redis is. Forms: redis://[[user]:password@]host[:port][/db], unix:///path[?db=N][&password=...],
/// rediss://... for TLS. Percent-encoding is undone in user, password and path.
struct RedisUrl {
  std::string host;  ///< empty for a unix socket
  int port = 6379;
  std::string socket_path;  ///< empty for TCP
  std::string user;
  std::string password;
  int database = 0;
  bool tls = false;

  /// Throws UrlError saying what is wrong; a rediss:// URL in a build without hiredis_ssl is refused here.
  static RedisUrl parse(std::string_view text);

  /// The URL without its password, fit for messages and logs.
  std::string redacted() const;
};

/// True when this build can speak TLS to Redis.
bool tls_supported();

}  // namespace reelfarm::queue

#pragma once

#include <string>
#include <string_view>

namespace reelfarm::queue {

/// Where a Redis is. Forms: redis://[[user]:password@]host[:port][/db], unix:///path[?db=N][&user=...][&password=...],
/// rediss://... for TLS, file:///path for a file that holds one of the others. Percent-encoding is undone in user,
/// password and path.
struct RedisUrl {
  std::string host;  ///< empty for a unix socket
  int port = 6379;
  std::string socket_path;  ///< empty for TCP
  std::string file;         ///< holds the URL; read at every connect, so that a server may move; empty: this is the URL
  std::string user;
  std::string password;
  int database = 0;
  bool tls = false;

  /// Throws UrlError saying what is wrong; a rediss:// URL in a build without hiredis_ssl is refused here.
  static RedisUrl parse(std::string_view text);

  /// The URL that the file holds now: its first line, or "redis" of a JSON object such as DATA/farm.json; *this when
  /// there is no file. Throws ConnectionError when it is not there (yet), UrlError when it holds no URL, or a password
  /// for everybody to read.
  RedisUrl resolved() const;

  /// The URL without its password, fit for messages and logs.
  std::string redacted() const;
};

/// True when this build can speak TLS to Redis.
bool tls_supported();

}  // namespace reelfarm::queue

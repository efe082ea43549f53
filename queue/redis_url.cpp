#include "queue/redis_url.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "queue/errors.hpp"

namespace reelfarm::queue {
namespace {

constexpr std::string_view kForms =
    "; use redis://[:password@]host[:port][/db], rediss://..., unix:///path[?db=N][&user=...][&password=...], or "
    "file:///path of a file with one "
    "of "
    "these";

/// Everything between the scheme and a password's '@' may be secret, so messages never quote the whole URL.
[[noreturn]] void refuse(const std::string& why) {
  throw UrlError("Redis URL: " + why + std::string(kForms));
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string percent_decoded(std::string_view text, std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) refuse("'%' in the " + std::string(part) + " is not followed by two hexadecimal digits");
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

int number(std::string_view text, int low, int high, const std::string& what) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    refuse(what + " \"" + std::string(text) + "\" is not a number from " + std::to_string(low) + " to " +
           std::to_string(high));
  }
  return value;
}

constexpr int kMaxDatabase = std::numeric_limits<int>::max();

void parse_query(std::string_view query, RedisUrl& url) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const std::size_t equals = pair.find('=');
    const std::string_view name = pair.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : pair.substr(equals + 1);
    if (name == "db") {
      url.database = number(value, 0, kMaxDatabase, "database");
    } else if (name == "password") {
      url.password = percent_decoded(value, "password");
    } else if (name == "user") {
      url.user = percent_decoded(value, "user");
    } else {
      refuse("unknown parameter \"" + std::string(name) + "\" (db, user, password)");
    }
  }
}

RedisUrl parse_unix(std::string_view rest) {
  RedisUrl url;
  const std::size_t question = rest.find('?');
  url.socket_path = percent_decoded(rest.substr(0, question), "path");
  if (url.socket_path.empty() || url.socket_path[0] != '/') refuse("a unix:// URL needs an absolute path");
  if (question != std::string_view::npos) parse_query(rest.substr(question + 1), url);
  return url;
}

RedisUrl parse_file(std::string_view rest) {
  RedisUrl url;
  url.file = percent_decoded(rest, "path");
  if (url.file.empty() || url.file[0] != '/') refuse("a file:// URL needs an absolute path");
  return url;
}

std::string first_line_or_member(const std::string& file) {
  errno = 0;
  std::ifstream stream(file);
  std::ostringstream content;
  content << stream.rdbuf();
  if (!stream) {
    throw ConnectionError("no address of Redis in " + file + ": " + std::strerror(errno != 0 ? errno : EIO) +
                          "; is the farm up?");
  }
  const std::string text = content.str();
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_object()) return document.value("redis", "");
  return text.substr(0, text.find_first_of("\r\n"));
}

RedisUrl parse_tcp(std::string_view rest) {
  RedisUrl url;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    const std::string_view login = rest.substr(0, at);
    const std::size_t colon = login.find(':');
    if (colon == std::string_view::npos) refuse("a password is written as :password@ or user:password@");
    url.user = percent_decoded(login.substr(0, colon), "user");
    url.password = percent_decoded(login.substr(colon + 1), "password");
    rest.remove_prefix(at + 1);
  }
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos) {
    const std::string_view database = rest.substr(slash + 1);
    if (!database.empty()) url.database = number(database, 0, kMaxDatabase, "database");
    rest = rest.substr(0, slash);
  }
  std::string_view port;
  if (rest.starts_with('[')) {  // an IPv6 address
    const std::size_t close = rest.find(']');
    if (close == std::string_view::npos) refuse("'[' without ']' in the host");
    url.host = rest.substr(1, close - 1);
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest[0] != ':') refuse("unexpected text after ']'");
    if (!rest.empty()) port = rest.substr(1);
  } else {
    const std::size_t colon = rest.find(':');
    url.host = rest.substr(0, colon);
    if (colon != std::string_view::npos) port = rest.substr(colon + 1);
  }
  if (url.host.empty()) refuse("the host is missing");
  if (!port.empty()) url.port = number(port, 1, 65535, "port");
  return url;
}

}  // namespace

RedisUrl RedisUrl::parse(std::string_view text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) refuse("it has no scheme");
  const std::string_view scheme = text.substr(0, end);
  const std::string_view rest = text.substr(end + 3);
  if (scheme == "unix") return parse_unix(rest);
  if (scheme == "file") return parse_file(rest);
  if (scheme != "redis" && scheme != "rediss") refuse("unknown scheme \"" + std::string(scheme) + "\"");
  RedisUrl url = parse_tcp(rest);
  url.tls = scheme == "rediss";
  if (url.tls && !tls_supported()) {
    throw UrlError(
        "Redis URL " + url.redacted() +
        ": this build has no TLS because hiredis was built without it (libhiredis_ssl, hiredis 1.0 or newer); "
        "install it and build again, or use redis:// through a tunnel");
  }
  return url;
}

RedisUrl RedisUrl::resolved() const {
  if (file.empty()) return *this;
  RedisUrl url;
  try {
    url = parse(first_line_or_member(file));
  } catch (const UrlError& error) {
    throw UrlError("in " + file + ": " + error.what());
  }
  if (!url.file.empty()) throw UrlError("in " + file + ": the URL names another file, " + url.redacted());
  struct stat status {};
  if (!url.password.empty() && ::stat(file.c_str(), &status) == 0 && (status.st_mode & S_IROTH) != 0) {
    throw UrlError(file + " holds a password and everybody may read it: chmod o-rwx " + file);
  }
  return url;
}

std::string RedisUrl::redacted() const {
  if (!file.empty()) return "file://" + file;
  if (!socket_path.empty()) {
    return "unix://" + socket_path + (database != 0 ? "?db=" + std::to_string(database) : "");
  }
  const std::string login = password.empty() ? "" : user + ":***@";
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return std::string(tls ? "rediss://" : "redis://") + login + name + ":" + std::to_string(port) +
         (database != 0 ? "/" + std::to_string(database) : "");
}

bool tls_supported() {
#ifdef REELFARM_HIREDIS_SSL
  return true;
#else
  return false;
#endif
}

}  // namespace reelfarm::queue

#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::http {

/// What changes something is a POST; HEAD is answered as GET without the body.
enum class Method { get, post };
std::string_view to_string(Method method);

/// What a client asks, after the guard has let it through.
struct Request {
  Method method = Method::get;
  std::string path;                            ///< decoded, for people
  std::map<std::string, std::string> places;   ///< of the route's {names}, decoded, as checked by split_path
  std::map<std::string, std::string> query;    ///< decoded; of doubled names the last
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::uint64_t body_bytes = 0;                ///< announced, and never exceeded
  /// Hands the body over in pieces; false from the callback stops it. False when the body did not come whole.
  std::function<bool(const std::function<bool(std::string_view)>&)> read_body;

  std::string header(const std::string& name) const;
  /// The whole body; throws Refusal 413 above `limit`, 400 when it ends early.
  std::string body(std::uint64_t limit) const;
  /// A query parameter as a whole number; throws Refusal 400 outside of [low, high].
  std::int64_t integer(const std::string& name, std::int64_t otherwise, std::int64_t low, std::int64_t high) const;
  std::string text(const std::string& name) const;
};

/// A file sent as it is; ranges are honoured (RFC 9110, 14).
struct FileBody {
  std::filesystem::path path;
};

/// Pieces as they come: each call waits at most a moment and returns what to send, "" to be asked again, nothing at the
/// end.
using StreamBody = std::function<std::optional<std::string>()>;

struct Reply {
  int status = 200;
  std::string type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<FileBody> file;  ///< instead of body
  StreamBody stream;             ///< instead of body
};

/// {"error": text}
Reply error_reply(int status, std::string_view text);

}  // namespace reelfarm::http

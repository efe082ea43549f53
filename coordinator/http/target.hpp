#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace reelfarm::http {

/// A request target, taken apart before anything is decoded: "%2F" stays inside its segment.
struct Target {
  std::vector<std::string> segments;  ///< decoded; none for "/"
  std::map<std::string, std::string> query;
};

/// Throws Refusal 400: not a path, broken percent-encoding, not UTF-8, control characters, "." or ".." or an empty
/// segment, a slash or backslash inside a segment, a segment over 255 bytes or a value over 1024.
Target parse_target(std::string_view target);

/// Percent-decoding (RFC 3986, 2.1); "+" is a blank where `form`. Throws Refusal 400.
std::string percent_decode(std::string_view text, bool form = false);

}  // namespace reelfarm::http

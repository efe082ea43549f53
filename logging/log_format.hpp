#pragma once

#include <chrono>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace reelfarm::logging {

/// text: for people. json: one object a line.
enum class Format { text, json };

/// Reads "text" or "json", for a command line; anything else fails the stream.
std::istream& operator>>(std::istream& in, Format& format);

/// `text` in quotation marks, so that a reader of `key=value` words sees one value whatever is in it.
std::string quoted(std::string_view text);

/// One message of a program's log.
struct Line {
  std::chrono::system_clock::time_point time;
  std::string_view level;    ///< "info", "warn", "error"
  std::string_view program;  ///< "coordinator", "worker", "stitcher", "ranks"
  std::string_view message;  ///< `key=value` words first, then text; a value with spaces is quoted()
  std::optional<int> rank{};
};

/// The line as a JSON object without a line break: `time` (UTC, milliseconds), `level`, `program`, `pid`, `rank` where
/// there is one, `message`, and each `key=value` word that the message begins with as a key of its own, numbers as
/// numbers. A `task` also gives `job` and, of a window's, `window`. Bytes that are not UTF-8 are replaced.
std::string json_line(const Line& line);

}  // namespace reelfarm::logging

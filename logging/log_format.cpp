#include "logging/log_format.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <istream>
#include <nlohmann/json.hpp>

namespace reelfarm::logging {
namespace {

using nlohmann::json;

/// RFC 3339, UTC.
std::string time_text(std::chrono::system_clock::time_point time) {
  const auto since = std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  const std::time_t seconds = static_cast<std::time_t>(since / 1000);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + length, sizeof text - length, ".%03dZ", static_cast<int>(since % 1000));
  return text;
}

bool is_key(std::string_view word) {
  if (word.empty() || word[0] < 'a' || word[0] > 'z') return false;
  return word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

/// Takes a quoted value off the front of `text`; nothing when it has no end, or something other than a space follows.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  for (std::size_t at = 1; at < text.size(); ++at) {
    if (text[at] == '\\' && at + 1 < text.size()) {
      ++at;
      value += text[at] == 'n' ? '\n' : text[at];
    } else if (text[at] == '"') {
      if (at + 1 < text.size() && text[at + 1] != ' ') return std::nullopt;
      text.remove_prefix(at + 1);
      return value;
    } else {
      value += text[at];
    }
  }
  return std::nullopt;
}

json typed(const std::string& value) {
  // A longer one is an id that happens to have digits only, and a double would round it.
  constexpr std::size_t kMostDigits = 15;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  const bool whole = error == std::errc() && end == value.data() + value.size();
  const bool padded = value.size() > 1 && value[0] == '0';
  return whole && !padded && value.size() <= kMostDigits ? json(number) : json(value);
}

/// Moves the `key=value` words at the front of `text` into `fields`, and gives what is left.
std::string_view take_fields(std::string_view text, json& fields) {
  while (!text.empty()) {
    const std::size_t equals = text.find_first_of("= ");
    if (equals == std::string_view::npos || text[equals] == ' ' || !is_key(text.substr(0, equals))) break;
    std::string_view rest = text.substr(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      const auto unquoted = take_quoted(rest);
      if (!unquoted) break;
      value = *unquoted;
    } else {
      value = rest.substr(0, rest.find(' '));
      rest.remove_prefix(value.size());
    }
    fields[std::string(text.substr(0, equals))] = typed(value);
    text = rest;
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  }
  return text;
}

/// Task ids are "<job>.image", "<job>.stitch" and "<job>.w<number>".
void add_parts_of_task(json& fields) {
  const auto found = fields.find("task");
  if (found == fields.end() || !found->is_string()) return;
  const std::string task = *found;
  const std::size_t dot = task.rfind('.');
  if (dot == std::string::npos) return;
  fields["job"] = task.substr(0, dot);
  int window = 0;
  const char* const last = task.data() + task.size();
  const auto [end, error] = std::from_chars(task.data() + std::min(dot + 2, task.size()), last, window);
  if (task.compare(dot + 1, 1, "w") == 0 && error == std::errc() && end == last) fields["window"] = window;
}

}  // namespace

std::istream& operator>>(std::istream& in, Format& format) {
  std::string word;
  in >> word;
  if (word == "text" || word == "json") {
    format = word == "json" ? Format::json : Format::text;
  } else {
    in.setstate(std::ios::failbit);
  }
  return in;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') out += '\\';
    if (letter == '\n') {
      out += "\\n";
    } else {
      out += letter;
    }
  }
  return out + '"';
}

std::string json_line(const Line& line) {
  json document = json::object();
  const std::string_view text = take_fields(line.message, document);
  add_parts_of_task(document);
  document["time"] = time_text(line.time);
  document["level"] = line.level;
  document["program"] = line.program;
  document["pid"] = ::getpid();
  document["message"] = text.empty() ? line.message : text;
  if (line.rank) document["rank"] = *line.rank;
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace reelfarm::logging

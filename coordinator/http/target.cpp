#include "coordinator/http/target.hpp"

#include <algorithm>

#include "coordinator/http/errors.hpp"

namespace reelfarm::http {
namespace {

constexpr std::size_t kMaxSegment = 255;
constexpr std::size_t kMaxValue = 1024;
constexpr unsigned char kDelete = 0x7f;

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == kDelete; });
}

/// Lengths, overlong forms, surrogates and the end of Unicode (RFC 3629, 4).
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || i + length > text.size()) return false;
    char32_t point = length == 1 ? lead : lead & (0x7fU >> length);
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if (next >> 6 != 2) return false;
      point = point << 6 | (next & 0x3fU);
    }
    constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kLeast[length] || (point >= 0xd800 && point < 0xe000) || point > 0x10ffff) return false;
    i += length;
  }
  return true;
}

std::string checked(std::string text, std::size_t limit, const char* what) {
  if (text.size() > limit) throw Refusal(400, std::string(what) + " is too long");
  if (has_control(text)) throw Refusal(400, std::string(what) + " has control characters");
  if (!is_utf8(text)) throw Refusal(400, std::string(what) + " is not UTF-8");
  return text;
}

std::string checked_segment(std::string text) {
  text = checked(std::move(text), kMaxSegment, "a name in the path");
  if (text.empty() || text == "." || text == ".." || text.find_first_of("/\\") != std::string::npos) {
    throw Refusal(400, "the path has an empty name, a dot name or a slash inside a name");
  }
  return text;
}

void parse_query(std::string_view text, std::map<std::string, std::string>& query) {
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
    query[checked(percent_decode(pair.substr(0, equals), true), kMaxSegment, "a parameter's name")] =
        checked(percent_decode(value, true), kMaxValue, "a parameter's value");
  }
}

}  // namespace

std::string percent_decode(std::string_view text, bool form) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && form) {
      decoded += ' ';
    } else if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) throw Refusal(400, "the address has a broken percent sign");
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += text[i];
    }
  }
  return decoded;
}

Target parse_target(std::string_view target) {
  if (!target.starts_with('/')) throw Refusal(400, "the address is no path");
  Target parsed;
  const std::size_t question = target.find('?');
  if (question != std::string_view::npos) parse_query(target.substr(question + 1), parsed.query);
  std::string_view path = target.substr(1, question == std::string_view::npos ? question : question - 1);
  if (path.empty()) return parsed;
  for (;;) {
    const std::size_t slash = path.find('/');
    parsed.segments.push_back(checked_segment(percent_decode(path.substr(0, slash))));
    if (slash == std::string_view::npos) return parsed;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace reelfarm::http

#include "pipeline/tokenizers/detail/utf8.hpp"

#include <cstdio>

#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t offset) {
  return static_cast<std::uint8_t>(text[offset]);
}

bool is_continuation(std::uint8_t byte) {
  return (byte & 0xC0) == 0x80;
}

/// Length of the well-formed character at `offset` (Unicode standard, table 3-7), 0 when there is none.
std::size_t well_formed_length(std::string_view text, std::size_t offset) {
  const std::uint8_t lead = byte_at(text, offset);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead <= 0xDF   ? 2
                             : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                            : 0;
  if (length == 0 || offset + length > text.size()) return 0;
  const std::uint8_t second = byte_at(text, offset + 1);
  const std::uint8_t lowest = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const std::uint8_t highest = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (second < lowest || second > highest) return 0;
  for (std::size_t i = 2; i < length; ++i)
    if (!is_continuation(byte_at(text, offset + i))) return 0;
  return length;
}

}  // namespace

void check_utf8(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    const std::size_t length = well_formed_length(text, offset);
    if (length == 0) {
      char byte[8];
      std::snprintf(byte, sizeof byte, "0x%02X", byte_at(text, offset));
      throw InvalidUtf8(
          "tokenizers: the text is not UTF-8: byte " + std::to_string(offset) + " (" + byte + ") begins no character",
          offset);
    }
    offset += length;
  }
}

char32_t next_code_point(std::string_view text, std::size_t& offset) {
  const std::uint8_t lead = byte_at(text, offset++);
  if (lead < 0x80) return lead;
  const int following = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  char32_t code_point = lead & (0x3F >> following);
  for (int i = 0; i < following; ++i) code_point = (code_point << 6) | (byte_at(text, offset++) & 0x3F);
  return code_point;
}

void append_utf8(std::string& text, char32_t code_point) {
  const auto put = [&](char32_t value) { text.push_back(static_cast<char>(value)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::string with_replacements(std::string_view bytes) {
  std::string text;
  for (std::size_t offset = 0; offset < bytes.size();) {
    const std::size_t length = well_formed_length(bytes, offset);
    if (length == 0) {
      append_utf8(text, 0xFFFD);
      ++offset;
      continue;
    }
    text.append(bytes.substr(offset, length));
    offset += length;
  }
  return text;
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string code_point_name(char32_t code_point) {
  char name[16];
  std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(code_point));
  return name;
}

}  // namespace reelfarm::tokenizers::detail

#include "pipeline/tokenizers/detail/utf8.hpp"

#include <cstdio>

#include "pipeline/tokenizers/errors.hpp"

namespace reelfarm::tokenizers::detail {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t offset) {
  return static_cast<std::uint8_t>(text[offset]);
}

struct Character {
  std::size_t length;  // bytes that belong together
  bool whole;          // they are a character, not the beginning of one
};

/// The well-formed character at `offset`, or the longest beginning of one, at least one byte. Source: Unicode standard,
/// table 3-7 and section 3.9, "Substitution of Maximal Subparts".
Character character_at(std::string_view text, std::size_t offset) {
  const std::uint8_t lead = byte_at(text, offset);
  if (lead < 0x80) return {1, true};
  std::size_t length = 0;
  if (lead >= 0xC2 && lead <= 0xDF) length = 2;
  if (lead >= 0xE0 && lead <= 0xEF) length = 3;
  if (lead >= 0xF0 && lead <= 0xF4) length = 4;
  for (std::size_t i = 1; i < length; ++i) {
    if (offset + i >= text.size()) return {i, false};
    const std::uint8_t byte = byte_at(text, offset + i);
    const std::uint8_t lowest = i == 1 && lead == 0xE0 ? 0xA0 : i == 1 && lead == 0xF0 ? 0x90 : 0x80;
    const std::uint8_t highest = i == 1 && lead == 0xED ? 0x9F : i == 1 && lead == 0xF4 ? 0x8F : 0xBF;
    if (byte < lowest || byte > highest) return {i, false};
  }
  return length == 0 ? Character{1, false} : Character{length, true};
}

}  // namespace

void check_utf8(std::string_view text) {
  for (std::size_t offset = 0; offset < text.size();) {
    const Character character = character_at(text, offset);
    if (!character.whole) {
      char byte[8];
      std::snprintf(byte, sizeof byte, "0x%02X", byte_at(text, offset));
      throw InvalidUtf8(
          "tokenizers: the text is not UTF-8: byte " + std::to_string(offset) + " (" + byte + ") begins no character",
          offset);
    }
    offset += character.length;
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
    const Character character = character_at(bytes, offset);
    if (character.whole)
      text.append(bytes.substr(offset, character.length));
    else
      append_utf8(text, 0xFFFD);
    offset += character.length;
  }
  return text;
}

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

}  // namespace reelfarm::tokenizers::detail

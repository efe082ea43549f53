#include "coordinator/text_check.hpp"

#include <utf8proc.h>

#include <cstdio>
#include <string>

#include "coordinator/errors.hpp"

namespace reelfarm::coordinator {
namespace {

struct Character {
  utf8proc_int32_t code_point = 0;
  std::size_t bytes = 0;
};

Character next_character(std::string_view what, std::string_view text, std::size_t at) {
  Character character;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t length =
      utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &character.code_point);
  if (length < 1) {
    char byte[8];
    std::snprintf(byte, sizeof byte, "0x%02x", bytes[at]);
    throw Rejected(std::string(what) + " is not UTF-8: byte " + byte + " at position " + std::to_string(at) +
                   " begins no character; save or type it as UTF-8");
  }
  character.bytes = static_cast<std::size_t>(length);
  return character;
}

bool is_space(utf8proc_int32_t code_point) {
  const auto category = utf8proc_category(code_point);
  return (code_point >= 9 && code_point <= 13) || category == UTF8PROC_CATEGORY_ZS ||
         category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

}  // namespace

std::size_t count_characters(std::string_view what, std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at += next_character(what, text, at).bytes) ++count;
  return count;
}

bool is_blank(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character character = next_character("the text", text, at);
    if (!is_space(character.code_point)) return false;
    at += character.bytes;
  }
  return true;
}

void check_text(std::string_view what, std::string_view text, std::size_t max_characters, bool allow_line_breaks) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const Character character = next_character(what, text, at);
    const bool control = utf8proc_category(character.code_point) == UTF8PROC_CATEGORY_CC;
    const bool line_break =
        character.code_point == '\n' || character.code_point == '\r' || character.code_point == '\t';
    if (control && !(allow_line_breaks && line_break)) {
      char code[16];
      std::snprintf(code, sizeof code, "U+%04X", static_cast<unsigned>(character.code_point));
      throw Rejected(std::string(what) + " has the control character " + code + " at position " + std::to_string(at));
    }
    at += character.bytes;
  }
  if (count > max_characters) {
    throw Rejected(std::string(what) + " has " + std::to_string(count) + " characters: at most " +
                   std::to_string(max_characters) + " are taken");
  }
}

}  // namespace reelfarm::coordinator

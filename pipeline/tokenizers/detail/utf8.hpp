#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace reelfarm::tokenizers::detail {

/// Throws InvalidUtf8 for overlong forms, surrogates, values above U+10FFFF and broken sequences.
void check_utf8(std::string_view text);

/// Code point at `offset` of valid UTF-8, and `offset` moved behind it.
char32_t next_code_point(std::string_view text, std::size_t& offset);

void append_utf8(std::string& text, char32_t code_point);

/// Valid UTF-8 in which every beginning of a character that does not go on has become one U+FFFD.
std::string with_replacements(std::string_view bytes);

/// Unicode's White_Space property.
bool is_white_space(char32_t code_point);

}  // namespace reelfarm::tokenizers::detail

#pragma once

#include <cstddef>
#include <string_view>

namespace reelfarm::coordinator {

/// Throws Rejected unless `text` is UTF-8 without control characters (line break and tab are allowed in prompts) and
/// of at most `max_characters` code points. `what` names it in the message, for example "the prompt".
void check_text(std::string_view what, std::string_view text, std::size_t max_characters, bool allow_line_breaks);

/// True when `text` (UTF-8) has nothing but white space.
bool is_blank(std::string_view text);

/// Code points of UTF-8 text; throws Rejected naming `what` and the first bad byte.
std::size_t count_characters(std::string_view what, std::string_view text);

}  // namespace reelfarm::coordinator

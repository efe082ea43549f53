#pragma once

#include <string>

namespace reelfarm::tokenizers::detail {

enum class UnicodeForm { nfc, nfd, nfkc, nfkd };

/// Normalizes valid UTF-8 as the `tokenizers` library does, which has the tables of Unicode 9.
std::string unicode_form(const std::string& text, UnicodeForm form);

/// Each character's lower case on its own (no final sigma), of Unicode 17, as Rust's char::to_lowercase.
std::string lower_case(const std::string& text);

}  // namespace reelfarm::tokenizers::detail

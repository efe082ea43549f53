#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace reelfarm::tokenizers::detail {

/// The 256 printable characters that stand for bytes in a byte-level vocabulary: printable Latin-1 for itself, the rest
/// from U+0100 on in the order of the bytes. Source: GPT-2 encoder.py, bytes_to_unicode.
std::string to_byte_alphabet(std::string_view bytes);

/// The bytes that a token stands for; a token with a character outside the alphabet stands for its own UTF-8.
std::string from_byte_alphabet(std::string_view token);

}  // namespace reelfarm::tokenizers::detail

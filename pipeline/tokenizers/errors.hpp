#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace reelfarm::tokenizers {

/// A tokenizer file that cannot be used, or a request that the tokenizer cannot serve.
struct TokenizerError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Text that is not UTF-8.
struct InvalidUtf8 : TokenizerError {
  InvalidUtf8(const std::string& message, std::size_t offset) : TokenizerError(message), byte_offset(offset) {}
  std::size_t byte_offset;  ///< of the first byte that cannot be part of a character
};

}  // namespace reelfarm::tokenizers

#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace reelfarm::tokenizers::detail {

/// Cuts pieces of text into smaller ones; a byte-level step also rewrites them in the byte alphabet.
using PreTokenizer = std::function<std::vector<std::string>(std::vector<std::string>)>;

/// Builds the pre-tokenizer of a tokenizer file; null gives one that changes nothing. Throws TokenizerError that names
/// a kind that is not supported.
PreTokenizer make_pre_tokenizer(const nlohmann::json& description);

}  // namespace reelfarm::tokenizers::detail

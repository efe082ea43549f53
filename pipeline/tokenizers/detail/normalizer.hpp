#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

namespace reelfarm::tokenizers::detail {

/// Valid UTF-8 in, valid UTF-8 out.
using Normalizer = std::function<std::string(std::string)>;

/// Builds the normalizer of a tokenizer file; null gives one that changes nothing. Throws TokenizerError that names a
/// kind that is not supported.
Normalizer make_normalizer(const nlohmann::json& description);

}  // namespace reelfarm::tokenizers::detail

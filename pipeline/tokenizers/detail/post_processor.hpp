#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace reelfarm::tokenizers::detail {

/// Ids that are put around those of the text.
struct PostProcessor {
  std::vector<std::int64_t> before;
  std::vector<std::int64_t> after;
};

/// Reads the post-processor of a tokenizer file, for one text; null adds nothing. Throws TokenizerError that names a
/// kind that is not supported.
PostProcessor read_post_processor(const nlohmann::json& description);

}  // namespace reelfarm::tokenizers::detail

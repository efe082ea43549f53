#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>

namespace reelfarm::tokenizers::detail {

/// What tokenizer.json would hold for CLIP's vocab.json and merges.txt, as transformers' CLIPTokenizer builds it.
nlohmann::json clip_description(const std::filesystem::path& folder);

}  // namespace reelfarm::tokenizers::detail

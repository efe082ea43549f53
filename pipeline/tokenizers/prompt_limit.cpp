#include "pipeline/tokenizers/prompt_limit.hpp"

namespace reelfarm::tokenizers {

std::string fill_template(std::string_view template_text, std::string_view prompt) {
  std::string filled(template_text);
  if (const auto place = filled.find("{}"); place != std::string::npos) filled.replace(place, 2, prompt);
  return filled;
}

std::optional<std::string> too_long(std::string_view encoder, std::int64_t used, std::int64_t limit) {
  if (used <= limit) return std::nullopt;
  return "the prompt is too long: " + std::to_string(used) + " tokens for " + std::string(encoder) +
         ", which takes at most " + std::to_string(limit) + " (with what the template adds); leave out about " +
         std::to_string(used - limit);
}

}  // namespace reelfarm::tokenizers

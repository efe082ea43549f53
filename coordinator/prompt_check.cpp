#include "coordinator/prompt_check.hpp"

#include "pipeline/tokenizers/prompt_limit.hpp"
#include "pipeline/tokenizers/tokenizer.hpp"

namespace reelfarm::coordinator {

void PromptCheck::require_fit(const queue::JobSpec& spec, const queue::BundleLimits& limits) {
  const bool makes_frame = limits.needs_image && !spec.image;
  for (const queue::PromptLimit& limit : limits.prompt_limits) {
    if (limit.first_frame && !makes_frame) continue;
    const auto reader = tokenizer(limits.hash, limit.tokenizer);
    if (!reader) continue;
    const auto tokens = reader->encode(tokenizers::fill_template(limit.template_text, spec.prompt)).ids.size();
    const auto used = static_cast<std::int64_t>(tokens) - limit.crop_start;
    if (const auto problem = tokenizers::too_long(limit.encoder, used, limit.max_tokens)) throw Rejected(*problem);
  }
}

std::shared_ptr<const tokenizers::Tokenizer> PromptCheck::tokenizer(const std::string& bundle_hash,
                                                                    const std::string& name) {
  const std::filesystem::path folder = data_.tokenizer(bundle_hash, name);
  if (const auto known = opened_.find(folder.string()); known != opened_.end()) return known->second;
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) return nullptr;
  try {
    return opened_[folder.string()] = tokenizers::Tokenizer::open(folder);
  } catch (const tokenizers::TokenizerError&) {
    return nullptr;
  }
}

}  // namespace reelfarm::coordinator

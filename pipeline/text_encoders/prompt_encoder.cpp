#include "pipeline/text_encoders/prompt_encoder.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/clip_text.hpp"
#include "pipeline/text_encoders/detail/language_encoder.hpp"
#include "pipeline/text_encoders/detail/prompt_reader.hpp"
#include "pipeline/text_encoders/errors.hpp"

namespace reelfarm::text_encoders {
namespace {

constexpr const char* kClip = "text_encoder_2";

ClipText load_clip(const weights::Bundle& bundle, nn::Placement placement) {
  const nn::ParameterReader reader(bundle.tensors(kClip), placement);
  ClipText clip(reader, ClipTextConfig::parse(bundle.config(kClip)));
  reader.expect_all_read();
  return clip;
}

}  // namespace

struct PromptEncoder::Models {
  ClipText clip;
  std::map<std::string, detail::LanguageEncoder> language;  // by component

  Models(const weights::Bundle& bundle, nn::Placement placement) : clip(load_clip(bundle, placement)) {
    const weights::BundleManifest& manifest = bundle.manifest();
    // An encoder that two branches share is loaded once, with every layer that either needs.
    std::map<std::string, std::int64_t> least_skip;
    const auto note = [&](const std::string& encoder, std::int64_t skip) {
      const auto [place, added] = least_skip.emplace(encoder, skip);
      if (!added) place->second = std::min(place->second, skip);
    };
    if (manifest.prompt) note(manifest.prompt->encoder, manifest.prompt->hidden_state_skip);
    if (manifest.t2i) note(manifest.t2i->prompt.encoder, manifest.t2i->prompt.hidden_state_skip);
    if (manifest.image_prompt) note(manifest.image_prompt->encoder, manifest.image_prompt->hidden_state_skip);
    for (const auto& [encoder, skip] : least_skip) {
      const bool sees = manifest.image_prompt && manifest.image_prompt->encoder == encoder;
      language.try_emplace(encoder, bundle, encoder, placement, skip, sees);
    }
  }
};

PromptEncoder::PromptEncoder(const weights::Bundle& bundle, nn::Placement placement)
    : reader_(std::make_unique<detail::PromptReader>(bundle)), placement_(placement) {}

PromptEncoder::~PromptEncoder() = default;
PromptEncoder::PromptEncoder(PromptEncoder&&) noexcept = default;

bool PromptEncoder::sees_image(Branch branch) const {
  return reader_->sees_image(branch);
}

TokenCount PromptEncoder::count_tokens(std::string_view prompt, Branch branch) const {
  return reader_->read(prompt, branch).count;
}

PromptEmbedding PromptEncoder::encode(std::string_view prompt, const video::Image* image, Branch branch) {
  const detail::ReadPrompt read = reader_->read(prompt, branch);
  if (read.image && !image) throw PromptError("the bundle looks at an image beside the prompt, and there is none");
  const at::Tensor pixels = read.image ? (*reader_->image_processor())(*image) : at::Tensor();
  load();
  std::vector<at::Tensor> states;
  const auto add = [&](const detail::Reading& reading, const at::Tensor& seen) {
    states.push_back(models_->language.at(reading.encoder).encode(reading.rows, reading.hidden_state_skip, seen));
  };
  if (read.image) add(*read.image, pixels);
  if (read.text) add(*read.text, {});
  return {at::cat(states), models_->clip.pooled(read.clip_ids).squeeze(0)};
}

void PromptEncoder::load() {
  if (!models_) models_ = std::make_unique<const Models>(reader_->bundle(), placement_);
}

bool PromptEncoder::loaded() const {
  return models_ != nullptr;
}

void PromptEncoder::release() {
  models_.reset();
}

void PromptEncoder::move_to(nn::Placement placement) {
  const bool was_loaded = loaded();
  release();
  placement_ = placement;
  if (was_loaded) load();
}

}  // namespace reelfarm::text_encoders

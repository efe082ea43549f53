#include "pipeline/text_encoders/detail/language_encoder.hpp"

#include <vector>

#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/text_encoders/detail/key_scheme.hpp"

namespace reelfarm::text_encoders::detail {
namespace {

std::variant<Llama, Llava> load(const weights::Bundle& bundle, const std::string& component, nn::Placement placement,
                                std::int64_t least_skip, bool with_vision) {
  const weights::Config config = bundle.config(component);
  const nn::ParameterReader reader(bundle.tensors(component), placement);
  const auto model = [&]() -> std::variant<Llama, Llava> {
    if (is_llava(config)) return Llava(reader, LlavaConfig::parse(config), least_skip, with_vision);
    reader.ignore("lm_head.weight");
    return Llama(scope_that_has(reader, {"", "model"}, "embed_tokens.weight"), LlamaConfig::parse(config), least_skip);
  };
  std::variant<Llama, Llava> loaded = model();
  reader.expect_all_read();
  return loaded;
}

}  // namespace

LanguageEncoder::LanguageEncoder(const weights::Bundle& bundle, const std::string& component, nn::Placement placement,
                                 std::int64_t least_skip, bool with_vision)
    : model_(load(bundle, component, placement, least_skip, with_vision)), placement_(placement) {}

at::Tensor LanguageEncoder::encode(const PromptRows& rows, std::int64_t skip, const at::Tensor& pixels) const {
  const Llava* const llava = std::get_if<Llava>(&model_);
  const Llama& language = llava ? llava->language() : std::get<Llama>(model_);
  at::Tensor embeddings;
  if (pixels.defined()) {
    if (!llava) throw std::invalid_argument("a Llama alone sees no image");
    embeddings = llava->embed(rows.ids, llava->encode_image(pixels.to(placement_.device, placement_.dtype)));
  } else {
    embeddings = language.embed(rows.ids);
  }
  const at::Tensor states = language.hidden_states(embeddings, skip, rows.padded_length).squeeze(0);
  std::vector<at::Tensor> kept;
  for (const RowRange& range : rows.kept) kept.push_back(states.slice(0, range.begin, range.end, range.step));
  return at::cat(kept);
}

}  // namespace reelfarm::text_encoders::detail

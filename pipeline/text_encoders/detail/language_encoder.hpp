#pragma once

#include <string>
#include <variant>

#include <ATen/core/Tensor.h>

#include "pipeline/nn/placement.hpp"
#include "pipeline/text_encoders/detail/prompt_rows.hpp"
#include "pipeline/text_encoders/llama.hpp"
#include "pipeline/text_encoders/llava.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::text_encoders::detail {

/// A component of a bundle that reads token ids: a Llama, alone or inside a LLaVA.
class LanguageEncoder {
 public:
  /// Takes LlamaModel, LlamaForCausalLM and LlavaForConditionalGeneration. Throws weights::WeightError, also for
  /// tensors that the model does not have.
  LanguageEncoder(const weights::Bundle& bundle, const std::string& component, nn::Placement placement,
                  std::int64_t least_skip, bool with_vision);

  /// The kept rows of hidden_states[-(skip + 1)], joined: (T, hidden). `pixels`: (1, 3, H, W) fp32, or undefined
  /// without an image.
  at::Tensor encode(const PromptRows& rows, std::int64_t skip, const at::Tensor& pixels) const;

 private:
  std::variant<Llama, Llava> model_;
  nn::Placement placement_;
};

}  // namespace reelfarm::text_encoders::detail

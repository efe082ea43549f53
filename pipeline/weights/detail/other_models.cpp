#include <algorithm>
#include <vector>

#include "pipeline/weights/detail/other_models.hpp"

namespace reelfarm::weights::detail {
namespace {

/// A model has one name that begins with each of these, and none that begins with `without`.
struct Signature {
  const char* model;
  std::vector<std::string_view> with;
  std::string_view without;
};

// Names of the weights as their authors publish them, and as diffusers 0.42.1 has them.
const std::vector<Signature>& signatures() {
  static const std::vector<Signature> known{
      {"HunyuanVideo 1.5", {"byt5_in."}, {}},
      {"HunyuanVideo 1.5", {"cond_type_embedding"}, {}},
      {"HunyuanVideo 1.5 (diffusers)", {"context_embedder_2.", "image_embedder."}, {}},
      {"Wan", {"blocks.0.self_attn.q.", "blocks.0.cross_attn.q.", "head.modulation"}, {}},
      {"Wan (diffusers)", {"blocks.0.attn1.to_q.", "condition_embedder.time_embedder.", "scale_shift_table"}, {}},
      {"LTX-Video", {"patchify_proj.", "adaln_single.", "transformer_blocks.0.scale_shift_table"}, {}},
      {"LTX-Video (diffusers)", {"proj_in.", "time_embed.", "transformer_blocks.0.scale_shift_table"}, {}},
      {"FLUX", {"double_blocks.0.img_attn.qkv.", "img_in.weight"}, "txt_in.individual_token_refiner."},
      {"FLUX (diffusers)",
       {"single_transformer_blocks.0.proj_mlp.", "x_embedder.weight", "context_embedder.weight"},
       "context_embedder.token_refiner."},
      {"Stable Diffusion 3", {"joint_blocks.0.x_block."}, {}},
      {"Stable Diffusion", {"input_blocks.0.", "output_blocks.0."}, {}},
      {"Qwen-Image", {"transformer_blocks.0.img_mod.1.", "txt_norm."}, {}},
      {"CogVideoX", {"transformer_blocks.0.norm1.norm.", "patch_embed.proj."}, {}},
      {"Mochi", {"t5_yproj.", "blocks.0.attn.qkv_x."}, {}},
      {"a LLaVA or its Llama", {"language_model."}, {}},
      {"a Llama", {"layers.0.self_attn.q_proj.", "embed_tokens."}, {}},
      {"a T5 encoder", {"encoder.block.0.layer.0.SelfAttention."}, {}},
      {"a CLIP", {"text_model."}, {}},
  };
  return known;
}

bool is_lora(const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [](const std::string& name) {
    return name.ends_with(".lora_down.weight") || name.ends_with(".lora_A.weight") ||
           name.ends_with(".lora_A.default.weight");
  });
}

}  // namespace

std::string looks_like(const std::vector<std::string>& names) {
  if (is_lora(names)) return "a LoRA";
  const auto has = [&](std::string_view beginning) {
    return std::ranges::any_of(names, [&](const std::string& name) { return name.starts_with(beginning); });
  };
  for (const Signature& signature : signatures())
    if (std::ranges::all_of(signature.with, has) && (signature.without.empty() || !has(signature.without)))
      return signature.model;
  return {};
}

}  // namespace reelfarm::weights::detail

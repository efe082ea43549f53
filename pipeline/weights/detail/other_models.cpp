#include <algorithm>
#include <charconv>
#include <set>
#include <vector>

#include "pipeline/weights/detail/layer_count.hpp"
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

/// Layers that LoRAs change, with underscores for dots as kohya's scripts write them. The first that fits counts.
struct LoraSignature {
  const char* model;
  std::vector<std::string_view> with;
};

const std::vector<LoraSignature>& lora_signatures() {
  static const std::vector<LoraSignature> known{
      {"Wan", {"blocks_N_self_attn_"}},
      {"Wan", {"blocks_N_cross_attn_"}},
      {"Wan (diffusers)", {"blocks_N_attn1_to_", "blocks_N_attn2_to_"}},
      {"LTX-Video", {"transformer_blocks_N_attn1_to_", "transformer_blocks_N_attn2_to_"}},
      {"Qwen-Image", {"transformer_blocks_N_img_m"}},
      {"CogVideoX", {"transformer_blocks_N_attn1_to_"}},
      {"Mochi", {"blocks_N_attn_qkv_x"}},
      {"Stable Diffusion 3", {"joint_blocks_N_"}},
      {"Stable Diffusion", {"down_blocks_N_attentions_"}},
      {"Stable Diffusion", {"input_blocks_N_"}},
  };
  return known;
}

/// "blocks.7.self_attn.q" -> "blocks_N_self_attn_q"
std::string without_numbers(const std::string& layer) {
  std::string text;
  for (std::size_t i = 0; i < layer.size(); ++i) {
    const bool digit = layer[i] >= '0' && layer[i] <= '9', within = i > 0 && layer[i - 1] != '.' && layer[i - 1] != '_';
    if (digit && !within)
      text += 'N';
    else if (!digit || text.back() != 'N')
      text += layer[i] == '.' ? '_' : layer[i];
  }
  return text;
}

std::set<int> blocks_of(const std::vector<std::string>& layers, std::initializer_list<std::string_view> scopes) {
  std::set<int> blocks;
  for (const std::string& layer : layers)
    for (const std::string_view scope : scopes) {
      int block = 0;
      if (layer.starts_with(scope) &&
          std::from_chars(layer.data() + scope.size(), layer.data() + layer.size(), block).ec == std::errc())
        blocks.insert(block);
    }
  return blocks;
}

bool are_those_of_flux(const std::vector<std::string>& layers, const std::vector<std::string>& model) {
  constexpr int kDouble = 19, kSingle = 38;
  const auto whole = [](const std::set<int>& blocks, int count) {
    return blocks.size() == static_cast<std::size_t>(count) && *blocks.rbegin() == count - 1;
  };
  const auto twofold =
      blocks_of(layers, {"transformer_blocks.", "double_blocks.", "transformer_blocks_", "double_blocks_"});
  const auto single = blocks_of(
      layers, {"single_transformer_blocks.", "single_blocks.", "single_transformer_blocks_", "single_blocks_"});
  if (twofold.empty() || single.empty() || !whole(twofold, kDouble) || !whole(single, kSingle)) return false;
  return count_layers(model, "transformer_blocks.") != kDouble;
}

}  // namespace

std::string lora_looks_like(const std::vector<std::string>& layers, const std::vector<std::string>& model) {
  if (are_those_of_flux(layers, model)) return "FLUX";
  for (const LoraSignature& signature : lora_signatures()) {
    const auto has = [&](std::string_view beginning) {
      return std::ranges::any_of(layers,
                                 [&](const auto& layer) { return without_numbers(layer).starts_with(beginning); });
    };
    if (std::ranges::all_of(signature.with, has)) return signature.model;
  }
  return {};
}

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

#include "pipeline/weights/detail/inferred_config.hpp"

#include <algorithm>

#include "pipeline/weights/detail/expected_tensors.hpp"
#include "pipeline/weights/detail/layer_count.hpp"
#include "pipeline/weights/detail/other_models.hpp"

namespace reelfarm::weights::detail {
namespace {

using nlohmann::json;

constexpr std::int64_t kPublishedHead = 128;

/// Extent `axis` of a tensor that has `rank` of them.
std::int64_t extent(const TensorSource& source, const std::string& name, std::size_t rank, std::size_t axis) {
  const TensorInfo& tensor = source.at(name);
  if (tensor.shape.size() != rank || tensor.element_count() == 0)
    throw WeightError("weights: " + tensor.file + ": tensor \"" + name + "\" has " +
                      std::to_string(tensor.shape.size()) + " dimensions, expected " + std::to_string(rank));
  return tensor.shape[axis];
}

}  // namespace

int count_of(const TensorSource& source, const std::string& scope) {
  return count_layers(source.names(), scope);
}

std::optional<std::string> condition_of(const TensorSource& source) {
  const std::int64_t in = extent(source, "x_embedder.proj.weight", 5, 1);
  const std::int64_t patch = source.at("x_embedder.proj.weight").shape[2] *
                             source.at("x_embedder.proj.weight").shape[3] *
                             source.at("x_embedder.proj.weight").shape[4];
  const std::int64_t out = extent(source, "proj_out.weight", 2, 0) / patch;
  if (in == 2 * out + 1) return "latent_concat";
  if (in == out) return std::nullopt;
  throw WeightError("weights: " + source.path().string() + ": a transformer of " + std::to_string(in) +
                    " channels in and " + std::to_string(out) +
                    " out; text-to-video and token replace have as many of both, latent concat has 2n + 1 in");
}

json inferred_transformer(const TensorSource& source, const std::string& condition) {
  const std::string embedder = "x_embedder.proj.weight";
  const std::int64_t inner = extent(source, embedder, 5, 0), patch = extent(source, embedder, 5, 3);
  const std::int64_t patch_t = extent(source, embedder, 5, 2);
  const std::int64_t head = extent(source, "transformer_blocks.0.attn.norm_q.weight", 1, 0);
  const std::int64_t mlp = extent(source, "transformer_blocks.0.ff.net.0.proj.weight", 2, 0);
  if (head != kPublishedHead)
    throw WeightError("weights: " + source.path().string() + ": heads of " + std::to_string(head) +
                      " channels, those of the published models have 128: how the rotary embedding divides them is not "
                      "in the weights. Give a bundle of this model as --base");
  json config{{"_class_name", "HunyuanVideoTransformer3DModel"},
              {"in_channels", extent(source, embedder, 5, 1)},
              {"out_channels", extent(source, "proj_out.weight", 2, 0) / (patch_t * patch * patch)},
              {"num_attention_heads", inner / head},
              {"attention_head_dim", head},
              {"num_layers", count_of(source, "transformer_blocks.")},
              {"num_single_layers", count_of(source, "single_transformer_blocks.")},
              {"num_refiner_layers", count_of(source, "context_embedder.token_refiner.refiner_blocks.")},
              {"mlp_ratio", static_cast<double>(mlp) / static_cast<double>(inner)},
              {"patch_size", patch},
              {"patch_size_t", patch_t},
              {"qk_norm", "rms_norm"},
              {"guidance_embeds", source.find("time_text_embed.guidance_embedder.linear_1.weight") != nullptr},
              {"text_embed_dim", extent(source, "context_embedder.proj_in.weight", 2, 1)},
              {"pooled_projection_dim", extent(source, "time_text_embed.text_embedder.linear_1.weight", 2, 1)},
              {"rope_theta", 256.0},
              {"rope_axes_dim", {16, 56, 56}},
              {"image_condition_type", nullptr}};
  if (condition != "none") config["image_condition_type"] = condition;
  return config;
}

json inferred_vae(const TensorSource& source) {
  std::vector<std::int64_t> channels;
  const int levels = count_of(source, "encoder.down_blocks.");
  for (int level = 0; level < levels; ++level)
    channels.push_back(
        extent(source, "encoder.down_blocks." + std::to_string(level) + ".resnets.0.conv2.conv.weight", 5, 0));
  return {{"_class_name", "AutoencoderKLHunyuanVideo"},
          {"in_channels", extent(source, "encoder.conv_in.conv.weight", 5, 1)},
          {"out_channels", extent(source, "decoder.conv_out.conv.weight", 5, 0)},
          {"latent_channels", extent(source, "post_quant_conv.weight", 5, 0)},
          {"block_out_channels", channels},
          {"layers_per_block", count_of(source, "encoder.down_blocks.0.resnets.")},
          {"act_fn", "silu"},
          {"norm_num_groups", 32},
          {"scaling_factor", 0.476986},
          {"spatial_compression_ratio", 8},
          {"temporal_compression_ratio", 4},
          {"mid_block_add_attention", source.find("decoder.mid_block.attentions.0.to_q.weight") != nullptr}};
}

void require_fit(const TensorSource& source, const std::string& part, const Config& config) {
  constexpr std::size_t kShown = 10;
  const ExpectedTensors expected = part == "vae" ? expected_vae(config) : expected_transformer(config);
  const std::vector<std::string> lines = expected.differences(source, true);
  if (lines.empty()) return;
  std::string text = "weights: " + source.path().string() + ": read as " + source.form().description() +
                     ", does not fit " + config.file().string();
  if (const std::string other = looks_like(source.names()); !other.empty()) text += "; it looks like " + other;
  for (std::size_t i = 0; i < std::min(lines.size(), kShown); ++i) text += "\n  " + lines[i];
  if (lines.size() > kShown) text += "\n  and " + std::to_string(lines.size() - kShown) + " more";
  throw WeightError(text);
}

}  // namespace reelfarm::weights::detail


#include "pipeline/weights/detail/expected_tensors.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr std::int64_t kSinusoid = 256;  // channels of the timestep's sinusoidal embedding
constexpr int kMaxLayers = 1000;
constexpr int kMaxWidth = 1 << 20;

struct Widths {
  std::int64_t inner, head, mlp;
};

void embedder(ExpectedTensors& expected, const std::string& name, std::int64_t in, std::int64_t out) {
  expected.linear(name + ".linear_1", in, out);
  expected.linear(name + ".linear_2", out, out);
}

void feed_forward(ExpectedTensors& expected, const std::string& name, const Widths& widths) {
  expected.linear(name + ".net.0.proj", widths.inner, widths.mlp);
  expected.linear(name + ".net.2", widths.mlp, widths.inner);
}

void projections(ExpectedTensors& expected, const std::string& name, std::initializer_list<const char*> parts,
                 std::int64_t width) {
  for (const char* part : parts) expected.linear(name + part, width, width);
}

void refiner_block(ExpectedTensors& expected, const std::string& name, const Widths& widths) {
  projections(expected, name + ".attn.", {"to_q", "to_k", "to_v", "to_out.0"}, widths.inner);
  expected.norm(name + ".norm1", widths.inner);
  expected.norm(name + ".norm2", widths.inner);
  expected.linear(name + ".norm_out.linear", widths.inner, 2 * widths.inner);
  feed_forward(expected, name + ".ff", widths);
}

void double_block(ExpectedTensors& expected, const std::string& name, const Widths& widths) {
  projections(expected, name + ".attn.",
              {"to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out"},
              widths.inner);
  for (const char* norm : {"norm_q", "norm_k", "norm_added_q", "norm_added_k"})
    expected.tensor(name + ".attn." + norm + ".weight", {widths.head});
  expected.linear(name + ".norm1.linear", widths.inner, 6 * widths.inner);
  expected.linear(name + ".norm1_context.linear", widths.inner, 6 * widths.inner);
  feed_forward(expected, name + ".ff", widths);
  feed_forward(expected, name + ".ff_context", widths);
}

void single_block(ExpectedTensors& expected, const std::string& name, const Widths& widths) {
  projections(expected, name + ".attn.", {"to_q", "to_k", "to_v"}, widths.inner);
  for (const char* norm : {"norm_q", "norm_k"}) expected.tensor(name + ".attn." + norm + ".weight", {widths.head});
  expected.linear(name + ".norm.linear", widths.inner, 3 * widths.inner);
  expected.linear(name + ".proj_mlp", widths.inner, widths.mlp);
  expected.linear(name + ".proj_out", widths.inner + widths.mlp, widths.inner);
}

}  // namespace

ExpectedTensors expected_transformer(const Config& config) {
  const std::int64_t head = config.integer_between("attention_head_dim", 128, 1, kMaxWidth);
  const std::int64_t inner = head * config.integer_between("num_attention_heads", 24, 1, kMaxWidth);
  const Widths widths{inner, head,
                      static_cast<std::int64_t>(static_cast<double>(inner) * config.number("mlp_ratio", 4.0))};
  // The refiner's mlp_ratio is 4 whatever the transformer's is.
  const Widths refiner{inner, head, 4 * inner};
  const std::int64_t in = config.integer_between("in_channels", 16, 1, kMaxWidth);
  const std::int64_t out = config.integer_between("out_channels", 16, 1, kMaxWidth);
  const std::int64_t patch = config.integer_between("patch_size", 2, 1, 64);
  const std::int64_t patch_t = config.integer_between("patch_size_t", 1, 1, 64);
  const std::int64_t text = config.integer_between("text_embed_dim", 4096, 1, kMaxWidth);

  ExpectedTensors expected;
  expected.tensor("x_embedder.proj.weight", {inner, in, patch_t, patch, patch});
  expected.tensor("x_embedder.proj.bias", {inner});
  embedder(expected, "context_embedder.time_text_embed.timestep_embedder", kSinusoid, inner);
  embedder(expected, "context_embedder.time_text_embed.text_embedder", text, inner);
  expected.linear("context_embedder.proj_in", text, inner);
  embedder(expected, "time_text_embed.timestep_embedder", kSinusoid, inner);
  embedder(expected, "time_text_embed.text_embedder",
           config.integer_between("pooled_projection_dim", 768, 1, kMaxWidth), inner);
  if (config.flag("guidance_embeds", true)) embedder(expected, "time_text_embed.guidance_embedder", kSinusoid, inner);
  expected.linear("norm_out.linear", inner, 2 * inner);
  expected.linear("proj_out", inner, patch_t * patch * patch * out);
  const auto blocks = [&](const char* key, int fallback, const std::string& name, const Widths& block_widths,
                          auto block) {
    const int count = config.integer_between(key, fallback, 0, kMaxLayers);
    for (int i = 0; i < count; ++i) block(expected, name + "." + std::to_string(i), block_widths);
  };
  blocks("num_refiner_layers", 2, "context_embedder.token_refiner.refiner_blocks", refiner, refiner_block);
  blocks("num_layers", 20, "transformer_blocks", widths, double_block);
  blocks("num_single_layers", 40, "single_transformer_blocks", widths, single_block);
  return expected;
}

}  // namespace reelfarm::weights::detail

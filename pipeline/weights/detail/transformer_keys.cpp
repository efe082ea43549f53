#include "pipeline/weights/detail/key_map.hpp"

namespace reelfarm::weights::detail {
namespace {

/// A layer of weight and bias, or (names with an ending) one tensor.
struct Row {
  const char* tencent;
  const char* comfy;
  std::vector<const char*> ours;
  Cut cut = Cut::whole;
  bool optional = false;
};

const std::vector<Row>& outer_rows() {
  static const std::vector<Row> rows{
      {"img_in.proj", "img_in.proj", {"x_embedder.proj"}, Cut::patch},
      {"time_in.mlp.0", "time_in.in_layer", {"time_text_embed.timestep_embedder.linear_1"}},
      {"time_in.mlp.2", "time_in.out_layer", {"time_text_embed.timestep_embedder.linear_2"}},
      {"vector_in.in_layer", "vector_in.in_layer", {"time_text_embed.text_embedder.linear_1"}},
      {"vector_in.out_layer", "vector_in.out_layer", {"time_text_embed.text_embedder.linear_2"}},
      {"guidance_in.mlp.0", "guidance_in.in_layer", {"time_text_embed.guidance_embedder.linear_1"}, Cut::whole, true},
      {"guidance_in.mlp.2", "guidance_in.out_layer", {"time_text_embed.guidance_embedder.linear_2"}, Cut::whole, true},
      {"txt_in.input_embedder", "txt_in.input_embedder", {"context_embedder.proj_in"}},
      {"txt_in.t_embedder.mlp.0",
       "txt_in.t_embedder.in_layer",
       {"context_embedder.time_text_embed.timestep_embedder.linear_1"}},
      {"txt_in.t_embedder.mlp.2",
       "txt_in.t_embedder.out_layer",
       {"context_embedder.time_text_embed.timestep_embedder.linear_2"}},
      {"txt_in.c_embedder.linear_1",
       "txt_in.c_embedder.in_layer",
       {"context_embedder.time_text_embed.text_embedder.linear_1"}},
      {"txt_in.c_embedder.linear_2",
       "txt_in.c_embedder.out_layer",
       {"context_embedder.time_text_embed.text_embedder.linear_2"}},
      {"final_layer.adaLN_modulation.1", "final_layer.adaLN_modulation.1", {"norm_out.linear"}, Cut::swapped},
      {"final_layer.linear", "final_layer.linear", {"proj_out"}},
  };
  return rows;
}

const std::vector<Row>& refiner_rows() {
  static const std::vector<Row> rows{
      {"norm1", "norm1", {"norm1"}},
      {"norm2", "norm2", {"norm2"}},
      {"self_attn_qkv", "self_attn.qkv", {"attn.to_q", "attn.to_k", "attn.to_v"}, Cut::thirds},
      {"self_attn_proj", "self_attn.proj", {"attn.to_out.0"}},
      {"mlp.fc1", "mlp.0", {"ff.net.0.proj"}},
      {"mlp.fc2", "mlp.2", {"ff.net.2"}},
      {"adaLN_modulation.1", "adaLN_modulation.1", {"norm_out.linear"}},
  };
  return rows;
}

const std::vector<Row>& double_rows() {
  static const std::vector<Row> rows{
      {"img_mod.linear", "img_mod.lin", {"norm1.linear"}},
      {"img_attn_qkv", "img_attn.qkv", {"attn.to_q", "attn.to_k", "attn.to_v"}, Cut::thirds},
      {"img_attn_q_norm.weight", "img_attn.norm.query_norm.scale", {"attn.norm_q.weight"}},
      {"img_attn_k_norm.weight", "img_attn.norm.key_norm.scale", {"attn.norm_k.weight"}},
      {"img_attn_proj", "img_attn.proj", {"attn.to_out.0"}},
      {"img_mlp.fc1", "img_mlp.0", {"ff.net.0.proj"}},
      {"img_mlp.fc2", "img_mlp.2", {"ff.net.2"}},
      {"txt_mod.linear", "txt_mod.lin", {"norm1_context.linear"}},
      {"txt_attn_qkv", "txt_attn.qkv", {"attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"}, Cut::thirds},
      {"txt_attn_q_norm.weight", "txt_attn.norm.query_norm.scale", {"attn.norm_added_q.weight"}},
      {"txt_attn_k_norm.weight", "txt_attn.norm.key_norm.scale", {"attn.norm_added_k.weight"}},
      {"txt_attn_proj", "txt_attn.proj", {"attn.to_add_out"}},
      {"txt_mlp.fc1", "txt_mlp.0", {"ff_context.net.0.proj"}},
      {"txt_mlp.fc2", "txt_mlp.2", {"ff_context.net.2"}},
  };
  return rows;
}

const std::vector<Row>& single_rows() {
  static const std::vector<Row> rows{
      {"modulation.linear", "modulation.lin", {"norm.linear"}},
      {"linear1", "linear1", {"attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"}, Cut::linear1},
      {"linear2", "linear2", {"proj_out"}},
      {"q_norm.weight", "norm.query_norm.scale", {"attn.norm_q.weight"}},
      {"k_norm.weight", "norm.key_norm.scale", {"attn.norm_k.weight"}},
  };
  return rows;
}

bool is_tensor(std::string_view name) {
  return name.ends_with(".weight");
}

void add(KeyMap& map, const std::vector<Row>& rows, TransformerNames names, const std::string& their_scope,
         const std::string& our_scope) {
  for (const Row& row : rows) {
    const std::string theirs = their_scope + (names == TransformerNames::tencent ? row.tencent : row.comfy);
    const auto rule = [&](const char* ending) {
      KeyRule made{{}, row.cut, row.optional};
      for (const char* ours : row.ours) made.ours.push_back(our_scope + ours + ending);
      return made;
    };
    if (is_tensor(row.tencent)) {
      map.emplace(theirs, rule(""));
      continue;
    }
    map.emplace(theirs + ".weight", rule(".weight"));
    KeyRule bias = rule(".bias");
    if (bias.cut == Cut::patch) bias.cut = Cut::whole;
    map.emplace(theirs + ".bias", std::move(bias));
  }
}

void add_layers(KeyMap& map, const std::vector<Row>& rows, TransformerNames names, const std::string& theirs,
                const std::string& ours, int count) {
  for (int i = 0; i < count; ++i)
    add(map, rows, names, theirs + std::to_string(i) + ".", ours + std::to_string(i) + ".");
}

}  // namespace

KeyMap transformer_keys(TransformerNames names, const LayerCounts& layers) {
  KeyMap map;
  add(map, outer_rows(), names, "", "");
  add_layers(map, refiner_rows(), names, "txt_in.individual_token_refiner.blocks.",
             "context_embedder.token_refiner.refiner_blocks.", layers.refiner);
  add_layers(map, double_rows(), names, "double_blocks.", "transformer_blocks.", layers.twofold);
  add_layers(map, single_rows(), names, "single_blocks.", "single_transformer_blocks.", layers.single);
  return map;
}

}  // namespace reelfarm::weights::detail

#include "pipeline/weights/detail/key_map.hpp"

namespace reelfarm::weights::detail {
namespace {

/// Adds weight and bias under the names of latent diffusion, or under those of diffusers.
class Adder {
 public:
  Adder(KeyMap& map, VaeNames names) : map_(map), names_(names) {}

  void layer(const std::string& ldm, const std::string& ours, Cut weight = Cut::whole) {
    add(names_ == VaeNames::ldm ? ldm : ours, ours, names_ == VaeNames::ldm ? weight : Cut::whole);
  }

  void resnet(const std::string& ldm, const std::string& ours, bool shortcut) {
    for (const char* part : {".norm1", ".conv1.conv", ".norm2", ".conv2.conv"}) layer(ldm + part, ours + part);
    if (!shortcut) return;
    const std::string theirs = names_ == VaeNames::ldm ? ldm + ".nin_shortcut.conv" : ours + ".conv_shortcut.conv";
    add(theirs, ours + ".conv_shortcut.conv", Cut::whole, true);
  }

  void middle(const std::string& side) {
    const std::string ldm = side + ".mid.", ours = side + ".mid_block.";
    resnet(ldm + "block_1", ours + "resnets.0", false);
    resnet(ldm + "block_2", ours + "resnets.1", false);
    const std::string their_attention = ldm + "attn_1.", attention = ours + "attentions.0.";
    layer(their_attention + "norm", attention + "group_norm");
    constexpr const char* kParts[][3] = {
        {"q", "query", "to_q"}, {"k", "key", "to_k"}, {"v", "value", "to_v"}, {"proj_out", "proj_attn", "to_out.0"}};
    for (const auto& [short_name, old_name, name] : kParts) {
      if (names_ == VaeNames::ldm)
        add(their_attention + short_name, attention + name, Cut::matrix);
      else
        add(attention + old_name, attention + name, Cut::whole);
    }
  }

 private:
  void add(const std::string& theirs, const std::string& ours, Cut weight, bool optional = false) {
    map_.emplace(theirs + ".weight", KeyRule{{ours + ".weight"}, weight, optional});
    map_.emplace(theirs + ".bias", KeyRule{{ours + ".bias"}, Cut::whole, optional});
  }

  KeyMap& map_;
  VaeNames names_;
};

}  // namespace

KeyMap vae_keys(VaeNames names, int levels, int blocks) {
  KeyMap map;
  Adder adder(map, names);
  adder.layer("quant_conv", "quant_conv");
  adder.layer("post_quant_conv", "post_quant_conv");
  for (const char* name : {"encoder", "decoder"}) {
    const std::string side = name;
    adder.layer(side + ".conv_in.conv", side + ".conv_in.conv");
    adder.layer(side + ".norm_out", side + ".conv_norm_out");
    adder.layer(side + ".conv_out.conv", side + ".conv_out.conv");
    adder.middle(side);
  }
  // The picture is halved three times, on the levels that come first.
  const int samplers = levels - 1;
  for (int level = 0; level < levels; ++level) {
    const std::string ours = std::to_string(level), theirs = std::to_string(levels - 1 - level);
    const std::string down = "encoder.down." + ours, our_down = "encoder.down_blocks." + ours;
    const std::string up = "decoder.up." + theirs, our_up = "decoder.up_blocks." + ours;
    for (int block = 0; block < blocks; ++block)
      adder.resnet(down + ".block." + std::to_string(block), our_down + ".resnets." + std::to_string(block),
                   block == 0);
    for (int block = 0; block < blocks + 1; ++block)
      adder.resnet(up + ".block." + std::to_string(block), our_up + ".resnets." + std::to_string(block), block == 0);
    if (level >= samplers) continue;
    adder.layer(down + ".downsample.conv.conv", our_down + ".downsamplers.0.conv.conv");
    adder.layer(up + ".upsample.conv.conv", our_up + ".upsamplers.0.conv.conv");
  }
  return map;
}

}  // namespace reelfarm::weights::detail

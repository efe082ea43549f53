#include <algorithm>

#include "pipeline/weights/detail/expected_tensors.hpp"

namespace reelfarm::weights::detail {
namespace {

constexpr int kMaxChannels = 1 << 16;
constexpr int kMaxLayers = 100;

void resnet(ExpectedTensors& expected, const std::string& name, std::int64_t in, std::int64_t out) {
  expected.norm(name + ".norm1", in);
  expected.conv3d(name + ".conv1.conv", in, out, 3, 3);
  expected.norm(name + ".norm2", out);
  expected.conv3d(name + ".conv2.conv", out, out, 3, 3);
  if (in != out) expected.conv3d(name + ".conv_shortcut.conv", in, out, 1, 1);
}

void mid_block(ExpectedTensors& expected, const std::string& name, std::int64_t channels, bool attention) {
  resnet(expected, name + ".resnets.0", channels, channels);
  resnet(expected, name + ".resnets.1", channels, channels);
  if (!attention) return;
  expected.norm(name + ".attentions.0.group_norm", channels);
  for (const char* part : {"to_q", "to_k", "to_v", "to_out.0"})
    expected.linear(name + ".attentions.0." + part, channels, channels);
}

/// Blocks from `channels.front()` on; all but the last that change the resolution end with a convolution.
void blocks(ExpectedTensors& expected, const std::string& name, const std::string& sampler,
            const std::vector<std::int64_t>& channels, int resnets, int samplers) {
  std::int64_t in = channels.front();
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const std::string block = name + "." + std::to_string(i);
    const std::int64_t out = channels[i];
    for (int j = 0; j < resnets; ++j) resnet(expected, block + ".resnets." + std::to_string(j), j == 0 ? in : out, out);
    if (static_cast<int>(i) < samplers) expected.conv3d(block + "." + sampler + ".0.conv.conv", out, out, 3, 3);
    in = out;
  }
}

}  // namespace

ExpectedTensors expected_vae(const Config& config) {
  const std::int64_t in = config.integer_between("in_channels", 3, 1, kMaxChannels);
  const std::int64_t out = config.integer_between("out_channels", 3, 1, kMaxChannels);
  const std::int64_t latent = config.integer_between("latent_channels", 16, 1, kMaxChannels);
  const int layers = config.integer_between("layers_per_block", 2, 1, kMaxLayers);
  const bool attention = config.flag("mid_block_add_attention", true);
  std::vector<std::int64_t> channels = config.has("block_out_channels") ? config.integers("block_out_channels")
                                                                        : std::vector<std::int64_t>{128, 256, 512, 512};
  if (channels.empty() ||
      std::any_of(channels.begin(), channels.end(), [](auto c) { return c < 1 || c > kMaxChannels; }))
    config.fail("block_out_channels", "expected numbers of channels");
  // Three halvings of the picture; the two of time fall on blocks that halve the picture as well.
  const int samplers = std::min<int>(3, static_cast<int>(channels.size()));

  ExpectedTensors expected;
  expected.conv3d("encoder.conv_in.conv", in, channels.front(), 3, 3);
  blocks(expected, "encoder.down_blocks", "downsamplers", channels, layers, samplers);
  mid_block(expected, "encoder.mid_block", channels.back(), attention);
  expected.norm("encoder.conv_norm_out", channels.back());
  expected.conv3d("encoder.conv_out.conv", channels.back(), 2 * latent, 3, 3);
  expected.conv3d("quant_conv", 2 * latent, 2 * latent, 1, 1);
  expected.conv3d("post_quant_conv", latent, latent, 1, 1);

  std::reverse(channels.begin(), channels.end());
  expected.conv3d("decoder.conv_in.conv", latent, channels.front(), 3, 3);
  mid_block(expected, "decoder.mid_block", channels.front(), attention);
  blocks(expected, "decoder.up_blocks", "upsamplers", channels, layers + 1, samplers);
  expected.norm("decoder.conv_norm_out", channels.back());
  expected.conv3d("decoder.conv_out.conv", channels.back(), out, 3, 3);
  return expected;
}

}  // namespace reelfarm::weights::detail

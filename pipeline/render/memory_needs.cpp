#include "pipeline/render/memory_needs.hpp"

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string_view>

#include "pipeline/dit/config.hpp"
#include "pipeline/quant/linear.hpp"
#include "pipeline/vae/config.hpp"
#include "pipeline/vae/tile_plan.hpp"
#include "pipeline/weights/tensor_source.hpp"

namespace reelfarm::render {
namespace {

/// Rows of (tokens, width) in the compute type that a forward has at once: the tokens, q, k, v, five of the block's
/// hidden rows, the norm's, attention's and the product's result. Measured at 43,096 tokens: 12.6; with the copies in 8
/// bits 15.4.
constexpr double kForwardRows = 13.5;
constexpr double kForwardRows8Bits = 16.5;
/// Of the VAE with 128 channels per pixel and frame of a tile, in 16 bits: 1,297 to 1,354 measured with 17, 33 and 81
/// frames of 960x544.
constexpr double kBytesOfTilePixel = 1400;
constexpr int kTextTokens = 256;  // as models are published
constexpr std::int64_t kPixelBytes =
    std::int64_t{3} * (4 + 4);  // of a decoded frame: blended in fp32, and its tile's own

/// The number behind `list` in the tensor's name: "layers.12.mlp" -> 12.
std::optional<std::int64_t> layer_of(std::string_view name, std::string_view list) {
  const std::size_t at = name.find(list);
  if (at == std::string_view::npos || (at > 0 && name[at - 1] != '.')) return std::nullopt;
  const std::string_view rest = name.substr(at + list.size());
  const std::string_view digits = rest.substr(0, rest.find('.'));
  if (digits.empty() || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return std::stoll(std::string(digits));
}

std::int64_t elements(const weights::TensorInfo& tensor) {
  return static_cast<std::int64_t>(tensor.element_count());
}

bool is_modulation(std::string_view name) {
  constexpr std::string_view kLinears[] = {".norm1.linear.", ".norm1_context.linear.", ".norm.linear."};
  return std::ranges::any_of(kLinears,
                             [&](std::string_view part) { return name.find(part) != std::string_view::npos; });
}

LayerBytes transformer_bytes(const weights::TensorSource& tensors, const nn::Placement& placement) {
  const auto width = static_cast<std::int64_t>(c10::elementSize(placement.dtype));
  LayerBytes bytes;
  std::map<std::int64_t, std::int64_t> double_blocks, single_blocks;
  for (const std::string& name : tensors.names()) {
    const weights::TensorInfo& tensor = tensors.at(name);
    if (is_modulation(name)) {
      // A bias goes with its weight.
      if (tensor.shape.size() == 2) bytes.modulation.push_back((elements(tensor) + tensor.shape[0]) * width);
      continue;
    }
    if (name.ends_with(".lora_down.weight") || name.ends_with(".lora_up.weight")) {
      bytes.around += elements(tensor) * width;  // never streamed, nor in 8 bits
      continue;
    }
    const auto in_single = layer_of(name, "single_transformer_blocks.");
    const auto in_double = in_single ? std::nullopt : layer_of(name, "transformer_blocks.");
    const bool eight_bits = placement.quantisation != nn::Quantisation::none && tensor.shape.size() == 2;
    const auto scale_bytes = static_cast<std::int64_t>(sizeof(float));
    const std::int64_t in_block =
        eight_bits ? elements(tensor) + tensor.shape[0] * scale_bytes : elements(tensor) * width;
    if (in_single) {
      single_blocks[*in_single] += in_block;
    } else if (in_double && !name.starts_with("context_embedder.")) {
      double_blocks[*in_double] += in_block;
    } else {
      bytes.around += elements(tensor) * width;
    }
  }
  for (const auto* blocks : {&double_blocks, &single_blocks}) {
    for (const auto& [index, size] : *blocks) bytes.layers.push_back(size);
  }
  return bytes;
}

/// Language models by layer; their vision towers, projectors and CLIP lie around them.
LayerBytes encoder_bytes(const weights::Bundle& bundle, const nn::Placement& placement) {
  const auto width = static_cast<std::int64_t>(c10::elementSize(placement.dtype));
  const weights::BundleManifest& manifest = bundle.manifest();
  std::set<std::string> components{"text_encoder_2"};
  if (manifest.prompt) components.insert(manifest.prompt->encoder);
  if (manifest.image_prompt) components.insert(manifest.image_prompt->encoder);
  if (manifest.t2i) components.insert(manifest.t2i->prompt.encoder);
  LayerBytes bytes;
  for (const std::string& component : components) {
    const auto tensors = bundle.tensors(component);
    std::map<std::int64_t, std::int64_t> layers;
    for (const std::string& name : tensors->names()) {
      if (name.find("lm_head.") != std::string::npos) continue;
      const std::int64_t size = elements(tensors->at(name)) * width;
      const bool seeing = name.find("vision") != std::string::npos;
      const auto layer = seeing || component == "text_encoder_2" ? std::nullopt : layer_of(name, "layers.");
      if (layer) {
        layers[*layer] += size;
      } else if (name.ends_with("embed_tokens.weight")) {
        bytes.tables += size;
      } else {
        bytes.around += size;
      }
    }
    for (const auto& [index, size] : layers) bytes.layers.push_back(size);
  }
  return bytes;
}

std::int64_t largest(const std::vector<vae::AxisTile>& tiles) {
  std::int64_t most = 0;
  for (const vae::AxisTile& tile : tiles) most = std::max(most, tile.input_end - tile.input_begin);
  return most;
}

}  // namespace

std::int64_t LayerBytes::all() const {
  return on_device(nn::kAllLayers);
}

std::int64_t LayerBytes::on_device(std::int64_t resident) const {
  std::int64_t bytes = around;
  std::set<std::int64_t> streamed;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (static_cast<std::int64_t>(i) < resident) {
      bytes += layers[i];
    } else {
      streamed.insert(layers[i]);  // layers of one kind are of one size
    }
  }
  if (resident == nn::kAllLayers) {
    bytes += tables + std::accumulate(modulation.begin(), modulation.end(), std::int64_t{0});
  } else {
    streamed.insert(modulation.begin(), modulation.end());
  }
  for (const std::int64_t size : streamed) bytes += 2 * size;
  return bytes;
}

std::int64_t LayerBytes::on_host(std::int64_t resident) const {
  if (resident == nn::kAllLayers) return 0;
  // LibTorch takes pinned memory in powers of two.
  const auto taken = [](std::int64_t size) {
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(size)));
  };
  std::int64_t bytes = 0;
  for (auto i = std::min<std::int64_t>(resident, std::ssize(layers)); i < std::ssize(layers); ++i) {
    bytes += taken(layers[static_cast<std::size_t>(i)]);
  }
  for (const std::int64_t size : modulation) bytes += taken(size);
  return bytes;
}

MemoryNeeds memory_needs(const weights::Bundle& bundle, const MemoryRequest& request, const nn::Placement& placement,
                         const std::string& tiles) {
  const weights::BundleManifest& manifest = bundle.manifest();
  const auto bytes = static_cast<double>(c10::elementSize(placement.dtype));
  MemoryNeeds needs;
  const dit::DitConfig config = dit::DitConfig::from_file(bundle.folder("transformer") / "config.json");
  needs.video = transformer_bytes(*bundle.tensors("transformer"), placement);
  if (manifest.t2i) needs.image = transformer_bytes(*bundle.tensors("transformer_t2i"), placement);
  needs.encoders = encoder_bytes(bundle, placement);
  needs.vae = static_cast<std::int64_t>(bundle.tensors("vae")->total_bytes());

  const std::int64_t latents = (request.frames - 1) / manifest.vae_scale_temporal + 1;
  const std::int64_t rows = request.height / manifest.vae_scale_spatial;
  const std::int64_t columns = request.width / manifest.vae_scale_spatial;
  const std::int64_t patch = config.patch_size * config.patch_size * config.patch_size_t;
  const std::int64_t tokens = latents * rows * columns / patch / request.ranks + kTextTokens;
  const bool rows_in_8_bits = quant::of_rows(placement.quantisation) != nn::Quantisation::none;
  needs.denoise = static_cast<std::int64_t>((rows_in_8_bits ? kForwardRows8Bits : kForwardRows) * bytes *
                                            static_cast<double>(tokens * config.width()));
  if (placement.quantisation == nn::Quantisation::w8a8) {
    needs.denoise += quant::bytes_of_sums(tokens, std::max(config.width(), config.mlp_width()));
  }
  // Of the image's tokens q, k and v, and the result (parallel/sequence_attention.hpp).
  constexpr double kExchangedRows = 4;
  if (request.ranks > 1) {
    needs.exchange = static_cast<std::int64_t>(kExchangedRows * bytes * static_cast<double>(tokens * config.width()));
  }
  const vae::VaeConfig vae = vae::VaeConfig::load(bundle.folder("vae"));
  const double of_pixel = kBytesOfTilePixel * bytes / 2 * static_cast<double>(vae.block_out_channels.front()) / 128;
  const auto of_tiles = [&](std::int64_t frames, std::int64_t height, std::int64_t width) {
    return static_cast<std::int64_t>(of_pixel * static_cast<double>(frames * height * width));
  };
  const vae::TilePlan decode = vae::decode_plan(vae, tiles, latents, rows, columns);
  const std::int64_t tile_frames = (largest(decode.frames) - 1) * manifest.vae_scale_temporal + 1;
  needs.decode = of_tiles(tile_frames, largest(decode.rows) * manifest.vae_scale_spatial,
                          largest(decode.columns) * manifest.vae_scale_spatial) +
                 kPixelBytes * tile_frames * request.height * request.width;
  const std::int64_t given = *std::ranges::max_element(manifest.overlap_frames);
  const vae::TilePlan encode = vae::encode_plan(vae, tiles, given, request.height, request.width);
  needs.encode = of_tiles(largest(encode.frames), largest(encode.rows), largest(encode.columns));
  return needs;
}

}  // namespace reelfarm::render

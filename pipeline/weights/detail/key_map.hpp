#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights::detail {

/// What has to be done to a published tensor.
enum class Cut {
  whole,    ///< nothing
  thirds,   ///< rows of query, key, value -> three tensors
  linear1,  ///< rows of query, key, value (a width each) and MLP (the rest) -> four tensors
  swapped,  ///< rows of shift, scale -> scale, shift
  matrix,   ///< a convolution of 1 x 1 x 1 -> a matrix
  patch,    ///< (width, ...) -> (width, channels, 1, 2, 2), for files that cannot have five dimensions
};

/// One published tensor and what becomes of it.
struct KeyRule {
  std::vector<std::string> ours;  ///< names of diffusers, in the order of the rows
  Cut cut = Cut::whole;
  bool optional = false;
};

/// All tensors of a model under their published names.
using KeyMap = std::map<std::string, KeyRule, std::less<>>;

/// How the tensors of a transformer are named.
enum class TransformerNames { tencent, comfy };

/// Layers of a transformer, as its names count them.
struct LayerCounts {
  int twofold = 0, single = 0, refiner = 0;
};

/// HunyuanVideo's transformer. Sources: Tencent/HunyuanVideo hyvideo/modules, diffusers 0.42.1
/// loaders/single_file_utils.py; ComfyUI comfy/supported_models.py (HunyuanVideo) for its names.
KeyMap transformer_keys(TransformerNames names, const LayerCounts& layers);

/// How the tensors of a VAE are named where diffusers names them otherwise.
enum class VaeNames {
  ldm,           ///< latent diffusion's: down, up (counted from the smallest picture), mid.block_1
  old_attention  ///< those of diffusers, but for query, key, value, proj_attn
};

/// HunyuanVideo's VAE with so many levels and residual blocks a level (of the encoder; the decoder has one more).
KeyMap vae_keys(VaeNames names, int levels, int blocks);

/// The tensors that a published one becomes. `width` is the model's. Rows are cut out of the mapped file; no data is
/// read. Throws WeightError for a shape that cannot be cut so.
std::vector<TensorInfo> cut(const TensorInfo& tensor, const KeyRule& rule, std::int64_t width);

}  // namespace reelfarm::weights::detail

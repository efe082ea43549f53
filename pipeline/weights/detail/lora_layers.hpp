#pragma once

#include <string>
#include <vector>

#include "pipeline/weights/detail/key_map.hpp"
#include "pipeline/weights/tensor_file.hpp"

namespace reelfarm::weights::detail {

/// The two factors of one published layer.
struct LoraLayer {
  std::string name;  ///< in the file, without what says which factor it is
  KeyRule rule;      ///< the weights of ours that it changes, and how the rows of `up` are cut for them
  TensorInfo up, down;
  double factor = 1.0;  ///< alpha / rank, 1 where the file has no alpha
};

struct LoraLayers {
  std::string form;  ///< for messages: "a LoRA with kohya's names (lora_unet_*)"
  std::vector<LoraLayer> layers;
};

/// The layers of a LoRA for the transformer with these tensors (names of diffusers). Throws WeightError as
/// with_loras().
LoraLayers lora_layers(const TensorFile& file, const std::vector<TensorInfo>& transformer);

}  // namespace reelfarm::weights::detail

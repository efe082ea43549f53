#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "pipeline/weights/tensor.hpp"

namespace reelfarm::weights {

/// A file of low-rank additions to a transformer (arXiv 2106.09685) and how strongly they are added.
struct Lora {
  std::filesystem::path file;
  double scale = 1.0;
  /// Left beside the products of the transformer's blocks, whose weights then stay as they are: y = W x + up (down x).
  /// Other layers have it added.
  bool apart = false;
};

/// "FILE" or "FILE:scale". Throws WeightError for a file that is not there and for a scale that is no finite number.
Lora parse_lora(const std::string& text);
std::vector<Lora> parse_loras(const std::vector<std::string>& texts);

/// The transformer's tensors, under the names of diffusers, with scale * alpha / rank * up * down of every LoRA added
/// as they are read (detail/add_low_rank.hpp), or beside them as "X.lora_down.weight" (ranks, columns) and
/// "X.lora_up.weight" (rows, ranks, times all factors) for the "X.weight" of which some are kept apart. A LoRA's layers
/// may be named as kohya's scripts, ComfyUI, diffusers or PEFT do (docs/weights.md). Throws WeightError that says which
/// form was assumed and lists the first ten names that are unknown, have no partner, or do not fit; of a LoRA for
/// another model also which one it looks like.
std::vector<TensorInfo> with_loras(const std::vector<TensorInfo>& transformer, const std::vector<Lora>& loras);

/// What decides the bits: a line "SHA-256 scale", or "SHA-256 scale apart", each, in their order. Reads the files, or
/// the cache of bundle_hash().
std::string identity_of(const std::vector<Lora>& loras, const std::filesystem::path& cache_file = {});

}  // namespace reelfarm::weights

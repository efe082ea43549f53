#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "pipeline/weights/errors.hpp"
#include "pipeline/weights/lora.hpp"

namespace reelfarm::weights {

/// What to make a bundle of.
struct ConvertRequest {
  /// A bundle; Tencent's folder (transformers/, vae/); a file or folder with a transformer, a VAE, or a part of a
  /// transformer to be laid over that of the base.
  std::filesystem::path source;
  std::filesystem::path target;          ///< must not be there
  std::filesystem::path base;            ///< a bundle that gives what the source has not; empty: none
  std::filesystem::path vae;             ///< file or folder in the place of the base's; empty: none
  std::filesystem::path text_encoder;    ///< folder of a Llama or LLaVA with its tokenizer; empty: none
  std::filesystem::path text_encoder_2;  ///< folder of a CLIP with its tokenizer; empty: none
  std::string variant;                   ///< "t2v" or "token-replace" where the tensors leave a choice
  std::string name;                      ///< empty: of the folder
  std::vector<Lora> loras;               ///< added to the video transformer
  bool distilled = false;                ///< made for few steps
  std::optional<int> steps;              ///< defaults of a job, as all below
  std::optional<double> shift, guidance;
  std::uint64_t shard_bytes = std::uint64_t{5} * 1000 * 1000 * 1000;
  /// Called before a part is written, with its name and bytes.
  std::function<void(const std::string&, std::uint64_t)> on_part = nullptr;
  /// Called with the bytes of each tensor that was written.
  std::function<void(std::uint64_t)> on_bytes = nullptr;
};

/// Writes a bundle in the layout and with the names of diffusers, tensor by tensor: beside mapped pages memory holds
/// the largest tensor. Everything is checked before the first byte is written, and the bundle appears under its name
/// when all of it is on the disk; a failure leaves nothing there. Weights that need no change are hard links where the
/// file system lets them. Throws WeightError.
void convert(const ConvertRequest& request);

}  // namespace reelfarm::weights

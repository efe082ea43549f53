#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "pipeline/weights/detail/bundle_recipe.hpp"

namespace reelfarm::weights::detail {

/// Where the parts are in a folder as Tencent's instructions lay it out; empty paths for parts that are not there.
struct PublishedFolder {
  std::filesystem::path transformer, vae, text_encoder, text_encoder_2;
};

/// hunyuan-video-*/ with transformers/ and vae/, or the folder above it with one of these; text encoders lie beside it
/// (Tencent/HunyuanVideo ckpts/README.md: text_encoder or text_encoder_i2v, text_encoder_2). Nothing for another
/// folder.
std::optional<PublishedFolder> published_folder(const std::filesystem::path& folder);

/// Parts of a bundle that a text encoder's own folder holds: the encoder, its tokenizer, and for a LLaVA the image
/// processor.
struct EncoderParts {
  std::map<std::string, PlannedPart> parts;
  std::string class_name;
};

/// `name`: "text_encoder" for a Llama or LLaVA, "text_encoder_2" for a CLIP, of which the text half is taken. Throws
/// WeightError for a folder of another model.
EncoderParts encoder_parts(const std::filesystem::path& folder, const std::string& name);

}  // namespace reelfarm::weights::detail

#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/weights/config.hpp"
#include "pipeline/weights/manifest.hpp"

namespace reelfarm::weights::detail {

/// Component name -> class name, as model_index.json lists them (components that are null are left out).
using ComponentClasses = std::map<std::string, std::string>;

/// Finds the family. Throws WeightError that lists the known architectures.
Family detect_family(const Config& index, const ComponentClasses& classes, const Config& transformer,
                     const Config& vae);

/// Refuses a "transformer", "transformer_t2i" or "vae" whose config.json names another class than this program's; one
/// that names none passes. Weights of another architecture would be found out by their tensors only, one by one. Throws
/// WeightError.
void check_class(const Config& part, std::string_view component);

/// The settings of a family's published weights. `llava` is the configuration of the encoder that sees the image, or
/// nullptr when none does.
BundleManifest family_defaults(Family family, const Config* llava);

/// Defaults for a prompt that goes through a Llama alone: template and crop of HunyuanVideo's text-to-video.
PromptSettings video_prompt_defaults();

/// The same for one image: template and crop of HunyuanVideo's text-to-image.
PromptSettings image_prompt_defaults();

/// Components that a bundle of this family must have, in the order of the pipeline.
std::vector<std::string> expected_components(Family family, const ComponentClasses& classes);

}  // namespace reelfarm::weights::detail

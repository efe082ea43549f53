#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>

#include "pipeline/video/image.hpp"

namespace reelfarm::image {

/// What colour a latent stands for, as if the VAE were linear: for R, G and B a weight of each of its 16 channels and
/// what is added; from -1 (black) to 1.
struct LatentColours {
  static constexpr int kChannels = 16;
  std::array<std::array<double, kChannels + 1>, 3> weights{};
};

/// Of HunyuanVideo's VAE, on latents as scaled for the transformer. Source of the figures: comfy/latent_formats.py of
/// ComfyUI (class HunyuanVideo).
LatentColours published_colours();

/// The ones that come closest to what a VAE made of its latents: least squares over the last latent of a window's
/// tail.safetensors ("latents" (1, 16, c, h, w) f32, "frames" (F, H, W, 3) u8) and the last of its frames. Throws
/// weights::WeightError, for a tail of other shapes too.
LatentColours fitted_colours(const std::filesystem::path& tail);

/// The newest latents.safetensors in the folders of `steps` (worker/ranks/kept_work.hpp) that is of this task.
std::optional<std::filesystem::path> kept_latents(const std::filesystem::path& steps, const std::string& task);

/// The last latent of a window in these colours, a pixel each. Throws weights::WeightError.
video::Image picture_of(const std::filesystem::path& latents, const LatentColours& colours);

}  // namespace reelfarm::image

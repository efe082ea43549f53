#pragma once

#include <cstdint>

#include "pipeline/nn/placement.hpp"

namespace reelfarm::render {

/// Which weights stay on a GPU, and what may run there at once. Changes no bit of a result.
struct Residency {
  /// Of the video transformer; the others are streamed, and so is the modulation unless this is kAllLayers.
  std::int64_t video_blocks = nn::kAllLayers;
  std::int64_t image_blocks = nn::kAllLayers;  ///< of the text-to-image transformer
  bool encoders = true;                        ///< false: their layers are streamed, once a prompt
  bool decode_beside = true;                   ///< false: a window is decoded when no other one is denoised

  static nn::Placement placed(nn::Placement placement, std::int64_t layers) {
    placement.resident_layers = layers;
    return placement;
  }
};

}  // namespace reelfarm::render

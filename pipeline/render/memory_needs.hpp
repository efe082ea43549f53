#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pipeline/render/memory_plan.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// Bytes of a row of layers, and of what is around them.
struct LayerBytes {
  std::int64_t around = 0;
  std::vector<std::int64_t> layers;
  std::vector<std::int64_t> modulation;  ///< stays with kAllLayers alone
  std::int64_t tables = 0;               ///< likewise; else rows of them are looked up in host memory

  std::int64_t all() const;
  /// On the device, of which `resident` layers stay there: with the two slots of each kind of layer that is streamed.
  std::int64_t on_device(std::int64_t resident) const;
  /// In host memory.
  std::int64_t on_host(std::int64_t resident) const;
};

/// What a bundle takes on a GPU in one placement and tile plan.
struct MemoryNeeds {
  LayerBytes video, image, encoders;  ///< image: empty without a text-to-image transformer
  std::int64_t vae = 0;               ///< weights
  std::int64_t denoise = 0;           ///< activations of one forward
  std::int64_t exchange = 0;          ///< that other ranks of the group write in, as long as the group lives
  std::int64_t encode = 0;            ///< of the VAE, of the frames that a window is given
  std::int64_t decode = 0;            ///< of the largest tile, with its frames
};

MemoryNeeds memory_needs(const weights::Bundle& bundle, const MemoryRequest& request, const nn::Placement& placement,
                         const std::string& tiles);

}  // namespace reelfarm::render

#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include <ATen/core/Tensor.h>

namespace reelfarm::video {
struct Image;
}

namespace reelfarm::weights {
class Config;
}

namespace reelfarm::text_encoders {

/// Turns a picture into what a CLIP vision tower takes, as transformers' CLIPImageProcessorPil does (before
/// transformers 5 that was CLIPImageProcessor, and what published weights were trained with): bicubic resize, centre
/// crop, rescale, normalise. The resize equals Pillow's (up to version 12; 13 filters some tall pictures in the other
/// order, and then differs by up to 3 of 255, as does the torchvision form of transformers 5, which has 16-bit
/// weights).
class ClipImageProcessor {
 public:
  struct Size {
    std::int64_t height;
    std::int64_t width;
  };

  /// Reads preprocessor_config.json; what it leaves out is CLIP's default (224 pixels). Throws weights::WeightError
  /// naming the field, also for a resampling filter other than bicubic.
  static ClipImageProcessor parse(const weights::Config& source);

  /// -> (1, 3, crop height, crop width) fp32 on the CPU. Throws PromptError for an image more than 64 times as long as
  /// wide (or the reverse).
  at::Tensor operator()(const video::Image& image) const;

 private:
  std::optional<std::int64_t> shortest_edge_ = 224;
  std::optional<Size> resize_;  // instead of the shortest edge
  std::optional<Size> crop_ = Size{224, 224};
  double rescale_ = 1.0 / 255.0;
  bool normalize_ = true;
  std::array<double, 3> mean_{0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std_{0.26862954, 0.26130258, 0.27577711};
};

}  // namespace reelfarm::text_encoders

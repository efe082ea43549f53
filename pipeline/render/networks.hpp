#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>

#include "pipeline/dit/transformer.hpp"
#include "pipeline/nn/placement.hpp"
#include "pipeline/render/residency.hpp"
#include "pipeline/vae/causal_vae.hpp"
#include "pipeline/weights/bundle.hpp"

namespace reelfarm::render {

/// What ranks call the transformers among themselves.
inline constexpr std::size_t kVideoTransformer = 0;
inline constexpr std::size_t kImageTransformer = 1;

/// The networks of a bundle that every rank holds; the text encoders are rank 0's alone.
struct Networks {
  std::unique_ptr<vae::CausalVae> vae;
  std::optional<dit::Transformer> image;  ///< text to image, where the bundle has it
  dit::Transformer video;

  /// kVideoTransformer, or kImageTransformer where there is one.
  const dit::Transformer& at(std::size_t transformer) const;

  /// `on_part` hears the part that is loaded, 0..1. Throws weights::WeightError.
  static Networks load(const weights::Bundle& bundle, const nn::Placement& placement, const Residency& residency = {},
                       const std::function<void(double part)>& on_part = {});
};

}  // namespace reelfarm::render

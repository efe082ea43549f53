#include "pipeline/vae/frames.hpp"

#include <cmath>

namespace reelfarm::vae {

at::Tensor unit_frames(const at::Tensor& sample) {
  at::Tensor frames = sample.squeeze(0).permute({1, 2, 3, 0}).to(at::kFloat).mul(0.5).add_(0.5).clamp_(0.0, 1.0);
  return frames.contiguous();
}

at::Tensor quantise_frames(const at::Tensor& frames) {
  return frames.mul(255.0).round_().to(at::kByte);
}

bool all_finite(const at::Tensor& frames) {
  // Values lie in [0, 1]: their sum is finite when they are.
  return std::isfinite(frames.sum().item<float>());
}

at::Tensor frames_to_sample(const at::Tensor& frames) {
  return frames.to(at::kFloat).div_(255.0).mul_(2.0).sub_(1.0).permute({3, 0, 1, 2}).unsqueeze(0);
}

}  // namespace reelfarm::vae

#include "pipeline/dit/denoiser.hpp"

#include <sstream>
#include <stdexcept>
#include <string>

namespace reelfarm::dit {
namespace {

std::string shape_text(const at::Tensor& tensor) {
  std::ostringstream text;
  text << tensor.sizes();
  return text.str();
}

void check(const DitConfig& config, const schedulers::FlowMatchSchedule& schedule, const at::Tensor& latents,
           const std::optional<LatentCondition>& condition, int first_step) {
  if (latents.dim() != 5 || latents.size(0) != 1 || latents.size(1) != config.out_channels ||
      latents.scalar_type() != at::kFloat) {
    throw std::invalid_argument("dit: latents to denoise have shape " + shape_text(latents) + ", expected (1, " +
                                std::to_string(config.out_channels) + ", L, h, w) in fp32");
  }
  if (first_step < 0 || first_step > schedule.steps()) {
    throw std::invalid_argument("dit: first step " + std::to_string(first_step) + " of " +
                                std::to_string(schedule.steps()));
  }
  if (condition.has_value() != (config.condition != ImageCondition::none)) {
    throw std::invalid_argument(condition.has_value() ? "dit: a text-to-video transformer was given an image condition"
                                                      : "dit: an image-to-video transformer needs an image condition");
  }
  if (!condition.has_value()) return;
  if (condition->latents.sizes() != latents.sizes()) {
    throw std::invalid_argument("dit: condition has shape " + shape_text(condition->latents) + ", latents " +
                                shape_text(latents));
  }
  if (config.condition == ImageCondition::token_replace &&
      condition->mask.sum().item<double>() != static_cast<double>(latents.size(3) * latents.size(4))) {
    throw std::invalid_argument("dit: a token_replace transformer takes exactly one latent frame as condition");
  }
}

}  // namespace

LatentCondition LatentCondition::prefix(const at::Tensor& frames, std::int64_t num_frames) {
  if (frames.dim() != 5 || frames.size(0) != 1 || frames.size(2) < 1 || frames.size(2) > num_frames) {
    throw std::invalid_argument("dit: condition frames of shape " + shape_text(frames) + " for a clip of " +
                                std::to_string(num_frames) + " latent frames; expected (1, C, 1..L, h, w)");
  }
  const auto options = frames.options().dtype(at::kFloat);
  LatentCondition condition{
      at::zeros({1, frames.size(1), num_frames, frames.size(3), frames.size(4)}, options),
      at::zeros({1, 1, num_frames, frames.size(3), frames.size(4)}, options),
  };
  condition.latents.narrow(2, 0, frames.size(2)).copy_(frames);
  condition.mask.narrow(2, 0, frames.size(2)).fill_(1);
  return condition;
}

at::Tensor denoise(const VelocityModel& model, const DitConfig& config, const schedulers::FlowMatchSchedule& schedule,
                   at::Tensor latents, const std::optional<LatentCondition>& condition, int first_step,
                   const StepCallback& on_step) {
  check(config, schedule, latents, condition, first_step);
  const bool concat = config.condition == ImageCondition::latent_concat;
  const bool replace = config.condition == ImageCondition::token_replace;
  const std::int64_t fixed = replace ? 1 : 0;  // leading latent frames that are not integrated
  const std::int64_t moving = latents.size(2) - fixed;
  for (int step = first_step; step < schedule.steps(); ++step) {
    at::Tensor next = latents.clone();
    if (replace) next.narrow(2, 0, fixed).copy_(condition->latents.narrow(2, 0, fixed));
    const at::Tensor input = concat ? at::cat({next, condition->latents, condition->mask}, 1) : next;
    const at::Tensor velocity = model(input, step).to(next.options());
    next.narrow(2, fixed, moving).add_(velocity.narrow(2, fixed, moving), schedule.delta(step));
    latents = next;
    if (on_step) on_step(step, latents);
  }
  return latents;
}

at::Tensor steady_noise(const at::Tensor& noise, const at::Tensor& first_frame) {
  constexpr float kNoise = 0.999F;
  return noise * kNoise + first_frame * (1.0F - kNoise);
}

}  // namespace reelfarm::dit

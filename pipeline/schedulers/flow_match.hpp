#pragma once

#include <vector>

namespace reelfarm::schedulers {

/// The noise levels of a flow-matching sampler, from pure noise (sigma 1) to data (sigma 0).
struct FlowMatchSchedule {
  std::vector<float> sigmas;     // steps + 1 values; the last is 0
  std::vector<float> timesteps;  // steps values, sigma * 1000: what the transformer is told

  int steps() const { return static_cast<int>(timesteps.size()); }
  /// The signed width of a step: next sigma - sigma. Euler: x += velocity * delta(step).
  float delta(int step) const {
    return sigmas[static_cast<std::size_t>(step) + 1] - sigmas[static_cast<std::size_t>(step)];
  }
};

/// sigma_i = shift s / (1 + (shift - 1) s) over s = 1, 1 - 1/steps, ..., 0, in the fp32 steps that diffusers'
/// FlowMatchEulerDiscreteScheduler takes when HunyuanVideo's pipelines call it. 4 steps at shift 5 give 1, .9375,
/// .8333, .625, 0. Throws std::invalid_argument for steps < 1 or a shift that is not positive and finite.
/// Source: arXiv 2403.03206 section 5.3.2 (the shift).
FlowMatchSchedule flow_match_schedule(int steps, double shift);

}  // namespace reelfarm::schedulers

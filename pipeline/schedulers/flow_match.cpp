#include "pipeline/schedulers/flow_match.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

namespace reelfarm::schedulers {

FlowMatchSchedule flow_match_schedule(int steps, double shift) {
  if (steps < 1 || !std::isfinite(shift) || shift <= 0) {
    throw std::invalid_argument("flow matching: steps " + std::to_string(steps) + ", shift " + std::to_string(shift) +
                                "; expected steps >= 1 and a positive shift");
  }
  FlowMatchSchedule schedule;
  const double interval = -1.0 / steps;
  for (int i = 0; i < steps; ++i) {
    // The grid is made in double and rounded, the shift computed in float: the order that the published code has.
    const auto s = static_cast<float>(i * interval + 1.0);
    const float sigma = static_cast<float>(shift) * s / (1.0F + static_cast<float>(shift - 1.0) * s);
    schedule.sigmas.push_back(sigma);
    schedule.timesteps.push_back(sigma * 1000.0F);
  }
  schedule.sigmas.push_back(0.0F);
  return schedule;
}

}  // namespace reelfarm::schedulers

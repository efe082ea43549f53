#pragma once

#include <optional>

#include "queue/job_store.hpp"

namespace reelfarm::coordinator {

/// How long one window takes on this farm, by what it has rendered before.
struct WindowEstimate {
  double seconds = 0;
  int samples = 0;      ///< windows it rests on
  bool scaled = false;  ///< from windows of another size or number of steps
};

/// From the newest done jobs: the mean over windows of the same bundle, size, steps and length; without any, over
/// windows of the same bundle, scaled by pixels, latents and steps. Nothing when the farm has rendered no such window.
std::optional<WindowEstimate> estimate_window(queue::JobStore& store, const queue::Plan& plan);

}  // namespace reelfarm::coordinator

#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "bench/support/timing.hpp"
#include "parallel/process_group.hpp"

namespace reelfarm::bench {

constexpr int kRepeats = 3;

/// What is rendered: sizes of the latents, and text tokens.
struct Clip {
  std::int64_t frames = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t text = 0;
};

/// Collective. The median of runs that all ranks begin together; work() ends when the device has done it.
inline double median_seconds(parallel::ProcessGroup& group, const std::function<void()>& work) {
  std::vector<double> times;
  for (int i = 0; i < kRepeats; ++i) {
    group.barrier();
    times.push_back(seconds(work));
  }
  return median(std::move(times));
}

}  // namespace reelfarm::bench

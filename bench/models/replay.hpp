#pragma once

#include <functional>

#include <c10/core/Device.h>

namespace reelfarm::bench {

/// Seconds of one replay, the best of `rounds`, of all that `work` gives the GPU, recorded as one CUDA graph: what is
/// left once the host launches nothing by itself. `work` must not wait for the GPU. Throws std::runtime_error with the
/// driver's words.
double replay_seconds(c10::Device device, int rounds, const std::function<void()>& work);

}  // namespace reelfarm::bench

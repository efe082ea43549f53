#pragma once

#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>

namespace reelfarm::nn {

/// A copy of a tensor in host memory that is made while the device works on: into pinned memory, on the stream of the
/// thread that asks, behind what that stream has been given before. A tensor on the CPU, or an undefined one, is taken
/// as it is. The source must not be written to before wait() has returned.
class HostCopy {
 public:
  /// Returns at once.
  explicit HostCopy(at::Tensor source);

  /// The copy, once it is whole; of any thread. Throws c10::Error when the device has failed.
  const at::Tensor& wait();

 private:
  at::Tensor source_;
  at::Tensor copy_;
  std::optional<c10::Event> copied_;
};

}  // namespace reelfarm::nn

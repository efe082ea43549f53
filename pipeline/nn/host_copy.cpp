#include "pipeline/nn/host_copy.hpp"

#include <ATen/ops/empty_like.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <utility>

namespace reelfarm::nn {

HostCopy::HostCopy(at::Tensor source) : source_(std::move(source)) {
  if (!source_.defined() || source_.is_cpu()) {
    copy_ = source_;
    return;
  }
  copy_ = at::empty_like(source_, source_.options().device(c10::kCPU).pinned_memory(true));
  copy_.copy_(source_, /*non_blocking=*/true);
  const c10::Device device = source_.device();
  copied_.emplace(device.type());
  copied_->record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
}

const at::Tensor& HostCopy::wait() {
  if (copied_) copied_->synchronize();
  copied_.reset();
  source_.reset();
  return copy_;
}

}  // namespace reelfarm::nn

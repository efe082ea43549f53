#include "pipeline/nn/side_stream.hpp"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <exception>

namespace reelfarm::nn {
namespace {

c10::impl::VirtualGuardImpl guard_of(const c10::Stream& stream) {
  return c10::impl::VirtualGuardImpl(stream.device_type());
}

}  // namespace

SideStream::SideStream(c10::Device device) {
  if (!device.is_cuda()) return;
  // Of high priority: beside kernels that fill the GPU for tens of milliseconds, each of hundreds of short ones would
  // wait for one of them to end.
  stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device, /*isHighPriority=*/true);
}

SideStream::Use::Use(const SideStream& side) : side_(side.stream_) {
  if (!side_) return;
  c10::Event before(side_->device_type());
  before.record(guard_of(*side_).getStream(side_->device()));
  before.block(*side_);
  own_ = guard_of(*side_).exchangeStream(*side_);
}

SideStream::Use::~Use() {
  if (!side_) return;
  try {
    guard_of(*side_).exchangeStream(*own_);
    side_->synchronize();
  } catch (const std::exception&) {
    // A device that has failed says so to whoever reads the results.
  }
}

}  // namespace reelfarm::nn

#include "parallel/device_queue.hpp"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace reelfarm::parallel {
namespace {

// The CUDA part of LibTorch is loaded at run time: everything goes through its registered guard.
c10::impl::VirtualGuardImpl cuda() {
  return c10::impl::VirtualGuardImpl(c10::kCUDA);
}

class CudaMark final : public DeviceMark {
 public:
  explicit CudaMark(const c10::Stream& after) : event_(c10::kCUDA) { event_.record(after); }
  bool passed() const override { return event_.query(); }
  void hold_current_stream() override { event_.block(cuda().getStream(event_.device())); }

 private:
  c10::Event event_;
};

class CudaQueue final : public DeviceQueue {
 public:
  explicit CudaQueue(c10::Device device) : stream_(cuda().getStreamFromGlobalPool(device, /*isHighPriority=*/true)) {}

  void* handle() const override { return stream_.native_handle(); }

  void follow_current_stream() override {
    c10::Event event(c10::kCUDA);
    event.record(cuda().getStream(stream_.device()));
    event.block(stream_);
  }

  std::unique_ptr<DeviceMark> mark() override { return std::make_unique<CudaMark>(stream_); }

 private:
  c10::Stream stream_;
};

}  // namespace

std::unique_ptr<DeviceQueue> cuda_queue(c10::Device device) {
  return std::make_unique<CudaQueue>(device);
}

}  // namespace reelfarm::parallel

#pragma once

#include <memory>

#include <c10/core/Device.h>

namespace reelfarm::parallel {

/// A point in the order of a queue's work.
class DeviceMark {
 public:
  virtual ~DeviceMark() = default;
  /// Whether the device has done all work before it. Any thread.
  virtual bool passed() const = 0;
  /// What the calling thread's current stream is given from now on begins after that work.
  virtual void hold_current_stream() = 0;
};

/// A stream of a device, beside the ones that compute.
class DeviceQueue {
 public:
  virtual ~DeviceQueue() = default;
  /// cudaStream_t.
  virtual void* handle() const = 0;
  /// What this queue is given from now on begins after what the calling thread's current stream was given before.
  virtual void follow_current_stream() = 0;
  /// After all that this queue was given up to now.
  virtual std::unique_ptr<DeviceMark> mark() = 0;
};

/// A stream of high priority of a CUDA device, so that an exchange need not wait for compute kernels that are queued.
/// LibTorch's CUDA part must be loaded.
std::unique_ptr<DeviceQueue> cuda_queue(c10::Device device);

}  // namespace reelfarm::parallel

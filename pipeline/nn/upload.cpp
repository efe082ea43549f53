#include "pipeline/nn/upload.hpp"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "pipeline/nn/detail/copy_team.hpp"

namespace reelfarm::nn {
namespace {

// Of 4 x 8, 16 and 2 x 64 MiB the fastest on a host of an H100.
constexpr std::int64_t kBuffer = std::int64_t{16} << 20;  // bytes
constexpr std::size_t kBuffers = 4;
constexpr unsigned kMostThreads = 16;

/// The buffers, the threads and the stream of one device.
class Uploader {
 public:
  explicit Uploader(c10::Device device)
      : device_(device), copies_(guard().getStreamFromGlobalPool(device, /*isHighPriority=*/true)) {
    const auto pinned = at::TensorOptions().dtype(at::kByte).pinned_memory(true);
    for (Buffer& buffer : buffers_) {
      buffer.memory = at::empty({kBuffer}, pinned);
      buffer.sent.emplace(device.type());
    }
  }

  at::Tensor operator()(const at::Tensor& mapped) {
    const std::lock_guard alone(mutex_);
    at::Tensor result = at::empty(mapped.sizes(), mapped.options().device(device_));
    const at::Tensor bytes = result.view({-1}).view(at::kByte);
    // The result's memory may have been freed by work that the current stream has not done yet.
    c10::Event free(device_.type());
    free.record(guard().getStream(device_));
    free.block(copies_);
    const auto* from = static_cast<const std::byte*>(mapped.const_data_ptr());
    for (std::int64_t done = 0; done < bytes.numel(); done += kBuffer) {
      Buffer& buffer = buffers_[next_++ % buffers_.size()];
      buffer.sent->synchronize();
      const std::int64_t count = std::min(kBuffer, bytes.numel() - done);
      team_.copy(static_cast<std::byte*>(buffer.memory.mutable_data_ptr()), from + done, count);
      const c10::Stream own = guard().exchangeStream(copies_);
      bytes.narrow(0, done, count).copy_(buffer.memory.narrow(0, 0, count), /*non_blocking=*/true);
      guard().exchangeStream(own);
      buffer.sent->record(copies_);
    }
    c10::Event there(device_.type());
    there.record(copies_);
    there.block(guard().getStream(device_));
    return result;
  }

 private:
  struct Buffer {
    at::Tensor memory;
    std::optional<c10::Event> sent;
  };

  c10::impl::VirtualGuardImpl guard() const { return c10::impl::VirtualGuardImpl(device_.type()); }

  c10::Device device_;
  c10::Stream copies_;
  std::array<Buffer, kBuffers> buffers_;
  std::size_t next_ = 0;
  detail::CopyTeam team_{std::clamp(std::thread::hardware_concurrency(), 1U, kMostThreads)};
  std::mutex mutex_;
};

}  // namespace

at::Tensor upload(const at::Tensor& mapped, c10::Device device) {
  static std::mutex mutex;
  // Kept to the end of the process: pinning takes as long as reading some gigabytes.
  static auto& uploaders = *new std::map<c10::DeviceIndex, Uploader>();
  Uploader* uploader = nullptr;
  {
    const std::lock_guard lock(mutex);
    uploader = &uploaders.try_emplace(device.index(), device).first->second;
  }
  return (*uploader)(mapped);
}

}  // namespace reelfarm::nn

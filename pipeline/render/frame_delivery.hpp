#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>

#include "pipeline/nn/host_copy.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/vae/causal_vae.hpp"

namespace reelfarm::render {

/// Hands decoded frames over on a thread of its own, in the order in which they come, so that the device goes on
/// decoding while somebody writes them.
class FrameDelivery {
 public:
  using OnFrames = std::function<void(DecodedFrames)>;

  explicit FrameDelivery(OnFrames on_frames);
  /// Drops what is still waiting.
  ~FrameDelivery();
  FrameDelivery(const FrameDelivery&) = delete;
  FrameDelivery& operator=(const FrameDelivery&) = delete;

  /// Returns at once; the copy to the CPU is queued behind the chunk's own work. Throws what `on_frames` has thrown.
  void put(const vae::FrameChunk& chunk);

  /// Returns when all has been handed over. Throws what `on_frames` has thrown.
  void finish();

 private:
  struct Waiting {
    std::int64_t first_frame;
    nn::HostCopy rgb8;
    nn::HostCopy rgb;
  };
  void run();

  OnFrames on_frames_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::exception_ptr thrown_;
  bool closed_ = false;
  std::thread thread_;  // the last member: it uses all others
};

}  // namespace reelfarm::render

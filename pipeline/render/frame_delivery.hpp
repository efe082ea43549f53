#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "pipeline/nn/host_copy.hpp"
#include "pipeline/render/renderer.hpp"
#include "pipeline/vae/causal_vae.hpp"
#include "threads/conveyor.hpp"

namespace reelfarm::render {

/// Hands decoded frames over on a thread of its own, in the order in which they come, so that the device goes on
/// decoding while somebody writes them. What is still waiting at its end is dropped.
class FrameDelivery {
 public:
  using OnFrames = std::function<void(DecodedFrames)>;

  explicit FrameDelivery(OnFrames on_frames);

  /// Returns at once; the copy to the CPU is queued behind the chunk's own work. Throws what `on_frames` has thrown.
  void put(const vae::FrameChunk& chunk);

  /// Returns when all has been handed over. Throws what `on_frames` has thrown.
  void finish() { frames_.finish(); }

 private:
  struct Waiting {
    std::int64_t first_frame;
    nn::HostCopy rgb8;
    nn::HostCopy rgb;
  };

  threads::Conveyor<std::unique_ptr<Waiting>> frames_;
};

}  // namespace reelfarm::render

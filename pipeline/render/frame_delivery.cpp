#include "pipeline/render/frame_delivery.hpp"

#include <utility>

namespace reelfarm::render {

FrameDelivery::FrameDelivery(OnFrames on_frames) : on_frames_(std::move(on_frames)), thread_([this] { run(); }) {}

FrameDelivery::~FrameDelivery() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void FrameDelivery::put(const vae::FrameChunk& chunk) {
  Waiting next{chunk.first_frame, nn::HostCopy(chunk.rgb8), nn::HostCopy(chunk.rgb)};
  {
    const std::lock_guard lock(mutex_);
    if (thrown_) std::rethrow_exception(thrown_);
    waiting_.push_back(std::move(next));
  }
  changed_.notify_all();
}

void FrameDelivery::finish() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  thread_.join();
  if (thrown_) std::rethrow_exception(thrown_);
}

void FrameDelivery::run() {
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    try {
      const at::Tensor rgb8 = next.rgb8.wait();
      on_frames_({next.first_frame, rgb8, next.rgb.wait()});
    } catch (...) {
      lock.lock();
      thrown_ = std::current_exception();
      return;
    }
  }
}

}  // namespace reelfarm::render

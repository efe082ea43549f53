#include "pipeline/render/frame_delivery.hpp"

#include <utility>

namespace reelfarm::render {

FrameDelivery::FrameDelivery(OnFrames on_frames)
    : frames_([on_frames = std::move(on_frames)](const std::unique_ptr<Waiting>& next) {
        const at::Tensor rgb8 = next->rgb8.wait();
        on_frames({next->first_frame, rgb8, next->rgb.wait()});
      }) {}

void FrameDelivery::put(const vae::FrameChunk& chunk) {
  frames_.put(std::make_unique<Waiting>(Waiting{chunk.first_frame, nn::HostCopy(chunk.rgb8), nn::HostCopy(chunk.rgb)}));
}

}  // namespace reelfarm::render

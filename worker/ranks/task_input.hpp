#pragma once

#include <stdexcept>

#include <ATen/core/Tensor.h>

#include "pipeline/video/image.hpp"
#include "worker/protocol/messages.hpp"

namespace reelfarm::worker {

/// What a task starts from is damaged or gone: rendering it once more will not help.
class LostInput : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The frames of the tail that the order starts from, (4 (overlap_latents - 1) + 1, height, width, 3) uint8, as
/// publish_tail wrote them. Throws LostInput when the file is not the one that was published, artifacts::StorageError,
/// and weights::WeightError when it does not fit the order.
at::Tensor read_tail_frames(const TaskOrder& order);

/// The order's image. Throws LostInput as above, artifacts::StorageError, and video::BadMedia when it is no image.
video::Image read_start_image(const TaskOrder& order);

}  // namespace reelfarm::worker

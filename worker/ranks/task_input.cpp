#include "worker/ranks/task_input.hpp"

#include <string>

#include "pipeline/artifacts/errors.hpp"
#include "pipeline/artifacts/sha256.hpp"
#include "pipeline/nn/parameter_reader.hpp"
#include "pipeline/video/image_reader.hpp"
#include "pipeline/weights/tensor_source.hpp"
#include "pipeline/windows/grid.hpp"

namespace reelfarm::worker {
namespace {

void check_file(const std::string& path, const std::string& sha256) {
  std::string found;
  try {
    found = artifacts::sha256_of_file(path);
  } catch (const artifacts::ArtifactError& error) {
    if (!artifacts::is_lost(error)) throw;
    throw LostInput(error.what());
  }
  if (found != sha256) throw LostInput(path + " has sha256 " + found + ", it was published with " + sha256);
}

}  // namespace

at::Tensor read_tail_frames(const TaskOrder& order) {
  check_file(order.tail, order.tail_sha256);
  const nn::ParameterReader reader(weights::TensorSource::open(order.tail), {});
  const std::int64_t frames = windows::frames_of_latents(order.overlap_latents);
  // Cloned: the frames must outlive their file, which a janitor may remove.
  return reader.tensor("frames", {frames, order.height, order.width, 3}, at::kByte).clone();
}

video::Image read_start_image(const TaskOrder& order) {
  check_file(order.image, order.image_sha256);
  return video::read_image(order.image);
}

}  // namespace reelfarm::worker

#include "worker/agent/held_task.hpp"

#include <algorithm>
#include <stdexcept>

#include "pipeline/windows/grid.hpp"
#include "queue/data_folder.hpp"

namespace reelfarm::worker {

TaskOrder order_of(const queue::Lease& lease, const std::filesystem::path& data) {
  const queue::TaskSpec& spec = lease.task.spec;
  TaskOrder order;
  order.task = spec.id;
  order.job = spec.job;
  order.kind = queue::to_string(spec.kind);
  order.window = spec.window;
  order.take = lease.job.take;
  order.attempt = lease.token.attempt;
  order.nonce = lease.token.nonce;
  const queue::DataFolder folders(data);
  order.folder = folders.relative(spec.kind == queue::TaskKind::image ? folders.job_image(spec.job)
                                                                      : folders.job_windows(spec.job));
  order.artifact_key = spec.artifact_key;
  order.prompt = spec.render.prompt;
  order.image_fit = queue::to_string(spec.render.image_fit);
  order.width = spec.render.width;
  order.height = spec.render.height;
  order.steps = spec.render.steps;
  order.shift = spec.render.shift;
  order.guidance = spec.render.guidance;
  order.seed = spec.render.seed;
  order.num_latents = spec.span.num_latents;
  order.overlap_latents = spec.span.overlap_latents;
  order.first_frame = spec.span.first_frame;
  order.tail_latents =
      std::min<std::int64_t>(windows::latents_for_frames(lease.job.overlap_frames.value_or(1)), spec.span.num_latents);

  if (spec.render.image) {
    order.image = folders.input(spec.render.image->sha256).string();
    order.image_sha256 = spec.render.image->sha256;
  }
  for (const queue::TaskInput& input : lease.inputs) {
    if (input.kind == queue::TaskKind::image && input.artifact) {
      order.image = folders.absolute(input.artifact->path).string();
      order.image_sha256 = input.artifact->sha256;
    }
    if (input.kind == queue::TaskKind::window && input.tail) {
      order.tail = folders.absolute(input.tail->path).string();
      order.tail_sha256 = input.tail->sha256;
    }
  }
  if (spec.kind == queue::TaskKind::window && spec.span.overlap_latents > 0 && order.tail.empty()) {
    throw std::invalid_argument("task " + spec.id + " continues a window, but the lease names no tail to start from");
  }
  return order;
}

queue::Artifact artifact_of(const FileReference& file) {
  return {file.path, file.sha256, file.bytes, file.frames};
}

}  // namespace reelfarm::worker

#include "bench/parallel/forward_scaling.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "bench/models/measured.hpp"
#include "bench/parallel/remote_group.hpp"
#include "pipeline/dit/sharded_forward.hpp"
#include "pipeline/schedulers/flow_match.hpp"

namespace reelfarm::bench {

ForwardScaling::ForwardScaling(const dit::Transformer& transformer, parallel::ProcessGroup& world, const Clip& clip)
    : transformer_(transformer),
      world_(world),
      clip_(clip),
      latents_(at::randn({1, transformer.config().in_channels, clip.frames, clip.height, clip.width})
                   .to(transformer.device())),
      prepared_(transformer.prepare(
          {at::randn({clip.text, transformer.config().text_dim}), at::randn({transformer.config().pooled_dim})},
          schedulers::flow_match_schedule(4, 5.0).timesteps,
          transformer.config().guidance ? std::optional(1.0F) : std::nullopt)) {
  peak_gib(transformer.device());
}

nlohmann::json ForwardScaling::alone() const {
  const auto layout = transformer_.layout(clip_.frames, clip_.height, clip_.width);
  const auto whole = [&] { finish(transformer_.forward(latents_, layout, prepared_, 1)); };
  whole();
  return figures(median_seconds(world_, whole));
}

nlohmann::json ForwardScaling::over(const parallel::MeshShape& shape) const {
  const parallel::Mesh mesh(world_, shape);
  const auto plain = forward_over(world_, mesh);
  plain();
  nlohmann::json answer = figures(median_seconds(world_, plain));
  Costs costs;
  MeasuredGroup measured_world(world_, costs, transformer_.device());
  const parallel::Mesh measured_mesh(measured_world, shape);
  const auto measured = forward_over(measured_world, measured_mesh);
  measured();
  costs.clear();
  measured();
  answer["no_copy_engines"] = mesh.ulysses().no_peer_writes(transformer_.device());
  if (answer["no_copy_engines"] == "") {
    RemoteGroup remote_world(world_);
    answer["nccl_seconds"] = seconds_over(remote_world, shape);
  }
  answer["exchanges"] = nlohmann::json::array();
  for (const auto& [operation, cost] : costs) {
    if (cost.bytes == 0) continue;  // a row of one rank has nobody to send to
    const std::int64_t bytes = cost.bytes / cost.calls;
    answer["exchanges"].push_back({{"operation", operation},
                                   {"calls", cost.calls},
                                   {"megabytes", static_cast<double>(bytes) * 1e-6},
                                   {"seconds", cost.seconds},
                                   {"bare_seconds", bare_seconds(bytes)}});
  }
  return answer;
}

double ForwardScaling::seconds_over(parallel::ProcessGroup& world, const parallel::MeshShape& shape) const {
  const parallel::Mesh mesh(world, shape);
  const auto forward = forward_over(world, mesh);
  forward();
  return median_seconds(world_, forward);
}

nlohmann::json ForwardScaling::figures(double seconds) const {
  const auto layout = transformer_.layout(clip_.frames, clip_.height, clip_.width);
  return {
      {"seconds", seconds}, {"tokens", layout.shard.count + clip_.text}, {"peak_gib", peak_gib(transformer_.device())}};
}

std::function<void()> ForwardScaling::forward_over(parallel::ProcessGroup& group, const parallel::Mesh& mesh) const {
  const dit::ShardedForward forward(transformer_, group, mesh, clip_.frames, clip_.height, clip_.width);
  return [this, &group, forward] {
    const at::Tensor velocity = forward(latents_, prepared_, 1);
    group.settle();
    finish(velocity);
  };
}

/// Of sending so many bytes to a neighbour, in ranks that have come together and do nothing else.
double ForwardScaling::bare_seconds(std::int64_t bytes) const {
  const at::Tensor out = at::zeros({bytes}, at::TensorOptions().dtype(at::kByte).device(transformer_.device()));
  const at::Tensor in = at::empty_like(out);
  const int ranks = world_.size();
  // One after another without a stop, as the exchanges of a forward are: on a GPU the host's part is hidden.
  constexpr int kInARow = 10;
  return median_seconds(world_,
                        [&] {
                          for (int i = 0; i < kInARow; ++i) {
                            world_
                                .exchange({{out, (world_.rank() + 1) % ranks}},
                                          {{in, (world_.rank() + ranks - 1) % ranks}}, "bare")
                                ->wait();
                          }
                          world_.settle();
                          finish(in);
                        }) /
         kInARow;
}

}  // namespace reelfarm::bench

#include "bench/parallel/forward_scaling.hpp"

#include <ATen/ATen.h>

#include <cstdio>
#include <optional>
#include <string>

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
          transformer.config().guidance ? std::optional(1.0F) : std::nullopt)) {}

void ForwardScaling::run() const {
  const bool first = world_.rank() == 0;
  const auto layout = transformer_.layout(clip_.frames, clip_.height, clip_.width);
  const auto whole = [&] { finish(transformer_.forward(latents_, layout, prepared_, 1)); };
  whole();
  const double alone = median_seconds(world_, [&] {
    if (first) whole();
  });
  // On the CPU ranks share the machine's memory and power; GPUs are N machines.
  const bool on_gpus = transformer_.device().is_cuda();
  const double at_once = on_gpus ? alone : median_seconds(world_, whole);
  if (first) {
    const nn::Placement placement{transformer_.device(), transformer_.dtype()};
    std::printf("forward, %lld x %lld x %lld latents, %lld tokens, %lld heads, %s, %d ranks; one rank: %.3f s\n",
                static_cast<long long>(clip_.frames), static_cast<long long>(clip_.height),
                static_cast<long long>(clip_.width), static_cast<long long>(layout.shard.count + clip_.text),
                static_cast<long long>(transformer_.config().num_heads),
                std::string(nn::dtype_name(placement.dtype)).c_str(), world_.size(), alone);
    if (!on_gpus) {
      std::printf("ceiling of the speed-up: %.2f (%d ranks at once take %.3f s for a forward each)\n",
                  world_.size() * alone / at_once, world_.size(), at_once);
    }
  }
  for (int ulysses = world_.size(); ulysses >= 1; --ulysses) {
    if (world_.size() % ulysses != 0 || transformer_.config().num_heads % ulysses != 0) continue;
    measure({ulysses, world_.size() / ulysses}, alone);
  }
}

void ForwardScaling::measure(const parallel::MeshShape& shape, double alone) const {
  const auto forward_over = [&](parallel::ProcessGroup& group, const parallel::Mesh& mesh) {
    const dit::ShardedForward forward(transformer_, group, mesh, clip_.frames, clip_.height, clip_.width);
    return [this, &group, forward] {
      const at::Tensor velocity = forward(latents_, prepared_, 1);
      group.settle();
      finish(velocity);
    };
  };
  const parallel::Mesh mesh(world_, shape);
  const auto plain = forward_over(world_, mesh);
  plain();
  const double together = median_seconds(world_, plain);
  if (world_.rank() == 0) {
    std::printf("mesh %s: %.3f s, speed-up %.2f\n", to_string(shape).c_str(), together, alone / together);
  }
  Costs costs;
  MeasuredGroup measured_world(world_, costs, transformer_.device());
  const parallel::Mesh measured_mesh(measured_world, shape);
  const auto measured = forward_over(measured_world, measured_mesh);
  measured();
  costs.clear();
  measured();
  for (const auto& [operation, cost] : costs) {
    if (cost.bytes > 0) report(operation, cost, together);  // a row of one rank has nobody to send to
  }
}

/// Collective, as all ranks have the same operations.
void ForwardScaling::report(const std::string& operation, const Cost& cost, double together) const {
  const double own = cost.seconds;
  const auto calls = cost.calls;
  const double megabytes = static_cast<double>(cost.bytes) / static_cast<double>(cost.calls) * 1e-6;
  const double bare = bare_seconds(cost.bytes / cost.calls);
  if (world_.rank() != 0) return;
  std::printf(
      "  %-12s %3lld calls of %8.3f MB: %.4f s of waiting, %4.1f %% of the forward; %.2f GB/s, bare %.2f GB/s\n",
      operation.c_str(), static_cast<long long>(calls), megabytes, own, 100 * own / together,
      megabytes * 1e-3 * static_cast<double>(calls) / own, megabytes * 1e-3 / bare);
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

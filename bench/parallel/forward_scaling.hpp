#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "bench/parallel/measured_group.hpp"
#include "bench/parallel/timing.hpp"
#include "parallel/mesh.hpp"
#include "pipeline/dit/transformer.hpp"

namespace reelfarm::bench {

/// One forward of a clip, by each of the ranks at once or over all of them.
class ForwardScaling {
 public:
  /// All must outlive it.
  ForwardScaling(const dit::Transformer& transformer, parallel::ProcessGroup& world, const Clip& clip);

  /// Collective. {"seconds", "tokens", "peak_gib"}: every rank computes all of it, at the same time.
  nlohmann::json alone() const;

  /// Collective. The same over the mesh, "no_copy_engines": why exchanges of heads do not go by copy engines, or, where
  /// this is empty, "nccl_seconds": the forward without them, and "exchanges": of each operation {"operation", "calls",
  /// "megabytes", "seconds", "bare_seconds"}, where megabytes and bare_seconds are those of one call and seconds those
  /// in which this rank did nothing else. On the CPU these are the waits of the forward; on GPUs each exchange runs by
  /// itself.
  nlohmann::json over(const parallel::MeshShape& shape) const;

 private:
  nlohmann::json figures(double seconds) const;
  double seconds_over(parallel::ProcessGroup& world, const parallel::MeshShape& shape) const;
  std::function<void()> forward_over(parallel::ProcessGroup& group, const parallel::Mesh& mesh) const;
  double bare_seconds(std::int64_t bytes) const;

  const dit::Transformer& transformer_;
  parallel::ProcessGroup& world_;
  Clip clip_;
  at::Tensor latents_;
  dit::Prepared prepared_;
};

}  // namespace reelfarm::bench

#pragma once

#include "bench/parallel/measured_group.hpp"
#include "bench/parallel/timing.hpp"
#include "parallel/mesh.hpp"
#include "pipeline/dit/transformer.hpp"

namespace reelfarm::bench {

/// One forward on one rank, on each of the ranks at once, and over all of them on every mesh.
class ForwardScaling {
 public:
  /// All must outlive it.
  ForwardScaling(const dit::Transformer& transformer, parallel::ProcessGroup& world, const Clip& clip);

  /// Collective. Rank 0 prints.
  void run() const;

 private:
  void measure(const parallel::MeshShape& shape, double alone) const;
  void report(const std::string& operation, const Cost& cost, double together) const;
  double bare_seconds(std::int64_t bytes) const;

  const dit::Transformer& transformer_;
  parallel::ProcessGroup& world_;
  Clip clip_;
  at::Tensor latents_;
  dit::Prepared prepared_;
};

}  // namespace reelfarm::bench

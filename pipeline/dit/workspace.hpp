#pragma once

#include <ATen/core/Tensor.h>

#include "pipeline/dit/config.hpp"

namespace reelfarm::dit {

/// Memory that all blocks of a forward write one after another: made once, since fresh pages cost more than the
/// element-wise arithmetic on them.
struct Workspace {
  at::Tensor q, k, v;  // (tokens, width)
  at::Tensor hidden;   // (tokens, width + mlp_width): [attention | MLP] of a single block
  std::int64_t num_heads;
  std::int64_t mlp_width;

  Workspace(const DitConfig& config, std::int64_t tokens, const at::TensorOptions& options);

  /// (tokens, heads, head_dim) of q, k or v.
  at::Tensor heads(const at::Tensor& x) const;
  /// The same memory as `hidden`, as (rows, mlp_width) without gaps.
  at::Tensor mlp(std::int64_t rows) const;
  /// (tokens, mlp_width) of a single block: the right part of `hidden`, or, where the joined rows go elsewhere, without
  /// gaps, as quantised products want it.
  at::Tensor mlp_to_join(bool in_hidden) const;
};

}  // namespace reelfarm::dit

#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include "pipeline/quant/rows.hpp"

namespace reelfarm::dit {

/// Attention over image and text tokens together: the one place where tokens of different ranks meet.
///
/// The transformer keeps both kinds in one buffer, image first, so that the local form needs no concatenation; a
/// sequence-parallel form takes narrow(0, 0, image_tokens) as its shard of the image and the rest as the whole text.
class JointAttention {
 public:
  virtual ~JointAttention() = default;

  /// q, k, v: (image_tokens + text_tokens, heads, head_dim), normed and rotated -> (tokens, heads * head_dim), which
  /// may come in 8 bits. Collective in implementations that span ranks; there image_tokens is the rank's padded shard.
  virtual quant::Rows operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                                 std::int64_t image_tokens) const = 0;
};

/// All tokens are here: one attention over the buffer, in 8 bits where that is asked for and the device has it.
class LocalJointAttention final : public JointAttention {
 public:
  explicit LocalJointAttention(bool quantised = false) : quantised_(quantised) {}

  quant::Rows operator()(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                         std::int64_t image_tokens) const override;

 private:
  bool quantised_;
};

}  // namespace reelfarm::dit
